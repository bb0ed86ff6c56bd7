#include "worker/agent/checkpoint_transfer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/channel.h"
#include "common/clock.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/status.h"

namespace vlm::agent {
namespace {

constexpr size_t kChunkBytes = 1 << 20;
constexpr size_t kQueuedPerAttempt = 2;  // Newer ones make the older ones pointless.
constexpr int kDamagedTries = 3;
constexpr absl::Duration kRetryAfter = absl::Seconds(1);

}  // namespace

absl::StatusOr<std::string> PathOfUri(const std::string& uri) {
  if (!absl::StartsWith(uri, "file:///")) {
    return absl::InvalidArgumentError(absl::StrCat("\"", uri, "\" is no file:/// URI"));
  }
  return uri.substr(7);
}

CheckpointTransfer::CheckpointTransfer(Connection* connection, std::string worker_id)
    : connection_(connection), worker_id_(std::move(worker_id)) {
  thread_ = std::thread([this] { Run(); });
}

CheckpointTransfer::~CheckpointTransfer() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
    if (context_ != nullptr) context_->TryCancel();
    changed_.NotifyAll();
  }
  thread_.join();
}

void CheckpointTransfer::Upload(const v1::Checkpoint& checkpoint, int32_t epoch) {
  MutexLock lock(mutex_);
  jobs_.push_back({checkpoint, epoch, 0});
  // The first job may be at work and stays.
  size_t queued = 0;
  for (size_t i = jobs_.size(); i-- > 1;) {
    if (jobs_[i].checkpoint.attempt_id() != checkpoint.attempt_id()) continue;
    if (++queued > kQueuedPerAttempt) jobs_.erase(jobs_.begin() + static_cast<int64_t>(i));
  }
  changed_.NotifyAll();
}

bool CheckpointTransfer::HasJobs(int64_t attempt_id) const {
  return std::any_of(jobs_.begin(), jobs_.end(), [attempt_id](const Job& job) {
    return job.checkpoint.attempt_id() == attempt_id;
  });
}

std::vector<v1::Checkpoint> CheckpointTransfer::WaitUploaded(
    int64_t attempt_id, absl::Duration timeout, const std::function<bool()>& cancelled) {
  absl::Duration left = timeout;
  absl::Duration last = RealClock().Monotonic();
  while (left > absl::ZeroDuration() && !cancelled()) {
    MutexLock lock(mutex_);
    if (!HasJobs(attempt_id) || stop_) return {};
    changed_.WaitFor(mutex_, absl::Milliseconds(100));
    const absl::Duration now = RealClock().Monotonic();
    if (connection_->up()) left -= now - last;
    last = now;
  }
  std::vector<v1::Checkpoint> given_up;
  {
    MutexLock lock(mutex_);
    for (const Job& job : jobs_) {
      if (job.checkpoint.attempt_id() == attempt_id) given_up.push_back(job.checkpoint);
    }
  }
  Cancel(attempt_id);
  return given_up;
}

void CheckpointTransfer::Cancel(int64_t attempt_id) {
  MutexLock lock(mutex_);
  if (!jobs_.empty() && jobs_.front().checkpoint.attempt_id() == attempt_id &&
      context_ != nullptr) {
    context_->TryCancel();
  }
  jobs_.erase(std::remove_if(jobs_.begin(), jobs_.end(),
                             [attempt_id](const Job& job) {
                               return job.checkpoint.attempt_id() == attempt_id;
                             }),
              jobs_.end());
  changed_.NotifyAll();
}

void CheckpointTransfer::Run() {
  while (true) {
    Job job;
    {
      MutexLock lock(mutex_);
      while (jobs_.empty() && !stop_) changed_.Wait(mutex_);
      if (stop_) return;
      job = jobs_.front();
    }
    const std::shared_ptr<grpc::Channel> channel = connection_->Wait(absl::Seconds(1));
    if (channel != nullptr) Settle(job, Send(channel, job));
  }
}

// Whether the job is over, or is tried again.
void CheckpointTransfer::Settle(const Job& job, const absl::Status& status) {
  const std::string& id = job.checkpoint.checkpoint_id();
  MutexLock lock(mutex_);
  const bool current = !jobs_.empty() && jobs_.front().checkpoint.checkpoint_id() == id;
  if (!current) return;  // Cancelled meanwhile.
  bool again = absl::IsUnavailable(status) || absl::IsResourceExhausted(status) ||
               absl::IsDeadlineExceeded(status) || absl::IsCancelled(status) ||
               absl::IsAborted(status);
  if (absl::IsDataLoss(status)) again = ++jobs_.front().damaged < kDamagedTries;
  if (status.ok()) {
    VLM_LOG_DEBUG("checkpoint uploaded", {{"checkpoint", id}});
  } else if (again) {
    VLM_LOG_WARNING("a checkpoint is not uploaded yet",
                    {{"checkpoint", id}, {"error", status.message()}});
    changed_.WaitFor(mutex_, kRetryAfter);
  } else {
    VLM_LOG_WARNING("a checkpoint is given up", {{"checkpoint", id}, {"error", status.message()}});
  }
  if (!again && !jobs_.empty() && jobs_.front().checkpoint.checkpoint_id() == id) {
    jobs_.pop_front();
  }
  changed_.NotifyAll();
}

absl::Status CheckpointTransfer::Send(const std::shared_ptr<grpc::Channel>& channel,
                                      const Job& job) {
  ASSIGN_OR_RETURN(const std::string path, PathOfUri(job.checkpoint.uri()));
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError(absl::StrCat(path, " cannot be opened"));
  grpc::ClientContext context;
  {
    MutexLock lock(mutex_);
    if (stop_) return absl::CancelledError("the agent stops");
    context_ = &context;
  }
  const auto forget = absl::MakeCleanup([this] {
    MutexLock lock(mutex_);
    context_ = nullptr;
  });
  v1::UploadCheckpointResponse response;
  const auto stub = v1::Fleet::NewStub(channel);
  const auto writer = stub->UploadCheckpoint(&context, &response);
  v1::UploadCheckpointRequest request;
  request.mutable_header()->set_worker_id(worker_id_);
  request.mutable_header()->set_epoch(job.epoch);
  *request.mutable_header()->mutable_checkpoint() = job.checkpoint;
  bool open = writer->Write(request);
  int64_t offset = 0;
  std::string buffer(kChunkBytes, '\0');
  while (open && file) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    if (file.gcount() == 0) break;
    request.mutable_chunk()->set_offset(offset);
    request.mutable_chunk()->set_data(buffer.data(), static_cast<size_t>(file.gcount()));
    offset += file.gcount();
    open = writer->Write(request);
  }
  writer->WritesDone();
  return FromGrpc(writer->Finish());
}

absl::Status CheckpointTransfer::Download(const v1::Checkpoint& checkpoint, const std::string& path,
                                          absl::Duration timeout,
                                          const std::function<bool()>& cancelled) {
  const absl::Duration end = RealClock().Monotonic() + timeout;
  absl::Status status = absl::UnavailableError("the coordinator is away");
  while (RealClock().Monotonic() < end) {
    if (cancelled()) return absl::CancelledError("the attempt is over");
    const std::shared_ptr<grpc::Channel> channel = connection_->Wait(absl::Milliseconds(200));
    if (channel == nullptr) continue;
    status = Fetch(channel, checkpoint, path);
    if (!absl::IsUnavailable(status)) return status;
  }
  return status;
}

absl::Status CheckpointTransfer::Fetch(const std::shared_ptr<grpc::Channel>& channel,
                                       const v1::Checkpoint& checkpoint, const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (fd < 0) return absl::ResourceExhaustedError(absl::StrCat(path, ": ", std::strerror(errno)));
  const auto closer = absl::MakeCleanup([fd] { close(fd); });
  grpc::ClientContext context;
  v1::DownloadCheckpointRequest request;
  request.set_checkpoint_id(checkpoint.checkpoint_id());
  const auto stub = v1::Fleet::NewStub(channel);
  const auto reader = stub->DownloadCheckpoint(&context, request);
  v1::DownloadCheckpointResponse response;
  Sha256Stream hash;
  while (reader->Read(&response)) {
    if (!response.has_chunk()) continue;
    const std::string& data = response.chunk().data();
    hash.Update(data);
    if (write(fd, data.data(), data.size()) != static_cast<ssize_t>(data.size())) {
      context.TryCancel();
      (void)reader->Finish();
      return absl::ResourceExhaustedError(absl::StrCat(path, ": ", std::strerror(errno)));
    }
  }
  RETURN_IF_ERROR(FromGrpc(reader->Finish()));
  const std::string got = hash.Finish();
  if (got == checkpoint.sha256()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("checkpoint ", checkpoint.checkpoint_id(),
                                          " arrived with hash ", got, ", not ",
                                          checkpoint.sha256()));
}

}  // namespace vlm::agent
