// One optimizer step: batch, forward, loss, backward with all-reduce, update.
#include <utility>

#include "common/status.h"
#include "worker/trainer/cuda/plugin.h"
#include "worker/trainer/loop/trainer.h"
#include "worker/trainer/optim/clip.h"
#include "worker/trainer/optim/schedule.h"
#include "worker/trainer/profile/scope.h"

namespace vlm::trainer {

// On a GPU the clock would otherwise see when work was queued, not when it was done.
PhaseClock::Clock::time_point Trainer::Lap(PhaseClock* clock, Phase phase) {
  CudaPlugin::Get().Synchronize(training_->device);
  return clock->Lap(phase);
}

absl::StatusOr<Agreement> Trainer::Step(PhaseClock* clock, StepRecord* record) {
  ASSIGN_OR_RETURN(const DeviceBatch input, NextBatch(clock, record));
  Agreement mine;
  mine.loss = ForwardBackward(input, clock);
  mine.action = observer_->Pending();
  mine.checkpoint = training_->rank == 0 && keeper_->DueByTime(CheckpointKeeper::Clock::now());
  ASSIGN_OR_RETURN(const Agreement agreed, Agree(mine, training_.get()));
  // Alone there is nobody to agree with; what is left is the release of the graph.
  Lap(clock, training_->group ? Phase::kAllreduce : Phase::kBackward);
  record->loss = agreed.loss;
  Optimize(record);
  Lap(clock, Phase::kOptimizer);
  return agreed;
}

absl::StatusOr<DeviceBatch> Trainer::NextBatch(PhaseClock* clock, StepRecord* record) {
  Training& t = *training_;
  const Scope scope(t.config.num_workers() == 0
                        ? "enumerate(DataLoader)#_SingleProcessDataLoaderIter.__next__"
                        : "enumerate(DataLoader)#_MultiProcessingDataLoaderIter.__next__");
  ASSIGN_OR_RETURN(data::Batch batch, t.batches->Next());
  clock->Lap(Phase::kDataWait);
  record->global_samples = t.config.batch_size();
  record->global_tokens = t.config.batch_size() * batch.length;
  DeviceBatch input = ToDevice(batch, t.dataset->img_size(), t.device, t.config.pin_memory());
  Lap(clock, Phase::kCopy);
  t.batches->Recycle(std::move(batch));
  return input;
}

double Trainer::ForwardBackward(const DeviceBatch& input, PhaseClock* clock) {
  Training& t = *training_;
  {
    const Scope scope("Optimizer.zero_grad#AdamW.zero_grad");
    t.optimizer->ZeroGrad();
  }
  const int64_t size = input.tokens.size(0);
  const int64_t pieces =
      std::min(std::max<int64_t>(1, t.config.optimizer().accumulation_steps()), size);
  at::Tensor total;
  for (int64_t piece = 0; piece < pieces; ++piece) {
    const int64_t begin = size * piece / pieces;
    const int64_t end = size * (piece + 1) / pieces;
    const bool sync = piece == pieces - 1;  // Gradients travel once per step.
    at::Tensor loss;
    {
      const Scope scope(t.parallel ? "DistributedDataParallel.forward" : "vlm::forward");
      if (t.parallel) t.parallel->PrepareForward(sync);
      const AutocastGuard autocast(t.precision, t.device.type());
      loss = t.model->Loss(input.images.slice(0, begin, end), input.tokens.slice(0, begin, end),
                           input.targets.slice(0, begin, end));
      // A piece counts by its rows, so that the sum is the mean over the whole batch.
      if (pieces > 1) loss = loss * (static_cast<double>(end - begin) / static_cast<double>(size));
      if (t.parallel) t.parallel->PrepareBackward(sync);
    }
    total = total.defined() ? total + loss.detach() : loss.detach();
    Lap(clock, Phase::kForward);
    const Scope scope("vlm::backward");
    t.scaler->Scale(loss).backward();
    const auto backward_end = Lap(clock, Phase::kBackward);
    if (t.parallel && sync) {
      clock->Move(Phase::kBackward, Phase::kAllreduce,
                  t.parallel->ExposedCommunication(backward_end));
    }
  }
  return total.item<double>();
}

void Trainer::Optimize(StepRecord* record) {
  Training& t = *training_;
  const Scope scope("Optimizer.step#AdamW.step");
  record->lr = LearningRate(t.config.optimizer(), t.config.learning_rate(), t.step, t.total_steps);
  t.scaler->Unscale(t.parameters);
  record->grad_norm = ClipGradNorm(t.parameters, t.config.optimizer().grad_clip());
  t.optimizer->Step(record->lr, t.scaler->found_inf());
  t.scaler->Update();
}

}  // namespace vlm::trainer
