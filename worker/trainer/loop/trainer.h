// One rank's training, from set-up to outcome. Not thread-safe: everything happens on the calling
// thread, which must be the process's only user of LibTorch. Owner: agent mode or standalone mode.
#pragma once

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "worker/trainer/checkpoint/keeper.h"
#include "worker/trainer/loop/agreement.h"
#include "worker/trainer/loop/images.h"
#include "worker/trainer/loop/job.h"
#include "worker/trainer/loop/observer.h"
#include "worker/trainer/loop/setup.h"
#include "worker/trainer/profile/phases.h"
#include "worker/trainer/profile/profiler.h"

namespace vlm::trainer {

class Trainer {
 public:
  // `observer` must outlive this.
  Trainer(Job job, Observer* observer);

  // Never throws and never fails: whatever happens is an outcome. The value of SUCCEEDED is the
  // metric of the last validation, which is that of the final weights.
  v1::Outcome Run();

 private:
  absl::StatusOr<v1::Outcome> Train();
  absl::StatusOr<Agreement> Step(PhaseClock* clock, StepRecord* record);
  absl::StatusOr<DeviceBatch> NextBatch(PhaseClock* clock, StepRecord* record);
  // Mean loss of this rank's part, its gradients summed up and averaged over the ranks.
  double ForwardBackward(const DeviceBatch& input, PhaseClock* clock);
  void Optimize(StepRecord* record);
  absl::Status ValidateIfDue(StepRecord* record);
  // NOT_FOUND etc. of the disk are returned; the others' errors are noted and the training goes on.
  absl::Status SaveCheckpointNow();
  absl::Status SaveIfDue(const Agreement& agreed);
  absl::StatusOr<v1::Outcome> Interrupted(v1::Command::Action action);
  absl::StatusOr<v1::Outcome> Succeeded();
  PhaseClock::Clock::time_point Lap(PhaseClock* clock, Phase phase);
  bool last_step() const { return training_->step == training_->total_steps; }

  const Job job_;
  Observer* const observer_;
  std::unique_ptr<Training> training_;
  std::unique_ptr<CheckpointKeeper> keeper_;
  std::unique_ptr<StepProfiler> profiler_;
  int64_t saved_step_ = -1;  // Of the newest checkpoint of this process.
};

}  // namespace vlm::trainer
