// Slices: the objective over each parameter.
#include <algorithm>
#include <cmath>

#include "common/status.h"
#include "insight/plot/heat.h"
#include "insight/plot/marks.h"

namespace vlm::insight {
namespace {

// Rows and columns of panels for a picture of this shape.
std::pair<size_t, size_t> Grid(size_t panels, int width, int height) {
  const double ratio = static_cast<double>(width) / (1.3 * height);
  const double columns =
      std::ceil(std::sqrt(static_cast<double>(std::max<size_t>(1, panels)) * ratio));
  const size_t c = std::clamp<size_t>(static_cast<size_t>(columns), 1, std::max<size_t>(1, panels));
  return {(std::max<size_t>(1, panels) + c - 1) / c, c};
}

struct Panel {
  Area area;
  ParamAxis x;
  ParamAxis y;
  double number_span = 1;
};

void DrawPanelFrame(Canvas* canvas, const Panel& panel, const std::string& name, bool y_labels) {
  const Area& area = panel.area;
  for (const Tick& tick : panel.y.ticks) {
    const double at = std::round(area.Y(panel.y.scale, tick.value)) + 0.5;
    canvas->Set(kGrid);
    canvas->Line(area.left, at, area.right, at, 1);
    canvas->Set(kMuted);
    if (y_labels) canvas->Text(area.left - 7, at + 4, tick.label, 11, Align::kRight);
  }
  const double room = (area.right - area.left) / static_cast<double>(panel.x.ticks.size() + 1);
  for (const Tick& tick : panel.x.ticks) {
    const double at = std::round(area.X(panel.x.scale, tick.value)) + 0.5;
    canvas->Set(kMuted);
    canvas->Line(at, area.bottom, at, area.bottom + 4, 1);
    canvas->Text(at, area.bottom + 16, canvas->Fit(tick.label, 11, std::max(24.0, 1.1 * room)), 11,
                 Align::kCenter);
  }
  canvas->Set(kMuted);
  canvas->Line(area.left, std::round(area.bottom) + 0.5, area.right, std::round(area.bottom) + 0.5,
               1);
  canvas->Set(kInk);
  canvas->Text((area.left + area.right) / 2, area.bottom + 33,
               canvas->Fit(name, 12, area.right - area.left), 12, Align::kCenter);
}

void DrawTrials(Canvas* canvas, const Panel& panel, const StudyPlot& study, size_t param,
                size_t objective) {
  const double size = study.trials.size() > 500 ? 2 : 3.6;
  for (const PlotTrial& trial : study.trials) {
    const double at = trial.params[param];
    const double value = ValueOf(trial, objective);
    if (!panel.x.Shows(at)) continue;
    const double x = panel.area.X(panel.x.scale, at);
    const bool shown = panel.y.Shows(value);
    if (IsComplete(trial) && !shown) continue;
    const double y =
        shown ? std::clamp(panel.area.Y(panel.y.scale, value), panel.area.top, panel.area.bottom)
              : panel.area.bottom - 5;
    Shape shape = Shape::kDot;
    Color color = HeatColor(1 - static_cast<double>(trial.number) / panel.number_span);
    if (trial.mark == TrialMark::kPruned) {
      shape = Shape::kSquare;
      color = kPrunedColor;
    } else if (trial.mark == TrialMark::kFailed) {
      shape = Shape::kCross;
      color = kFailedColor;
    } else if (trial.mark == TrialMark::kInfeasible) {
      color = kMuted;
    }
    canvas->Set(color, 0.85);
    DrawShape(canvas, shape, x, y, size);
    if (trial.mark != TrialMark::kBest) continue;
    canvas->Set(kInk);
    DrawShape(canvas, Shape::kRing, x, y, 7);
  }
}

std::vector<LegendEntry> Legend(const StudyPlot& study) {
  std::vector<LegendEntry> legend;
  const auto any = [&](TrialMark mark) {
    return std::any_of(study.trials.begin(), study.trials.end(),
                       [mark](const PlotTrial& trial) { return trial.mark == mark; });
  };
  const LineStyle none{kInk, 1, 0};
  if (any(TrialMark::kBest)) legend.push_back({"best", none, Shape::kRing});
  if (any(TrialMark::kInfeasible)) legend.push_back({"infeasible", {kMuted, 1, 0}, Shape::kDot});
  if (any(TrialMark::kPruned)) legend.push_back({"pruned", {kPrunedColor, 1, 0}, Shape::kSquare});
  if (any(TrialMark::kFailed)) legend.push_back({"failed", {kFailedColor, 1, 0}, Shape::kCross});
  return legend;
}

}  // namespace

absl::Status PlotSlice(const StudyPlot& study, size_t objective, const std::string& path) {
  ASSIGN_OR_RETURN(auto canvas, Canvas::Open(path, study.width, study.height));
  canvas->Set(kInk);
  canvas->Text(24, 30, canvas->Fit(study.title, 16, study.width - 48, true), 16, Align::kLeft,
               true);
  const PlotParam& goal = study.objectives.at(objective);
  const auto [rows, columns] = Grid(study.params.size(), study.width, study.height);
  const double right = study.width - kHeatBarWidth - 20;
  const double cell_width = (right - 76) / static_cast<double>(columns);
  const double cell_height = (study.height - 48.0) / static_cast<double>(rows);
  double last = 1;
  for (const PlotTrial& t : study.trials) last = std::max(last, static_cast<double>(t.number));
  const int y_ticks = std::clamp(static_cast<int>(cell_height / 45), 2, 8);
  const ParamAxis y = MakeParamAxis(goal, ValueColumn(study, objective), y_ticks);
  for (size_t i = 0; i < study.params.size(); ++i) {
    Panel panel;
    const size_t row = i / columns;
    const double left = 76 + cell_width * static_cast<double>(i % columns);
    const double top = 48 + cell_height * static_cast<double>(row);
    panel.area = {left, top + 4, left + cell_width - 18, top + cell_height - 46};
    panel.y = y;
    panel.x = MakeParamAxis(study.params[i], ParamColumn(study, i),
                            std::clamp(static_cast<int>(cell_width / 70), 2, 8));
    panel.number_span = last;
    DrawPanelFrame(canvas.get(), panel, study.params[i].name, i % columns == 0);
    DrawTrials(canvas.get(), panel, study, i, objective);
  }
  canvas->Set(kInk);
  canvas->VerticalText(22, study.height / 2.0, canvas->Fit(goal.name, 13, study.height - 80), 13);
  PlotParam numbers{"trial", false, true};
  const ParamAxis bar = MakeParamAxis(numbers, {0, last}, 6);
  DrawHeatBar(canvas.get(), right + 12, 72, study.height - 130, bar, true, "trial");
  DrawLegend(canvas.get(), Legend(study), right - 12, study.height - 100, kHeatBarWidth + 16,
             study.height);
  if (study.params.empty() || study.trials.empty()) {
    DrawNoData(canvas.get(), {76, 48, right, study.height - 46.0});
  }
  return canvas->Finish();
}

}  // namespace vlm::insight
