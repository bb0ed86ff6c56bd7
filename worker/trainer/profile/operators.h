// The table that PyTorch's key_averages() makes out of a profile: one row per operator name with
// own and total times. Thread-safe (no state). Source of the rules: torch/autograd/profiler.py,
// _parse_kineto_results, and profiler_util.py of PyTorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "vlm/v1/study.pb.h"

namespace vlm::trainer {

// What the table needs of an event; times in nanoseconds.
struct TraceEvent {
  std::string name;
  uint64_t start_ns = 0;
  uint64_t end_ns = 0;
  uint64_t thread = 0;
  bool on_device = false;    // A kernel or copy on a GPU.
  bool async = false;        // Begins and ends on different threads: takes no part in nesting.
  uint64_t correlation = 0;  // Of a CPU event; what kernels link to.
  uint64_t linked = 0;       // Of a device event: the CPU event that launched it; 0 = none.
  int64_t bytes = 0;         // Of "[memory]" records: allocated, negative = freed.
  uint64_t flops = 0;
};

// Rows with the largest own time (device time first where there is any), at most `limit`.
std::vector<v1::OperatorSummary> SummarizeOperators(std::vector<TraceEvent> events, size_t limit);

}  // namespace vlm::trainer
