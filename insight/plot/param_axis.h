// Scale and ticks of a parameter or an objective. Private to insight/plot.
#pragma once

#include <cmath>
#include <vector>

#include "insight/plot/axes.h"
#include "insight/plot/study_plot.h"

namespace vlm::insight {

struct ParamAxis {
  Scale scale;
  std::vector<Tick> ticks;
  // Whether a value can be shown.
  bool Shows(double value) const { return std::fabs(value) <= 1e300 && (!scale.log || value > 0); }
};

// Choices become places 0, 1, ... with half a place of room on both sides. About `target` ticks.
ParamAxis MakeParamAxis(const PlotParam& param, const std::vector<double>& values, int target);

// Of the trials' column: parameter `index`, or objective `index`.
std::vector<double> ParamColumn(const StudyPlot& study, size_t index);
std::vector<double> ValueColumn(const StudyPlot& study, size_t index);
double ValueOf(const PlotTrial& trial, size_t objective);  // NaN: none.
bool IsComplete(const PlotTrial& trial);

}  // namespace vlm::insight
