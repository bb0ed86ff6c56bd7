// Pictures of numbers by name: empirical distribution functions of studies' values, and bars of
// importances. Errors and file handling as PlotCurves. Thread-safe; needs no display.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace vlm::insight {

struct EdfSeries {
  std::string label;
  std::vector<double> values;  // Any order; values that are not finite never count as reached.
};

struct EdfOptions {
  std::string title;
  std::string x_label = "value";
  int width = 960;
  int height = 540;
  bool log_x = false;  // Values <= 0 are left out.
};

// For each series the share of its values that are at or below x.
absl::Status PlotEdf(const std::vector<EdfSeries>& series, const EdfOptions& options,
                     const std::string& path);

struct BarOptions {
  std::string title;
  std::string x_label = "importance";
  int width = 960;
  int height = 540;
};

// One horizontal bar a name from the top, with its number beside it. Values are 0 or more.
absl::Status PlotBars(const std::vector<std::pair<std::string, double>>& bars,
                      const BarOptions& options, const std::string& path);

}  // namespace vlm::insight
