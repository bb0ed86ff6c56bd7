// What the ranks tell each other at the end of every step, in one small all-reduce: the loss, and
// whether anybody was told to stop or wants a checkpoint, so that all ranks do so at the same step.
#pragma once

#include "absl/status/statusor.h"
#include "vlm/v1/trainer.pb.h"
#include "worker/trainer/loop/setup.h"

namespace vlm::trainer {

struct Agreement {
  double loss = 0;  // Mean over the global batch.
  v1::Command::Action action = v1::Command::ACTION_UNSPECIFIED;
  bool checkpoint = false;  // Some rank's clock says one is due.
};

// `mine` of this rank in, that of all out. Of several orders STOP wins over PRUNE over PREEMPT.
absl::StatusOr<Agreement> Agree(const Agreement& mine, Training* training);

}  // namespace vlm::trainer
