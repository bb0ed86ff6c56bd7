// Where the time of a step goes. Every moment of a step belongs to exactly one phase: a clock is
// read at each change and the time since the last one goes to the phase that just ended.
// Not thread-safe. Owner: the training loop.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

#include "vlm/v1/study.pb.h"

namespace vlm::trainer {

enum class Phase {
  kDataWait,
  kCopy,
  kForward,
  kBackward,
  kAllreduce,
  kOptimizer,
  kValidation,
  kCheckpoint,
  kOther,
};
inline constexpr size_t kPhases = 9;

class PhaseClock {
 public:
  using Clock = std::chrono::steady_clock;
  // `begin`: the end of the step before, so that no time between steps is lost.
  explicit PhaseClock(Clock::time_point begin = Clock::now()) : begin_(begin), last_(begin) {}

  // The time since the last call (or the start) was spent in `phase`. Returns now.
  Clock::time_point Lap(Phase phase);
  // Moves time that one phase hid in another, such as communication inside backward.
  void Move(Phase from, Phase to, Clock::duration time);
  double Milliseconds(Phase phase) const;

  // The step as a window of one: durations, wall time, peak memory of this process.
  // `other_ms` includes what was never lapped.
  v1::PhaseSummary Summary(int64_t step, int64_t samples, int64_t tokens) const;

 private:
  Clock::time_point begin_;
  Clock::time_point last_;
  std::array<Clock::duration, kPhases> spent_{};
};

// Adds a window of later steps to `sum` (empty: becomes it); peaks are the larger of both.
void AddPhases(const v1::PhaseSummary& window, v1::PhaseSummary* sum);

}  // namespace vlm::trainer
