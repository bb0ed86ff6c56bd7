#include "worker/trainer/tensor_file/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "common/status.h"
#include "worker/trainer/tensor_file/header.h"

namespace vlm::trainer {
namespace {

struct DTypeRow {
  DType dtype;
  absl::string_view name;
  size_t bytes;
};
constexpr DTypeRow kDTypes[] = {{DType::kF64, "F64", 8}, {DType::kF32, "F32", 4},
                                {DType::kF16, "F16", 2}, {DType::kBF16, "BF16", 2},
                                {DType::kI64, "I64", 8}, {DType::kI32, "I32", 4},
                                {DType::kI16, "I16", 2}, {DType::kI8, "I8", 1},
                                {DType::kU8, "U8", 1},   {DType::kBool, "BOOL", 1}};

// Parses and keeps the order of the file; a duplicate key is an error, which nlohmann's parser
// would silently resolve to the last one, so keys are watched while parsing.
absl::StatusOr<nlohmann::json> ParseHeader(absl::string_view text) {
  std::vector<std::set<std::string>> keys;
  std::string duplicate;
  bool too_deep = false;
  const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
    using Event = nlohmann::json::parse_event_t;
    if (depth > 8) too_deep = true;
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end && !keys.empty()) keys.pop_back();
    if (event == Event::key && !keys.empty()) {
      const auto& name = value.get_ref<const std::string&>();
      if (!keys.back().insert(name).second && duplicate.empty()) duplicate = name;
    }
    return true;
  };
  nlohmann::json header =
      nlohmann::json::parse(text.begin(), text.end(), watch, /*allow_exceptions=*/false);
  if (header.is_discarded()) return absl::DataLossError("the header is no valid JSON");
  if (too_deep) return absl::DataLossError("the header is nested too deeply");
  if (!duplicate.empty()) {
    return absl::DataLossError(absl::StrCat("'", duplicate, "' appears twice in the header"));
  }
  if (!header.is_object()) return absl::DataLossError("the header is no JSON object");
  return header;
}

absl::Status ReadShape(const nlohmann::json& list, TensorInfo* info) {
  if (!list.is_array()) return absl::DataLossError("shape is no list");
  for (const auto& extent : list) {
    if (!extent.is_number_unsigned() || extent.get<uint64_t>() > (1ull << 62)) {
      return absl::DataLossError(absl::StrCat("extent ", extent.dump(), " is no size"));
    }
    info->shape.push_back(static_cast<int64_t>(extent.get<uint64_t>()));
  }
  return absl::OkStatus();
}

absl::StatusOr<TensorInfo> ReadEntry(const std::string& name, const nlohmann::json& entry,
                                     uint64_t data_bytes) {
  TensorInfo info;
  info.name = name;
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets")) {
    return absl::DataLossError("needs dtype, shape and data_offsets");
  }
  if (!entry["dtype"].is_string()) return absl::DataLossError("dtype is no text");
  const auto dtype = DTypeOf(entry["dtype"].get_ref<const std::string&>());
  if (!dtype) {
    return absl::DataLossError(absl::StrCat("dtype ", entry["dtype"].dump(), " is not known"));
  }
  info.dtype = *dtype;
  RETURN_IF_ERROR(ReadShape(entry["shape"], &info));
  const auto& offsets = entry["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
      !offsets[1].is_number_unsigned()) {
    return absl::DataLossError("data_offsets is not [begin, end]");
  }
  info.begin = offsets[0].get<uint64_t>();
  info.end = offsets[1].get<uint64_t>();
  if (info.begin > info.end || info.end > data_bytes) {
    return absl::DataLossError(absl::StrCat("data_offsets [", info.begin, ", ", info.end,
                                            "] leave the file's ", data_bytes,
                                            " data bytes; the file is cut short or damaged"));
  }
  const auto bytes = TensorBytes(info.dtype, info.shape);
  if (!bytes || *bytes != info.end - info.begin) {
    return absl::DataLossError(absl::StrCat("shape and dtype need ",
                                            bytes ? absl::StrCat(*bytes) : "too many",
                                            " bytes, data_offsets give ", info.end - info.begin));
  }
  return info;
}

absl::Status ReadMetadata(const nlohmann::json& entry, std::map<std::string, std::string>* out) {
  if (!entry.is_object()) return absl::DataLossError("__metadata__ is no object");
  for (const auto& [key, value] : entry.items()) {
    if (!value.is_string()) {
      return absl::DataLossError(absl::StrCat("__metadata__.", key, " is no text"));
    }
    (*out)[key] = value.get<std::string>();
  }
  return absl::OkStatus();
}

// `tensors` sorted by begin: they must follow each other without hole or overlap to the end.
absl::Status CheckLayout(const std::vector<TensorInfo>& tensors, uint64_t data_bytes) {
  uint64_t at = 0;
  for (const TensorInfo& info : tensors) {
    if (info.begin != at) {
      return absl::DataLossError(
          absl::StrCat("tensor '", info.name, "' begins at ", info.begin,
                       info.begin < at ? " inside the one before it, which ends at "
                                       : " and leaves a hole behind the one that ends at ",
                       at));
    }
    at = info.end;
  }
  if (at != data_bytes) {
    return absl::DataLossError(
        absl::StrCat(data_bytes - at, " bytes behind the last tensor belong to none"));
  }
  return absl::OkStatus();
}

absl::Status FileError(const std::string& path, int error) {
  const std::string text = absl::StrCat(path, ": ", std::strerror(error));
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(text);
  if (error == EACCES || error == EPERM) return absl::PermissionDeniedError(text);
  return absl::DataLossError(text);
}

}  // namespace

size_t DTypeSize(DType dtype) { return kDTypes[static_cast<size_t>(dtype)].bytes; }
absl::string_view DTypeName(DType dtype) { return kDTypes[static_cast<size_t>(dtype)].name; }

std::optional<DType> DTypeOf(absl::string_view name) {
  for (const DTypeRow& row : kDTypes) {
    if (row.name == name) return row.dtype;
  }
  return std::nullopt;
}

std::optional<uint64_t> TensorBytes(DType dtype, const std::vector<int64_t>& shape) {
  uint64_t count = 1;
  bool empty = false;
  for (int64_t extent : shape) {
    if (extent < 0) return std::nullopt;
    if (extent == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(count, static_cast<uint64_t>(extent), &count)) {
      return std::nullopt;
    }
  }
  if (empty) return 0;
  if (count > (1ull << 62) / DTypeSize(dtype)) return std::nullopt;
  return count * DTypeSize(dtype);
}

absl::StatusOr<std::unique_ptr<SafetensorsReader>> SafetensorsReader::Open(
    const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileError(path, errno);
  struct stat about;
  const bool known = fstat(fd, &about) == 0;
  const int stat_error = errno;
  if (!known || !S_ISREG(about.st_mode) || about.st_size < 8) {
    close(fd);
    if (!known) return FileError(path, stat_error);
    if (!S_ISREG(about.st_mode)) return absl::DataLossError(path + ": is no regular file");
    return absl::DataLossError(
        absl::StrCat(path, ": ", about.st_size, " bytes are too few for a safetensors file"));
  }
  std::unique_ptr<SafetensorsReader> reader(new SafetensorsReader);
  reader->path_ = path;
  reader->size_ = static_cast<size_t>(about.st_size);
  void* map = mmap(nullptr, reader->size_, PROT_READ, MAP_PRIVATE, fd, 0);
  const int map_error = errno;
  close(fd);
  if (map == MAP_FAILED) return FileError(path, map_error);
  reader->map_ = map;
  if (absl::Status status = reader->ParseMapped(); !status.ok()) return Annotate(status, path);
  return reader;
}

absl::Status SafetensorsReader::ParseMapped() {
  const char* bytes = static_cast<const char*>(map_);
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes, 8);
  if (header_bytes > kMaxHeaderBytes || header_bytes > size_ - 8) {
    return absl::DataLossError(absl::StrCat("a header of ", header_bytes,
                                            " bytes does not fit: not a safetensors file, or cut"));
  }
  ASSIGN_OR_RETURN(nlohmann::json header, ParseHeader(absl::string_view(bytes + 8, header_bytes)));
  data_begin_ = 8 + header_bytes;
  for (const auto& [name, entry] : header.items()) {
    if (name == kMetadataKey) {
      RETURN_IF_ERROR(ReadMetadata(entry, &metadata_));
      continue;
    }
    auto info = ReadEntry(name, entry, size_ - data_begin_);
    if (!info.ok()) return Annotate(info.status(), absl::StrCat("tensor '", name, "'"));
    tensors_.push_back(*std::move(info));
  }
  std::sort(tensors_.begin(), tensors_.end(), [](const TensorInfo& a, const TensorInfo& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  for (size_t i = 0; i < tensors_.size(); ++i) by_name_[tensors_[i].name] = i;
  return CheckLayout(tensors_, size_ - data_begin_);
}

SafetensorsReader::~SafetensorsReader() {
  if (map_ != nullptr) munmap(map_, size_);
}

const TensorInfo* SafetensorsReader::Find(absl::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

absl::string_view SafetensorsReader::Data(const TensorInfo& info) const {
  return {static_cast<const char*>(map_) + data_begin_ + info.begin, info.end - info.begin};
}

}  // namespace vlm::trainer
