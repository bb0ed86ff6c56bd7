// Distributed data parallel training over c10d's Reducer, driven as torch.nn.parallel's
// DistributedDataParallel drives it: gradients are views of buckets, a bucket is all-reduced (mean)
// as soon as its gradients are there, while backward goes on.
//
// A step:  PrepareForward(sync); loss = ...; PrepareBackward(sync); loss.backward();
// with sync = false for all micro-batches of an accumulated step but the last one.
//
// Threading: the training thread. Errors: backward() and PrepareForward throw what c10d throws when
// a peer is gone. Order of destruction: this, then the ProcessGroup.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "torch/torch.h"
#include "worker/trainer/parallel/process_group.h"

namespace vlm::trainer {

class DataParallel {
 public:
  // Checks that all ranks have the same parameters and copies rank 0's values to the others.
  static absl::StatusOr<std::unique_ptr<DataParallel>> Create(
      ProcessGroup* group, const std::vector<std::pair<std::string, torch::Tensor>>& parameters);
  ~DataParallel();

  void PrepareForward(bool sync);
  void PrepareBackward(bool sync);

  // Part of the last synchronised backward that only communication took: from the launch of the
  // last bucket (all gradients are computed then) to `backward_end`.
  std::chrono::nanoseconds ExposedCommunication(
      std::chrono::steady_clock::time_point backward_end) const;
  // Times that the buckets were laid out again in gradient order; 1 from the second step on.
  int rebuilds() const { return rebuilds_; }

 private:
  struct Parts;
  explicit DataParallel(std::unique_ptr<Parts> parts);

  std::unique_ptr<Parts> parts_;
  int rebuilds_ = 0;
};

}  // namespace vlm::trainer
