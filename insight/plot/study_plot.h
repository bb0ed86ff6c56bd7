// A study's trials as pictures see them, and the pictures that show its parameters: parallel
// coordinates, slices, contours. Each function writes `path` (.png or .svg); errors and file
// handling as PlotCurves. Thread-safe (no shared state); needs no display.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "insight/plot/curves.h"

namespace vlm::insight {

// An axis. With choices the values are indices into them.
struct PlotParam {
  std::string name;
  bool log = false;
  bool whole = false;  // Integers only.
  std::vector<std::string> choices = {};
};

struct PlotTrial {
  int64_t number = 0;
  std::vector<double> params;           // Parallel to StudyPlot::params; NaN: this trial has none.
  std::vector<double> values;           // One an objective; empty or NaN: none.
  TrialMark mark = TrialMark::kNormal;  // All but kPruned and kFailed are COMPLETE.
};

struct StudyPlot {
  std::string title;
  std::vector<PlotParam> params;
  std::vector<PlotParam> objectives;  // Names; `log` for a logarithmic axis.
  std::vector<bool> maximize;         // Parallel to objectives.
  std::vector<PlotTrial> trials;
  int width = 960;   // Pixels, 200 .. 8000.
  int height = 540;  // Pixels, 150 .. 8000.
};

// One line a trial over the objective and all parameters, coloured by the objective; pruned trials
// dashed, failed ones dotted. `objective` is an index.
absl::Status PlotParallel(const StudyPlot& study, size_t objective, const std::string& path);

// One panel a parameter: the objective over it, coloured by the trial's number. Pruned trials are
// squares at their last value, failed ones crosses at the lower edge.
absl::Status PlotSlice(const StudyPlot& study, size_t objective, const std::string& path);

// The objective over two parameters: bands of inverse-distance weighted values of COMPLETE trials
// (D. Shepard, 1968) in the axes' scales, with every trial as a mark. `x` and `y` are indices.
absl::Status PlotContour(const StudyPlot& study, size_t objective, size_t x, size_t y,
                         const std::string& path);

// COMPLETE trials over two objectives; those in `front` (trial numbers) are the Pareto front,
// infeasible ones are crosses.
absl::Status PlotPareto(const StudyPlot& study, size_t x, size_t y,
                        const std::vector<int64_t>& front, const std::string& path);

}  // namespace vlm::insight
