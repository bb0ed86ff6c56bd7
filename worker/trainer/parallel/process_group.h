// The ranks of one attempt as a c10d process group: Gloo on CPUs, NCCL (from the CUDA plugin) on
// GPUs, found through a TCP store that rank 0 serves.
//
// Threading: one thread per object, the training thread. Every rank must call the collectives in
// the same order. Errors: c10d throws; each function here returns UNAVAILABLE with the peer's
// failure ("Connection closed by peer" within some 10 ms of a peer's death) or DEADLINE_EXCEEDED
// when nothing was heard for `timeout`. After an error the group is of no use any more.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "torch/torch.h"

namespace c10d {
class ProcessGroup;
class Store;
class Backend;
}  // namespace c10d

namespace vlm::trainer {

struct GroupOptions {
  int rank = 0;
  int world_size = 1;
  std::string host;  // Of rank 0's store.
  int port = 0;
  std::optional<int> listen_fd;  // Rank 0: a bound and listening socket, taken over by the store.
  torch::Device device = torch::kCPU;
  bool nccl = false;  // Needs the CUDA plugin; otherwise Gloo.
  std::chrono::milliseconds timeout = std::chrono::minutes(10);      // Of one collective.
  std::chrono::milliseconds join_timeout = std::chrono::minutes(2);  // For all ranks to show up.
};

class ProcessGroup {
 public:
  // Returns when every rank is there.
  static absl::StatusOr<std::unique_ptr<ProcessGroup>> Create(const GroupOptions& options);
  ~ProcessGroup();
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;

  int rank() const { return options_.rank; }
  int size() const { return options_.world_size; }

  // Sums `tensor` over the ranks, in place.
  absl::Status AllReduceSum(torch::Tensor tensor);
  // Copies rank 0's `tensor` to every rank, in place.
  absl::Status Broadcast(torch::Tensor tensor);
  absl::Status Barrier();

  // c10d's own object, for the Reducer.
  c10::intrusive_ptr<c10d::ProcessGroup> handle() const;

 private:
  struct Parts;
  ProcessGroup(GroupOptions options, std::unique_ptr<Parts> parts);

  GroupOptions options_;
  std::unique_ptr<Parts> parts_;
};

// What an exception of c10d or Gloo means; `what` names the operation.
absl::Status GroupError(const std::exception& error, const std::string& what);

}  // namespace vlm::trainer
