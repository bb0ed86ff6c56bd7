#include "worker/trainer/loop/trainer.h"

#include <cmath>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "worker/trainer/cuda/plugin.h"
#include "worker/trainer/loop/failure.h"
#include "worker/trainer/loop/state.h"
#include "worker/trainer/loop/validation.h"

namespace vlm::trainer {
namespace {

ProfilerContext ContextOf(const Job& job, const Training& training) {
  ProfilerContext context;
  context.folder = job.launch.work_dir();
  context.worker_name =
      absl::StrCat(job.launch.worker_name().empty() ? "local" : job.launch.worker_name(), "_rank",
                   training.rank);
  context.attempt_id = job.launch.attempt_id();
  context.rank = training.rank;
  context.world_size = training.world_size;
  context.backend = training.device.is_cuda() ? "nccl" : "gloo";
  context.cuda = training.device.is_cuda();
  return context;
}

v1::Outcome Ended(v1::AttemptState state, std::string reason) {
  v1::Outcome outcome;
  outcome.set_state(state);
  outcome.set_reason(std::move(reason));
  return outcome;
}

}  // namespace

Trainer::Trainer(Job job, Observer* observer) : job_(std::move(job)), observer_(observer) {}

v1::Outcome Trainer::Run() {
  const bool distributed = job_.launch.world_size() > 1;
  v1::Outcome outcome;
  try {
    const absl::StatusOr<v1::Outcome> ended = Train();
    outcome = ended.ok() ? *ended : OutcomeOf(ended.status());
  } catch (const std::exception& error) {
    outcome = OutcomeOf(error, distributed);
  }
  try {
    profiler_.reset();
    training_.reset();
  } catch (const std::exception& error) {
    observer_->OnNote(absl::StrCat("taking the training down: ", error.what()));
  }
  return outcome;
}

absl::StatusOr<v1::Outcome> Trainer::Train() {
  std::error_code error;
  std::filesystem::create_directories(job_.launch.work_dir(), error);
  if (error) {
    return absl::ResourceExhaustedError(
        absl::StrCat(job_.launch.work_dir(), ": cannot be made: ", error.message()));
  }
  ASSIGN_OR_RETURN(training_, SetUp(job_, observer_));
  Training& t = *training_;
  keeper_ =
      std::make_unique<CheckpointKeeper>(t.config.checkpoint(), CheckpointKeeper::Clock::now());
  profiler_ = std::make_unique<StepProfiler>(t.config.profiler(), ContextOf(job_, t));
  observer_->OnStart(t.step, t.total_steps, t.dataset->skipped_rows(), t.dataset->cut_captions());
  PhaseClock::Clock::time_point boundary = PhaseClock::Clock::now();
  while (t.step < t.total_steps) {
    PhaseClock clock(boundary);
    profiler_->BeginStep(t.step + 1);
    clock.Lap(Phase::kOther);
    StepRecord record;
    record.total = t.total_steps;
    ASSIGN_OR_RETURN(const Agreement agreed, Step(&clock, &record));
    record.step = ++t.step;
    if (std::isfinite(record.loss)) RETURN_IF_ERROR(ValidateIfDue(&record));
    Lap(&clock, Phase::kValidation);
    const bool diverged = !std::isfinite(record.loss) || !std::isfinite(record.metric.value_or(0));
    if (!diverged) RETURN_IF_ERROR(SaveIfDue(agreed));
    boundary = clock.Lap(Phase::kCheckpoint);
    record.phases = clock.Summary(t.step, record.global_samples / t.world_size,
                                  record.global_tokens / t.world_size);
    record.phases.set_peak_device_bytes(CudaPlugin::Get().PeakBytes(t.device));
    const auto profile = profiler_->EndStep(record.phases);
    if (profile.has_value()) observer_->OnProfile(*profile);
    observer_->OnStep(record);
    if (diverged) return Diverged(t.step, record.loss, record.lr);
    // The order that all ranks agreed on; a single rank also takes one that came since.
    const v1::Command::Action action = t.group != nullptr ? agreed.action : observer_->Pending();
    if (action != v1::Command::ACTION_UNSPECIFIED && !last_step()) return Interrupted(action);
  }
  return Succeeded();
}

absl::Status Trainer::ValidateIfDue(StepRecord* record) {
  Training& t = *training_;
  t.train_loss_sum += record->loss;
  ++t.train_loss_count;
  if (t.step % t.config.eval_interval() != 0 && !last_step()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const double val_loss, Validate(&t));
  record->val_loss = val_loss;
  record->metric = t.config.metric() == "train_loss"
                       ? t.train_loss_sum / static_cast<double>(t.train_loss_count)
                       : val_loss;
  t.value = record->metric;
  t.train_loss_sum = 0;
  t.train_loss_count = 0;
  return absl::OkStatus();
}

absl::Status Trainer::SaveIfDue(const Agreement& agreed) {
  if (last_step() || !(keeper_->DueBySteps(training_->step) || agreed.checkpoint)) {
    return absl::OkStatus();
  }
  const absl::Status saved = SaveCheckpointNow();
  // A training without a checkpoint is worth more than none; without its peers it is not.
  if (saved.ok() || absl::IsUnavailable(saved) || absl::IsDeadlineExceeded(saved)) return saved;
  observer_->OnNote(
      absl::StrCat("checkpoint at step ", training_->step, " was not written: ", saved.message()));
  return absl::OkStatus();
}

absl::Status Trainer::SaveCheckpointNow() {
  Training& t = *training_;
  ASSIGN_OR_RETURN(const NamedTensors state, CollectState(&t));
  saved_step_ = t.step;
  if (t.rank != 0) return absl::OkStatus();
  const std::string path = CheckpointPath(job_.launch.work_dir(), t.step);
  ASSIGN_OR_RETURN(v1::Checkpoint checkpoint, SaveCheckpoint(path, DescribeState(t), state));
  checkpoint.set_checkpoint_id(absl::StrCat("ckpt-", job_.launch.attempt_id(), "-", t.step));
  checkpoint.set_trial_id(job_.launch.trial_id());
  checkpoint.set_attempt_id(job_.launch.attempt_id());
  keeper_->Wrote(path, CheckpointKeeper::Clock::now());
  observer_->OnCheckpoint(checkpoint);
  return absl::OkStatus();
}

absl::StatusOr<v1::Outcome> Trainer::Interrupted(v1::Command::Action action) {
  const int64_t step = training_->step;
  switch (action) {
    case v1::Command::ACTION_PRUNE:
      return Ended(v1::ATTEMPT_STATE_PRUNED, absl::StrCat("pruned after step ", step));
    case v1::Command::ACTION_PREEMPT: {
      if (saved_step_ != step) RETURN_IF_ERROR(SaveCheckpointNow());
      return Ended(v1::ATTEMPT_STATE_PREEMPTED,
                   absl::StrCat("preempted after step ", step, ", which is saved"));
    }
    default:
      return Ended(v1::ATTEMPT_STATE_STOPPED, absl::StrCat("stopped after step ", step));
  }
}

absl::StatusOr<v1::Outcome> Trainer::Succeeded() {
  Training& t = *training_;
  // A checkpoint of the last step without its value (an attempt that was lost right there).
  if (!t.value.has_value()) {
    ASSIGN_OR_RETURN(t.value, Validate(&t));
  }
  if (job_.final_checkpoint) RETURN_IF_ERROR(SaveCheckpointNow());
  if (t.group != nullptr) RETURN_IF_ERROR(t.group->Barrier());
  const auto profile = profiler_->Stop();
  if (profile.has_value()) observer_->OnProfile(*profile);
  v1::Outcome outcome = Ended(v1::ATTEMPT_STATE_SUCCEEDED, "");
  if (t.rank == 0) outcome.add_values(*t.value);
  return outcome;
}

}  // namespace vlm::trainer
