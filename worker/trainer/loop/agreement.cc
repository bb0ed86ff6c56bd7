#include "worker/trainer/loop/agreement.h"

#include "common/status.h"

namespace vlm::trainer {

absl::StatusOr<Agreement> Agree(const Agreement& mine, Training* training) {
  if (training->group == nullptr) return mine;
  const auto flag = [&](v1::Command::Action action) { return mine.action == action ? 1.0 : 0.0; };
  const at::Tensor all =
      torch::tensor({mine.loss / training->world_size, flag(v1::Command::ACTION_STOP),
                     flag(v1::Command::ACTION_PRUNE), flag(v1::Command::ACTION_PREEMPT),
                     mine.checkpoint ? 1.0 : 0.0},
                    torch::kFloat64)
          .to(training->device);
  RETURN_IF_ERROR(training->group->AllReduceSum(all));
  const at::Tensor cpu = all.to(torch::kCPU);
  const double* sums = cpu.const_data_ptr<double>();
  Agreement agreed;
  agreed.loss = sums[0];
  if (sums[1] > 0) {
    agreed.action = v1::Command::ACTION_STOP;
  } else if (sums[2] > 0) {
    agreed.action = v1::Command::ACTION_PRUNE;
  } else if (sums[3] > 0) {
    agreed.action = v1::Command::ACTION_PREEMPT;
  }
  agreed.checkpoint = sums[4] > 0;
  return agreed;
}

}  // namespace vlm::trainer
