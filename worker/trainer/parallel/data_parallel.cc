#include "worker/trainer/parallel/data_parallel.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <unordered_map>
#include <utility>

#include "torch/csrc/distributed/c10d/comm.hpp"
#include "torch/csrc/distributed/c10d/logger.hpp"
#include "torch/csrc/distributed/c10d/reducer.hpp"

namespace vlm::trainer {
namespace {

using Clock = std::chrono::steady_clock;

// Mean over the ranks, as the Reducer's own hook, plus the time at which each bucket set off.
class TimedAllReduce : public c10d::CppCommHookInterface<c10::intrusive_ptr<c10d::ProcessGroup>> {
 public:
  TimedAllReduce(c10::intrusive_ptr<c10d::ProcessGroup> group,
                 std::shared_ptr<std::atomic<int64_t>> last_launch_ns)
      : CppCommHookInterface(std::move(group)), last_launch_ns_(std::move(last_launch_ns)) {}

  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket& bucket) override {
    std::vector<at::Tensor> buffer{bucket.getBufferRef()};
    buffer[0].div_(state_->getSize());
    last_launch_ns_->store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
    return state_->allreduce(buffer)->getFuture();
  }

 private:
  std::shared_ptr<std::atomic<int64_t>> last_launch_ns_;
};

// LibTorch 2.13 and 2.15 differ in what follows use_python_reducer; a template, so that only the
// branch that exists is compiled.
template <typename R, typename... Args>
std::shared_ptr<R> MakeReducer(Args&&... args) {
  if constexpr (requires { R(args..., false, std::vector<int64_t>{}); }) {
    return std::make_shared<R>(std::forward<Args>(args)..., false, std::vector<int64_t>{});
  } else {
    return std::make_shared<R>(std::forward<Args>(args)..., false);
  }
}

constexpr size_t kBroadcastBytes = 250u << 20;

}  // namespace

struct DataParallel::Parts {
  std::shared_ptr<c10d::Reducer> reducer;
  std::shared_ptr<c10d::Logger> logger;  // The Reducer wants one for its error messages.
  std::shared_ptr<std::atomic<int64_t>> last_launch_ns = std::make_shared<std::atomic<int64_t>>(0);
};

absl::StatusOr<std::unique_ptr<DataParallel>> DataParallel::Create(
    ProcessGroup* group, const std::vector<std::pair<std::string, torch::Tensor>>& parameters) {
  try {
    std::vector<at::Tensor> tensors;
    std::vector<at::Tensor> detached;
    std::unordered_map<size_t, std::string> names;
    for (const auto& [name, tensor] : parameters) {
      names[tensors.size()] = name;
      tensors.push_back(tensor);
      detached.push_back(tensor.detach());
    }
    c10d::verify_params_across_processes(group->handle(), tensors, std::nullopt);
    c10d::broadcast_coalesced(group->handle(), detached, kBroadcastBytes, 0);
    const std::vector<bool> sparse(tensors.size(), false);
    // One bucket to begin with: the first backward shows the order in which gradients appear, and
    // rebuild_buckets() then makes buckets of 1 and 25 MiB in that order.
    auto buckets = std::get<0>(c10d::compute_bucket_assignment_by_size(
        tensors, {std::numeric_limits<size_t>::max()}, sparse));
    std::reverse(buckets.begin(), buckets.end());
    auto parts = std::make_unique<Parts>();
    parts->reducer = MakeReducer<c10d::Reducer>(
        tensors, buckets, group->handle(), sparse,
        static_cast<int64_t>(c10d::kDefaultBucketBytesCap), /*find_unused_parameters=*/false,
        /*gradient_as_bucket_view=*/true, names,
        static_cast<int64_t>(c10d::kDefaultFirstBucketBytes),
        /*skip_all_reduce_unused_params=*/false);
    parts->logger = std::make_shared<c10d::Logger>(parts->reducer);
    parts->reducer->set_logger(parts->logger);
    parts->reducer->register_comm_hook(
        std::make_unique<TimedAllReduce>(group->handle(), parts->last_launch_ns));
    return std::unique_ptr<DataParallel>(new DataParallel(std::move(parts)));
  } catch (const std::exception& error) {
    return GroupError(error, "setting up data parallel training");
  }
}

DataParallel::DataParallel(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
DataParallel::~DataParallel() = default;

void DataParallel::PrepareForward(bool sync) {
  if (!sync) return;
  parts_->reducer->prepare_for_forward();
  if (parts_->reducer->rebuild_buckets()) ++rebuilds_;
}

void DataParallel::PrepareBackward(bool sync) {
  if (sync) parts_->reducer->prepare_for_backward({});
}

std::chrono::nanoseconds DataParallel::ExposedCommunication(Clock::time_point backward_end) const {
  const Clock::time_point launch{Clock::duration(parts_->last_launch_ns->load())};
  return std::max(Clock::duration::zero(), backward_end - launch);
}

}  // namespace vlm::trainer
