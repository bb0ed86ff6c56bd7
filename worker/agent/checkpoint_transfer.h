// Checkpoints to and from the coordinator, which keeps the copy that another worker can go on from.
//
// Uploads run one after the other on a thread of their own. Each is tried again while the
// coordinator is away or its disk is full, sent again from the start when it arrived damaged, and
// given up when the attempt's lease is lost or the file is gone (the trainer keeps the newest few
// only). Downloads run on the caller's thread. Methods are thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "vlm/v1/fleet.grpc.pb.h"
#include "worker/agent/connection.h"

namespace vlm::agent {

class CheckpointTransfer {
 public:
  CheckpointTransfer(Connection* connection, std::string worker_id);
  ~CheckpointTransfer();

  // Queues a file (uri file:///...) of an attempt.
  void Upload(const v1::Checkpoint& checkpoint, int32_t epoch);
  // Waits until nothing of the attempt is queued. After `timeout`, counted only while the
  // coordinator is there, the rest is given up and returned. `cancelled` is polled.
  std::vector<v1::Checkpoint> WaitUploaded(int64_t attempt_id, absl::Duration timeout,
                                           const std::function<bool()>& cancelled);
  // Forgets what is queued for the attempt.
  void Cancel(int64_t attempt_id);

  // Fetches a checkpoint into `path` and verifies its hash. NOT_FOUND, DATA_LOSS: it cannot be had
  // from the coordinator. RESOURCE_EXHAUSTED: no space here. UNAVAILABLE: the coordinator was away
  // for all of `timeout`. CANCELLED.
  absl::Status Download(const v1::Checkpoint& checkpoint, const std::string& path,
                        absl::Duration timeout, const std::function<bool()>& cancelled);

 private:
  struct Job {
    v1::Checkpoint checkpoint;
    int32_t epoch = 0;
    int damaged = 0;  // How often it did not arrive whole.
  };
  void Run();
  void Settle(const Job& job, const absl::Status& status);
  absl::Status Send(const std::shared_ptr<grpc::Channel>& channel, const Job& job);
  absl::Status Fetch(const std::shared_ptr<grpc::Channel>& channel,
                     const v1::Checkpoint& checkpoint, const std::string& path);
  bool HasJobs(int64_t attempt_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Connection* const connection_;
  const std::string worker_id_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Job> jobs_ ABSL_GUARDED_BY(mutex_);  // The first is at work.
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::thread thread_;
};

// Path of a file:/// URI. INVALID_ARGUMENT: of another kind.
absl::StatusOr<std::string> PathOfUri(const std::string& uri);

}  // namespace vlm::agent
