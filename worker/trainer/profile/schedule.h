// Which steps a profiler records: torch.profiler.schedule(wait, warmup, active, repeat, skip_first)
// as a pure function. Thread-safe (no state).
#pragma once

#include <cstdint>

#include "vlm/v1/config.pb.h"

namespace vlm::trainer {

enum class ProfilerAction {
  kNone,
  kWarmup,  // The tracer runs, what it sees is thrown away.
  kRecord,
  kRecordAndSave,  // The last recorded step of a cycle.
};

// Of step `step` (from 0). Each cycle is wait, warmup and active steps long; after `repeat` cycles
// (0: never) it stays kNone.
ProfilerAction ActionAt(const v1::ProfilerConfig& config, int64_t step);

}  // namespace vlm::trainer
