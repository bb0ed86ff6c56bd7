// Loss curves of one or many trials as a PNG or an SVG; both come out of one drawing routine.
//
// Thread-safe (no shared state); needs no display. cairo and fontconfig stay behind this header.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "insight/plot/series.h"

namespace vlm::insight {

// How a trial ended, as far as a plot shows it.
enum class TrialMark {
  kNormal,      // Running or complete.
  kBest,        // Drawn last and thicker.
  kPruned,      // Dashed and pale; a square where it was stopped.
  kFailed,      // Dotted and pale; a cross at its last finite point.
  kInfeasible,  // Complete, but it violates a constraint: grey.
};

struct Curve {
  std::string label;              // Legend entry; empty = none.
  std::vector<PlotPoint> points;  // Sorted by step.
  TrialMark mark = TrialMark::kNormal;
  bool dots = false;  // Mark each point: for sparse series such as val_loss.
};

struct CurveOptions {
  std::string title;
  std::string x_label = "step";
  std::string y_label = "loss";
  int width = 960;       // Pixels, 200 .. 8000.
  int height = 540;      // Pixels, 150 .. 8000.
  bool log_y = false;    // Values <= 0 become gaps.
  double smoothing = 0;  // EMA weight in [0, 1); with it the raw curve stays as a pale line.
};

// Writes `path`; its extension .png or .svg chooses the format. The file appears complete or not at
// all. An empty list, or one without a finite value, draws the frame and says "no data".
//   INVALID_ARGUMENT  another extension, a size or a smoothing outside its range.
//   UNAVAILABLE       the file cannot be written; the message names it and the reason.
absl::Status PlotCurves(const std::vector<Curve>& curves, const CurveOptions& options,
                        const std::string& path);

}  // namespace vlm::insight
