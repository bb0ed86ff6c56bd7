#include "common/clock.h"

#include <ctime>

namespace vlm {
namespace {

class SystemClock final : public Clock {
 public:
  absl::Duration Monotonic() const override {
    timespec now{};
    // BOOTTIME goes on while the machine sleeps, so a lease does not outlive a suspended laptop.
    clock_gettime(CLOCK_BOOTTIME, &now);
    return absl::DurationFromTimespec(now);
  }
  absl::Time Wall() const override { return absl::Now(); }
};

}  // namespace

const Clock& RealClock() {
  static const SystemClock* const clock = new SystemClock;
  return *clock;
}

}  // namespace vlm
