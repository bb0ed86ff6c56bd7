// Safetensors files (https://github.com/huggingface/safetensors): an 8-byte little-endian header
// length, a JSON header {name: {dtype, shape, data_offsets}, "__metadata__": {...}}, then the data.
// Knows no torch. Not thread-safe per object; a Reader may be read from many threads.
// Files are outside input: every length, offset, dtype, shape and name is checked before use.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vlm::trainer {

enum class DType { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU8, kBool };

size_t DTypeSize(DType dtype);             // Bytes of one element.
absl::string_view DTypeName(DType dtype);  // As in the file: "F32".

struct TensorInfo {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<int64_t> shape;  // Empty: a scalar.
  uint64_t begin = 0;          // Bytes from the start of the data section.
  uint64_t end = 0;
};

class SafetensorsReader {
 public:
  // Maps the file. NOT_FOUND, PERMISSION_DENIED, or DATA_LOSS naming file, tensor and reason when
  // it is no complete safetensors file. The file must not be changed in place while it is open.
  static absl::StatusOr<std::unique_ptr<SafetensorsReader>> Open(const std::string& path);
  ~SafetensorsReader();
  SafetensorsReader(const SafetensorsReader&) = delete;
  SafetensorsReader& operator=(const SafetensorsReader&) = delete;

  const std::vector<TensorInfo>& tensors() const { return tensors_; }  // In order of offset.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const TensorInfo* Find(absl::string_view name) const;  // Null: there is none.
  absl::string_view Data(const TensorInfo& info) const;  // Valid as long as the reader.
  const std::string& path() const { return path_; }

 private:
  SafetensorsReader() = default;
  absl::Status ParseMapped();
  std::string path_;
  void* map_ = nullptr;
  size_t size_ = 0;
  size_t data_begin_ = 0;
  std::vector<TensorInfo> tensors_;  // Sorted by begin.
  std::map<std::string, size_t, std::less<>> by_name_;
  std::map<std::string, std::string> metadata_;
};

class SafetensorsWriter {
 public:
  // `data` (C order, little endian) is borrowed until Write returns.
  // INVALID_ARGUMENT: a duplicate or reserved name, a negative extent, a wrong number of bytes.
  absl::Status Add(const std::string& name, DType dtype, std::vector<int64_t> shape,
                   absl::string_view data);
  void SetMetadata(const std::string& key, const std::string& value);
  // Writes `path`.part, syncs it, renames it over `path` and syncs the folder: `path` is the old
  // file or the complete new one. RESOURCE_EXHAUSTED: disk full; the .part file is removed.
  absl::Status Write(const std::string& path) const;

 private:
  struct Entry {
    TensorInfo info;
    absl::string_view data;
  };
  std::vector<Entry> entries_;
  std::set<std::string> names_;
  std::map<std::string, std::string> metadata_;
};

}  // namespace vlm::trainer
