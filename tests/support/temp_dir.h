// A folder of its own for a test or a benchmark; it goes away with the object.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/string_view.h"

namespace vlm::testing {

class TempDir {
 public:
  TempDir() {
    path_ = (std::filesystem::temp_directory_path() / "vlm-test-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) path_.clear();  // Its use then fails by itself.
  }
  ~TempDir() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(absl::string_view name) const { return path_ + "/" + std::string(name); }
  // Writes a file, and the folders above it; returns its path.
  std::string Write(absl::string_view name, absl::string_view bytes) const {
    const std::string file = *this / name;
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::ofstream(file, std::ios::binary) << std::string(bytes);
    return file;
  }

 private:
  std::string path_;
};

}  // namespace vlm::testing
