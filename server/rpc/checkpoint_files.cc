#include "server/rpc/checkpoint_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "common/status.h"

namespace vlm::rpc {
namespace {

constexpr size_t kChunkBytes = 1 << 20;

absl::Status FromErrno(const std::string& what) {
  const int error = errno;
  const auto code = error == ENOSPC || error == EDQUOT ? absl::StatusCode::kResourceExhausted
                                                       : absl::StatusCode::kInternal;
  return absl::Status(code, absl::StrCat(what, ": ", std::strerror(error)));
}

absl::Status WriteAt(int fd, const v1::Chunk& chunk, const std::string& path) {
  size_t done = 0;
  while (done < chunk.data().size()) {
    const ssize_t n = pwrite(fd, chunk.data().data() + done, chunk.data().size() - done,
                             chunk.offset() + static_cast<int64_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return FromErrno(path);
    done += static_cast<size_t>(n);
  }
  return absl::OkStatus();
}

absl::Status SyncFolder(const std::string& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return FromErrno(folder);
  const auto closer = absl::MakeCleanup([fd] { close(fd); });
  return fsync(fd) == 0 ? absl::OkStatus() : FromErrno(folder);
}

}  // namespace

absl::StatusOr<CheckpointFiles> CheckpointFiles::Open(const std::string& data_dir) {
  const std::string folder = absl::StrCat(data_dir, "/checkpoints");
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return absl::PermissionDeniedError(absl::StrCat(folder, ": ", error.message()));
  return CheckpointFiles(folder);
}

absl::StatusOr<std::string> CheckpointFiles::PathOf(const std::string& id) const {
  bool good = !id.empty() && id.size() <= 64;
  for (char c : id) good = good && (std::isalnum(static_cast<unsigned char>(c)) || c == '-');
  if (!good) return absl::InvalidArgumentError(absl::StrCat("\"", id, "\" is no checkpoint id"));
  return absl::StrCat(folder_, "/", id, ".safetensors");
}

absl::Status CheckpointFiles::Receive(const v1::Checkpoint& checkpoint,
                                      const std::function<bool(v1::Chunk*)>& next) const {
  ASSIGN_OR_RETURN(const std::string path, PathOf(checkpoint.checkpoint_id()));
  const std::string part = absl::StrCat(path, ".part");
  const int fd = open(part.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0) return FromErrno(part);
  const auto closer = absl::MakeCleanup([fd] { close(fd); });
  int64_t size = lseek(fd, 0, SEEK_END);
  v1::Chunk chunk;
  while (next(&chunk)) {
    const auto length = static_cast<int64_t>(chunk.data().size());
    if (chunk.offset() < 0 || chunk.offset() > size) {
      return absl::InvalidArgumentError(
          absl::StrCat("a hole before offset ", chunk.offset(), "; ", size, " bytes are stored"));
    }
    if (chunk.offset() + length > checkpoint.size_bytes()) {
      unlink(part.c_str());
      return absl::InvalidArgumentError(
          absl::StrCat("more bytes than the ", checkpoint.size_bytes(), " that were announced"));
    }
    if (chunk.offset() + length <= size) continue;  // Stored by an earlier try.
    if (absl::Status written = WriteAt(fd, chunk, part); !written.ok()) {
      unlink(part.c_str());
      return written;
    }
    size = chunk.offset() + length;
  }
  if (size < checkpoint.size_bytes()) {
    return absl::UnavailableError(
        absl::StrCat("the upload of ", checkpoint.checkpoint_id(), " broke off at byte ", size));
  }
  ASSIGN_OR_RETURN(const std::string hash, Sha256File(part));
  if (size != checkpoint.size_bytes() || hash != checkpoint.sha256()) {
    unlink(part.c_str());
    return absl::DataLossError(absl::StrCat("checkpoint ", checkpoint.checkpoint_id(),
                                            " arrived damaged; send it again from 0"));
  }
  if (fsync(fd) != 0) return FromErrno(part);
  if (rename(part.c_str(), path.c_str()) != 0) return FromErrno(path);
  return SyncFolder(folder_);
}

absl::Status CheckpointFiles::Send(const v1::Checkpoint& checkpoint, int64_t offset,
                                   const std::function<bool(const v1::Chunk&)>& send) const {
  ASSIGN_OR_RETURN(const std::string path, PathOf(checkpoint.checkpoint_id()));
  if (!absl::StartsWith(checkpoint.uri(), "coordinator:")) {
    return absl::NotFoundError(absl::StrCat("checkpoint ", checkpoint.checkpoint_id(),
                                            " is not with the coordinator but on worker ",
                                            checkpoint.worker_id(), " at ", checkpoint.uri()));
  }
  if (offset < 0) return absl::InvalidArgumentError("offset must be 0 or more");
  auto hashed = Sha256File(path);
  if (absl::IsNotFound(hashed.status())) {
    return absl::DataLossError(absl::StrCat(path, " is gone from the coordinator's disk"));
  }
  ASSIGN_OR_RETURN(const std::string hash, std::move(hashed));
  if (hash != checkpoint.sha256()) {
    return absl::DataLossError(absl::StrCat("checkpoint ", checkpoint.checkpoint_id(),
                                            " is damaged on the coordinator's disk: its hash is ",
                                            hash, ", not ", checkpoint.sha256()));
  }
  std::ifstream in(path, std::ios::binary);
  in.seekg(offset);
  std::string buffer(kChunkBytes, '\0');
  while (in) {
    in.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    if (in.gcount() == 0) break;
    v1::Chunk chunk;
    chunk.set_offset(offset);
    chunk.set_data(buffer.data(), static_cast<size_t>(in.gcount()));
    offset += in.gcount();
    if (!send(chunk)) return absl::CancelledError("the reader went away");
  }
  return absl::OkStatus();
}

void CheckpointFiles::Remove(const std::string& checkpoint_id) const {
  if (const auto path = PathOf(checkpoint_id); path.ok()) unlink(path->c_str());
}

}  // namespace vlm::rpc
