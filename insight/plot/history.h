// History of a study as a PNG or an SVG: each trial's value over its number, the best so far as a
// line of steps, and marks for pruned and failed trials.
//
// Thread-safe (no shared state); needs no display.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "insight/plot/curves.h"

namespace vlm::insight {

struct HistoryTrial {
  int64_t number = 0;
  double value = 0;  // NaN when there is none: drawn as a mark on the lower edge.
  // kNormal = COMPLETE. kBest is found by the plot itself and need not be set.
  TrialMark mark = TrialMark::kNormal;
};

struct HistoryOptions {
  std::string title;
  std::string y_label = "value";
  int width = 960;
  int height = 540;
  bool log_y = false;
  bool maximize = false;  // Direction of the objective.
};

// Errors and file handling as PlotCurves. Only kNormal and kBest trials count for the best so far.
absl::Status PlotHistory(const std::vector<HistoryTrial>& trials, const HistoryOptions& options,
                         const std::string& path);

}  // namespace vlm::insight
