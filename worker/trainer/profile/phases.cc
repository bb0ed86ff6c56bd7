#include "worker/trainer/profile/phases.h"

#include <sys/resource.h>

#include <algorithm>

namespace vlm::trainer {
namespace {

double Ms(PhaseClock::Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

int64_t PeakRssBytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace

PhaseClock::Clock::time_point PhaseClock::Lap(Phase phase) {
  const Clock::time_point now = Clock::now();
  spent_[static_cast<size_t>(phase)] += now - last_;
  last_ = now;
  return now;
}

void PhaseClock::Move(Phase from, Phase to, Clock::duration time) {
  Clock::duration& source = spent_[static_cast<size_t>(from)];
  const Clock::duration moved = std::min(time, source);
  source -= moved;
  spent_[static_cast<size_t>(to)] += moved;
}

double PhaseClock::Milliseconds(Phase phase) const {
  return Ms(spent_[static_cast<size_t>(phase)]);
}

v1::PhaseSummary PhaseClock::Summary(int64_t step, int64_t samples, int64_t tokens) const {
  v1::PhaseSummary summary;
  summary.set_first_step(step);
  summary.set_last_step(step);
  summary.set_data_wait_ms(Milliseconds(Phase::kDataWait));
  summary.set_copy_ms(Milliseconds(Phase::kCopy));
  summary.set_forward_ms(Milliseconds(Phase::kForward));
  summary.set_backward_ms(Milliseconds(Phase::kBackward));
  summary.set_allreduce_ms(Milliseconds(Phase::kAllreduce));
  summary.set_optimizer_ms(Milliseconds(Phase::kOptimizer));
  summary.set_validation_ms(Milliseconds(Phase::kValidation));
  summary.set_checkpoint_ms(Milliseconds(Phase::kCheckpoint));
  const Clock::time_point now = Clock::now();
  summary.set_other_ms(Milliseconds(Phase::kOther) + Ms(now - last_));
  summary.set_wall_ms(Ms(now - begin_));
  summary.set_samples(samples);
  summary.set_tokens(tokens);
  summary.set_peak_rss_bytes(PeakRssBytes());
  return summary;
}

void AddPhases(const v1::PhaseSummary& window, v1::PhaseSummary* sum) {
  if (sum->wall_ms() == 0) {
    *sum = window;
    return;
  }
  sum->set_last_step(window.last_step());
  sum->set_data_wait_ms(sum->data_wait_ms() + window.data_wait_ms());
  sum->set_copy_ms(sum->copy_ms() + window.copy_ms());
  sum->set_forward_ms(sum->forward_ms() + window.forward_ms());
  sum->set_backward_ms(sum->backward_ms() + window.backward_ms());
  sum->set_allreduce_ms(sum->allreduce_ms() + window.allreduce_ms());
  sum->set_optimizer_ms(sum->optimizer_ms() + window.optimizer_ms());
  sum->set_validation_ms(sum->validation_ms() + window.validation_ms());
  sum->set_checkpoint_ms(sum->checkpoint_ms() + window.checkpoint_ms());
  sum->set_other_ms(sum->other_ms() + window.other_ms());
  sum->set_wall_ms(sum->wall_ms() + window.wall_ms());
  sum->set_samples(sum->samples() + window.samples());
  sum->set_tokens(sum->tokens() + window.tokens());
  sum->set_peak_rss_bytes(std::max(sum->peak_rss_bytes(), window.peak_rss_bytes()));
  sum->set_peak_device_bytes(std::max(sum->peak_device_bytes(), window.peak_device_bytes()));
}

}  // namespace vlm::trainer
