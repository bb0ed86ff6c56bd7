// Sizes on the disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace vlm::storage {

// 0 if it is not there.
inline int64_t FileBytes(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<int64_t>(size);
}

// With its write-ahead log.
inline int64_t DatabaseBytes(const std::string& path) {
  return FileBytes(path) + FileBytes(path + "-wal");
}

}  // namespace vlm::storage
