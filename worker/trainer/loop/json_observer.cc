#include "worker/trainer/loop/json_observer.h"

#include <nlohmann/json.hpp>

namespace vlm::trainer {
namespace {

double Rate(int64_t count, const v1::PhaseSummary& phases) {
  const double ms = phases.wall_ms() - phases.validation_ms() - phases.checkpoint_ms();
  return ms > 0 ? static_cast<double>(count) * 1000 / ms : 0;
}

}  // namespace

std::string StepJson(const StepRecord& record) {
  const v1::PhaseSummary& p = record.phases;
  nlohmann::ordered_json line = {
      {"step", record.step},
      {"total", record.total},
      {"loss", record.loss},
      {"lr", record.lr},
      {"grad_norm", record.grad_norm},
      {"samples_per_s", Rate(record.global_samples, p)},
      {"tokens_per_s", Rate(record.global_tokens, p)},
      {"wall_ms", p.wall_ms()},
      {"phase_ms",
       {{"data_wait", p.data_wait_ms()},
        {"copy", p.copy_ms()},
        {"forward", p.forward_ms()},
        {"backward", p.backward_ms()},
        {"allreduce", p.allreduce_ms()},
        {"optimizer", p.optimizer_ms()},
        {"validation", p.validation_ms()},
        {"checkpoint", p.checkpoint_ms()},
        {"other", p.other_ms()}}},
  };
  if (record.val_loss.has_value()) line["val_loss"] = *record.val_loss;
  return line.dump();
}

void JsonObserver::OnStart(int64_t first, int64_t total, int64_t skipped_rows,
                           int64_t cut_captions) {
  if (rank_ != 0) return;
  if (first > 0) std::fprintf(stderr, "goes on after step %ld of %ld\n", long{first}, long{total});
  if (skipped_rows > 0) std::fprintf(stderr, "skipped %ld bad rows\n", long{skipped_rows});
  if (cut_captions > 0) {
    std::fprintf(stderr, "cut %ld captions to block_size\n", long{cut_captions});
  }
}

void JsonObserver::OnStep(const StepRecord& record) {
  if (rank_ != 0) return;
  std::fprintf(out_, "%s\n", StepJson(record).c_str());
  std::fflush(out_);
}

void JsonObserver::OnProfile(const v1::ProfileSummary& profile) {
  std::fprintf(stderr, "rank %d: profile of steps %ld to %ld: %s\n", rank_,
               long{profile.first_step()}, long{profile.last_step()}, profile.trace_file().c_str());
}

void JsonObserver::OnCheckpoint(const v1::Checkpoint& checkpoint) {
  std::fprintf(stderr, "checkpoint of step %ld: %s\n", long{checkpoint.step()},
               checkpoint.uri().substr(sizeof("file://") - 1).c_str());
}

void JsonObserver::OnNote(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

v1::Command::Action JsonObserver::Pending() {
  return stop_->load() ? v1::Command::ACTION_PREEMPT : v1::Command::ACTION_UNSPECIFIED;
}

}  // namespace vlm::trainer
