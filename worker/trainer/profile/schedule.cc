#include "worker/trainer/profile/schedule.h"

namespace vlm::trainer {

ProfilerAction ActionAt(const v1::ProfilerConfig& config, int64_t step) {
  if (!config.enabled() || config.active() <= 0 || step < config.skip_first()) {
    return ProfilerAction::kNone;
  }
  step -= config.skip_first();
  const int64_t cycle = int64_t{config.wait()} + config.warmup() + config.active();
  if (config.repeat() > 0 && step / cycle >= config.repeat()) return ProfilerAction::kNone;
  const int64_t position = step % cycle;
  if (position < config.wait()) return ProfilerAction::kNone;
  if (position < int64_t{config.wait()} + config.warmup()) return ProfilerAction::kWarmup;
  return position < cycle - 1 ? ProfilerAction::kRecord : ProfilerAction::kRecordAndSave;
}

}  // namespace vlm::trainer
