// Time as a dependency. Leases and timeouts use Monotonic(); what people read uses Wall().
#pragma once

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace vlm {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Time since an arbitrary start; never jumps, stops for nobody.
  virtual absl::Duration Monotonic() const = 0;
  virtual absl::Time Wall() const = 0;
};

// The machine's clocks. Lives for ever.
const Clock& RealClock();

// A clock that tests turn by hand. Not thread-safe.
class FakeClock final : public Clock {
 public:
  absl::Duration Monotonic() const override { return monotonic_; }
  absl::Time Wall() const override { return wall_; }
  void Advance(absl::Duration d) {
    monotonic_ += d;
    wall_ += d;
  }
  void SetWall(absl::Time t) { wall_ = t; }

 private:
  absl::Duration monotonic_ = absl::Seconds(1000);
  absl::Time wall_ = absl::FromUnixSeconds(1'700'000'000);
};

}  // namespace vlm
