#include "insight/plot/param_axis.h"

#include <algorithm>
#include <limits>

namespace vlm::insight {

ParamAxis MakeParamAxis(const PlotParam& param, const std::vector<double>& values, int target) {
  ParamAxis axis;
  if (!param.choices.empty()) {
    const auto count = static_cast<double>(param.choices.size());
    axis.scale = {-0.5, count - 0.5, false};
    for (size_t i = 0; i < param.choices.size(); ++i) {
      axis.ticks.push_back({static_cast<double>(i), param.choices[i]});
    }
    return axis;
  }
  Range range;
  for (double value : values) {
    if (!param.log || value > 0) range.Add(value);
  }
  axis.scale = MakeScale(range, param.log, 0.04);
  axis.ticks = MakeTicks(axis.scale, target, param.whole);
  return axis;
}

double ValueOf(const PlotTrial& trial, size_t objective) {
  return objective < trial.values.size() ? trial.values[objective]
                                         : std::numeric_limits<double>::quiet_NaN();
}

bool IsComplete(const PlotTrial& trial) {
  return trial.mark != TrialMark::kPruned && trial.mark != TrialMark::kFailed;
}

std::vector<double> ParamColumn(const StudyPlot& study, size_t index) {
  std::vector<double> out;
  for (const PlotTrial& trial : study.trials) out.push_back(trial.params.at(index));
  return out;
}

// Of COMPLETE trials; of all when none is.
std::vector<double> ValueColumn(const StudyPlot& study, size_t index) {
  std::vector<double> complete;
  std::vector<double> all;
  for (const PlotTrial& trial : study.trials) {
    all.push_back(ValueOf(trial, index));
    if (IsComplete(trial)) complete.push_back(all.back());
  }
  const bool any = std::any_of(complete.begin(), complete.end(),
                               [](double value) { return std::isfinite(value); });
  return any ? complete : all;
}

}  // namespace vlm::insight
