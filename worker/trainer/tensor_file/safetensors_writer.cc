#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/status.h"
#include "worker/trainer/tensor_file/header.h"
#include "worker/trainer/tensor_file/safetensors.h"

namespace vlm::trainer {
namespace {

absl::Status WriteError(const std::string& path, absl::string_view what, int error) {
  const std::string text = absl::StrCat(path, ": ", what, ": ", std::strerror(error));
  if (error == ENOSPC || error == EDQUOT) return absl::ResourceExhaustedError(text);
  if (error == EACCES || error == EPERM || error == EROFS) {
    return absl::PermissionDeniedError(text);
  }
  if (error == ENOENT || error == ENOTDIR) return absl::NotFoundError(text);
  return absl::InternalError(text);
}

// A descriptor that is closed on every way out.
class File {
 public:
  File(const std::string& path, int flags)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, 0644)), path_(path) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  absl::Status Opened() const {
    return fd_ >= 0 ? absl::OkStatus() : WriteError(path_, "cannot be opened", errno);
  }
  absl::Status Write(absl::string_view data) {
    while (!data.empty()) {
      const ssize_t done = write(fd_, data.data(), std::min<size_t>(data.size(), 1 << 30));
      if (done < 0 && errno == EINTR) continue;
      if (done < 0) return WriteError(path_, "cannot be written", errno);
      data.remove_prefix(static_cast<size_t>(done));
    }
    return absl::OkStatus();
  }
  absl::Status Sync() {
    return fsync(fd_) == 0 ? absl::OkStatus() : WriteError(path_, "cannot be synced", errno);
  }
  absl::Status Close() {
    const int code = close(fd_);
    fd_ = -1;
    return code == 0 ? absl::OkStatus() : WriteError(path_, "cannot be closed", errno);
  }

 private:
  int fd_;
  const std::string path_;
};

absl::Status WriteAll(const std::string& path, const std::vector<absl::string_view>& pieces) {
  File file(path, O_WRONLY | O_CREAT | O_TRUNC);
  RETURN_IF_ERROR(file.Opened());
  for (absl::string_view piece : pieces) RETURN_IF_ERROR(file.Write(piece));
  RETURN_IF_ERROR(file.Sync());
  return file.Close();
}

absl::Status SyncFolder(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  File dir(folder.empty() ? std::string(1, '.') : folder, O_RDONLY | O_DIRECTORY);
  RETURN_IF_ERROR(dir.Opened());
  return dir.Sync();
}

}  // namespace

absl::Status SafetensorsWriter::Add(const std::string& name, DType dtype,
                                    std::vector<int64_t> shape, absl::string_view data) {
  if (name.empty() || name == kMetadataKey) {
    return absl::InvalidArgumentError(absl::StrCat("'", name, "' cannot be a tensor's name"));
  }
  if (names_.count(name) > 0) {
    return absl::InvalidArgumentError(absl::StrCat("tensor '", name, "' is added twice"));
  }
  const auto bytes = TensorBytes(dtype, shape);
  if (!bytes || *bytes != data.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor '", name, "': its shape does not need ", data.size(), " bytes"));
  }
  names_.insert(name);
  TensorInfo info;
  info.name = name;
  info.dtype = dtype;
  info.shape = std::move(shape);
  entries_.push_back({std::move(info), data});
  return absl::OkStatus();
}

void SafetensorsWriter::SetMetadata(const std::string& key, const std::string& value) {
  metadata_[key] = value;
}

absl::Status SafetensorsWriter::Write(const std::string& path) const {
  // Larger elements first: then every tensor is aligned to its element's size.
  std::vector<const Entry*> order;
  for (const Entry& entry : entries_) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
    return DTypeSize(a->info.dtype) > DTypeSize(b->info.dtype);
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata_.empty()) header[std::string(kMetadataKey)] = metadata_;
  std::vector<absl::string_view> pieces(2);
  uint64_t at = 0;
  for (const Entry* entry : order) {
    header[entry->info.name] = {{"dtype", std::string(DTypeName(entry->info.dtype))},
                                {"shape", entry->info.shape},
                                {"data_offsets", {at, at + entry->data.size()}}};
    at += entry->data.size();
    pieces.push_back(entry->data);
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t header_bytes = text.size();
  if (header_bytes > kMaxHeaderBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": a header of ", header_bytes, " bytes is over the format's limit"));
  }
  char length[8];
  std::memcpy(length, &header_bytes, 8);
  pieces[0] = absl::string_view(length, 8);
  pieces[1] = text;

  const std::string aside = path + ".part";
  absl::Status status = WriteAll(aside, pieces);
  if (status.ok() && rename(aside.c_str(), path.c_str()) != 0) {
    status = WriteError(path, "cannot be renamed from .part", errno);
  }
  if (!status.ok()) {
    unlink(aside.c_str());
    return status;
  }
  return SyncFolder(path);
}

}  // namespace vlm::trainer
