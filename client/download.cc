#include "client/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/hash.h"

namespace vlm::client {
namespace {

// The file while it is being written; removed unless it was kept.
class PartFile {
 public:
  explicit PartFile(const std::string& path) : part_(absl::StrCat(path, ".part", getpid())) {
    fd_ = open(part_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    error_ = fd_ < 0 ? errno : 0;
  }
  ~PartFile() {
    if (fd_ >= 0) close(fd_);
    if (!kept_) unlink(part_.c_str());
  }
  absl::Status status() const {
    if (error_ == 0) return absl::OkStatus();
    const std::string text = absl::StrCat("cannot write ", part_, ": ", std::strerror(error_));
    return error_ == ENOSPC ? absl::ResourceExhaustedError(text)
                            : absl::PermissionDeniedError(text);
  }
  void Write(absl::string_view data) {
    while (error_ == 0 && !data.empty()) {
      const ssize_t n = write(fd_, data.data(), data.size());
      if (n < 0 && errno != EINTR) error_ = errno;
      if (n > 0) data.remove_prefix(static_cast<size_t>(n));
    }
  }
  absl::Status Keep(const std::string& path) {
    if (error_ == 0 && fsync(fd_) != 0) error_ = errno;
    if (error_ == 0 && rename(part_.c_str(), path.c_str()) != 0) error_ = errno;
    kept_ = error_ == 0;
    return status();
  }

 private:
  std::string part_;
  int fd_ = -1;
  int error_ = 0;
  bool kept_ = false;
};

struct Transfer {
  v1::Checkpoint checkpoint;
  int64_t offset = 0;
  Sha256Stream hash;
  absl::Status local;  // What went wrong here, as opposed to there.
};

grpc::Status ReadStream(Session& session, v1::Fleet::StubInterface* stub, const std::string& id,
                        PartFile* file, Transfer* transfer) {
  const auto context = session.StreamContext();
  v1::DownloadCheckpointRequest request;
  request.set_checkpoint_id(id);
  request.set_offset(transfer->offset);
  const auto reader = stub->DownloadCheckpoint(context.get(), request);
  v1::DownloadCheckpointResponse response;
  while (transfer->local.ok() && reader->Read(&response)) {
    if (response.has_checkpoint()) transfer->checkpoint = response.checkpoint();
    if (!response.has_chunk()) continue;
    const v1::Chunk& chunk = response.chunk();
    if (chunk.offset() != transfer->offset) {
      transfer->local =
          absl::DataLossError(absl::StrCat("checkpoint ", id, ": a chunk for byte ", chunk.offset(),
                                           " came where byte ", transfer->offset, " was due"));
      break;
    }
    file->Write(chunk.data());
    transfer->hash.Update(chunk.data());
    transfer->offset += static_cast<int64_t>(chunk.data().size());
    transfer->local = file->status();
  }
  if (!transfer->local.ok()) context->TryCancel();
  return reader->Finish();
}

}  // namespace

bool IsCheckpointId(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '-');
  if (parts.size() != 3 || parts[0] != "ckpt") return false;
  for (const absl::string_view part : {parts[1], parts[2]}) {
    if (part.empty() || part.size() > 19) return false;
    for (const char c : part) {
      if (c < '0' || c > '9') return false;
    }
  }
  return true;
}

absl::StatusOr<std::string> ResolveCheckpoint(Session& session, const std::string& text) {
  if (IsCheckpointId(text)) return text;
  v1::ListCheckpointsRequest request;
  request.set_trial(text);
  ASSIGN_OR_RETURN(const auto list, session.Call(&ControlStub::ListCheckpoints, request));
  if (list.checkpoints().empty()) {
    return absl::NotFoundError(absl::StrCat("trial ", text, " has no checkpoint"));
  }
  const std::string& id = list.checkpoints(0).checkpoint_id();
  if (!IsCheckpointId(id)) {
    return absl::DataLossError(absl::StrCat("\"", id, "\" is no checkpoint id"));
  }
  return id;
}

absl::StatusOr<v1::Checkpoint> Download(Session& session, const std::string& checkpoint_id,
                                        const std::string& path) {
  ASSIGN_OR_RETURN(v1::Fleet::StubInterface * stub, session.Fleet());
  std::error_code error;
  const auto folder = std::filesystem::absolute(path, error).parent_path();
  std::filesystem::create_directories(folder, error);
  PartFile file(path);
  RETURN_IF_ERROR(file.status());
  Transfer transfer;
  while (true) {
    const grpc::Status status = ReadStream(session, stub, checkpoint_id, &file, &transfer);
    RETURN_IF_ERROR(transfer.local);
    if (status.ok()) break;
    if (status.error_code() != grpc::StatusCode::UNAVAILABLE ||
        !session.WaitForCoordinator(kRetryTime)) {
      return Annotate(session.Explain(status), absl::StrCat("checkpoint ", checkpoint_id));
    }
  }
  const std::string hash = transfer.hash.Finish();
  if (hash != transfer.checkpoint.sha256()) {
    return absl::DataLossError(absl::StrCat("checkpoint ", checkpoint_id,
                                            ": what came has SHA-256 ", hash, ", registered is ",
                                            transfer.checkpoint.sha256(), "; nothing was kept"));
  }
  RETURN_IF_ERROR(file.Keep(path));
  return transfer.checkpoint;
}

absl::StatusOr<std::string> CachedCheckpoint(Session& session, const std::string& checkpoint_id) {
  const char* base = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  const std::string folder = absl::StrCat(
      base != nullptr && *base == '/' ? std::string(base)
                                      : absl::StrCat(home == nullptr ? "/tmp" : home, "/.cache"),
      "/vlmctl/checkpoints");
  // Attempt numbers start again with another coordinator's data, so the hash is part of the name.
  v1::DownloadCheckpointRequest request;
  request.set_checkpoint_id(checkpoint_id);
  ASSIGN_OR_RETURN(v1::Fleet::StubInterface * stub, session.Fleet());
  const auto context = session.UnaryContext();
  const auto reader = stub->DownloadCheckpoint(context.get(), request);
  v1::DownloadCheckpointResponse first;
  const bool read = reader->Read(&first);
  context->TryCancel();
  const grpc::Status status = reader->Finish();
  if (!read || !first.has_checkpoint()) {
    return Annotate(session.Explain(status), absl::StrCat("checkpoint ", checkpoint_id));
  }
  const std::string& hash = first.checkpoint().sha256();
  if (hash.size() != 64 || hash.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return absl::DataLossError(absl::StrCat("checkpoint ", checkpoint_id, " has no usable hash"));
  }
  const std::string path =
      absl::StrCat(folder, "/", checkpoint_id, "-", hash.substr(0, 16), ".safetensors");
  const auto cached = Sha256File(path);
  if (cached.ok() && *cached == hash) return path;
  session.Note(absl::StrCat("fetching ", checkpoint_id, " (",
                            HumanBytes(first.checkpoint().size_bytes()), ")"));
  RETURN_IF_ERROR(Download(session, checkpoint_id, path).status());
  return path;
}

}  // namespace vlm::client
