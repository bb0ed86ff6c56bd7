#include "worker/trainer/loop/state.h"

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace vlm::trainer {
namespace {

at::Generator DefaultGenerator(const torch::Device& device) {
  return at::globalContext().defaultGenerator(device);
}

std::string RngName(const torch::Device& device, int rank) {
  return absl::StrCat("rng.", device.is_cuda() ? "cuda" : "cpu", ".", rank);
}

// One generator's state of every rank, as rows of a [world, bytes] tensor: each rank fills its own
// row, and the sum is all of them.
absl::Status GatherGenerator(const torch::Device& device, Training* training,
                             NamedTensors* tensors) {
  const at::Tensor own = DefaultGenerator(device).get_state();
  if (training->world_size == 1) {
    tensors->emplace_back(RngName(device, 0), own);
    return absl::OkStatus();
  }
  at::Tensor all = torch::zeros({training->world_size, own.numel()}, torch::kInt32);
  all[training->rank].copy_(own);
  all = all.to(training->device);
  RETURN_IF_ERROR(training->group->AllReduceSum(all));
  all = all.to(torch::kCPU).to(torch::kUInt8);
  for (int rank = 0; rank < training->world_size; ++rank) {
    tensors->emplace_back(RngName(device, rank), all[rank].clone());
  }
  return absl::OkStatus();
}

absl::Status RestoreGenerator(const LoadedCheckpoint& checkpoint, const torch::Device& device,
                              const Training& training) {
  const absl::StatusOr<at::Tensor> state =
      FindTensor(checkpoint.rest, RngName(device, training.rank));
  // A file of a CPU run holds no state of a GPU's generator.
  if (!state.ok()) return absl::OkStatus();
  const at::Tensor current = DefaultGenerator(device).get_state();
  if (state->scalar_type() != current.scalar_type() || state->sizes() != current.sizes()) {
    return absl::InvalidArgumentError(
        absl::StrCat(RngName(device, training.rank), " is no state of this LibTorch's generator"));
  }
  DefaultGenerator(device).set_state(state->clone());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<NamedTensors> CollectState(Training* training) {
  NamedTensors tensors = training->model->StateDict();
  for (const auto& part : {training->optimizer->State(), training->scaler->State()}) {
    tensors.insert(tensors.end(), part.begin(), part.end());
  }
  RETURN_IF_ERROR(GatherGenerator(torch::kCPU, training, &tensors));
  if (training->device.is_cuda()) {
    RETURN_IF_ERROR(GatherGenerator(training->device, training, &tensors));
  }
  return tensors;
}

CheckpointInfo DescribeState(const Training& training) {
  CheckpointInfo info;
  info.step = training.step;
  info.config = training.config;
  info.model_vocab_size = training.dataset->model_vocab_size();
  info.vocabulary = training.dataset->vocabulary().ToJson();
  info.world_size = training.world_size;
  info.value = training.value;
  info.train_loss_sum = training.train_loss_sum;
  info.train_loss_count = training.train_loss_count;
  return info;
}

absl::Status RestoreState(const LoadedCheckpoint& checkpoint, Training* training) {
  RETURN_IF_ERROR(training->model->LoadStateDict(checkpoint.model));
  RETURN_IF_ERROR(training->optimizer->Load(checkpoint.rest));
  RETURN_IF_ERROR(training->scaler->Load(checkpoint.rest));
  if (checkpoint.info.world_size == training->world_size) {
    RETURN_IF_ERROR(RestoreGenerator(checkpoint, torch::kCPU, *training));
    if (training->device.is_cuda()) {
      RETURN_IF_ERROR(RestoreGenerator(checkpoint, training->device, *training));
    }
  }
  training->step = checkpoint.info.step;
  training->value = checkpoint.info.value;
  training->train_loss_sum = checkpoint.info.train_loss_sum;
  training->train_loss_count = checkpoint.info.train_loss_count;
  return absl::OkStatus();
}

}  // namespace vlm::trainer
