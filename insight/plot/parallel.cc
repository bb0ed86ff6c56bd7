// Parallel coordinates.
#include <algorithm>
#include <cmath>

#include "common/status.h"
#include "insight/plot/heat.h"
#include "insight/plot/marks.h"

namespace vlm::insight {
namespace {

struct Axes {
  std::vector<ParamAxis> axes;  // The objective's first.
  std::vector<std::string> names;
  Area area;
  double X(size_t i) const {
    if (axes.size() == 1) return (area.left + area.right) / 2;
    return area.left +
           (area.right - area.left) * static_cast<double>(i) / static_cast<double>(axes.size() - 1);
  }
};

Axes MakeAxes(const StudyPlot& study, size_t objective) {
  Axes out;
  const int target = std::clamp(study.height / 70, 3, 9);
  out.axes.push_back(
      MakeParamAxis(study.objectives.at(objective), ValueColumn(study, objective), target));
  out.names.push_back(study.objectives[objective].name);
  for (size_t i = 0; i < study.params.size(); ++i) {
    out.axes.push_back(MakeParamAxis(study.params[i], ParamColumn(study, i), target));
    out.names.push_back(study.params[i].name);
  }
  out.area = {64, 84, study.width - kHeatBarWidth - 56.0, study.height - 28.0};
  return out;
}

void DrawAxes(Canvas* canvas, const Axes& axes) {
  const double room = axes.axes.size() < 2 ? 200 : axes.X(1) - axes.X(0);
  for (size_t i = 0; i < axes.axes.size(); ++i) {
    const double x = std::round(axes.X(i)) + 0.5;
    canvas->Set(kMuted);
    canvas->Line(x, axes.area.top, x, axes.area.bottom, 1.2);
    for (const Tick& tick : axes.axes[i].ticks) {
      const double y = axes.area.Y(axes.axes[i].scale, tick.value);
      canvas->Set(kMuted);
      canvas->Line(x - 3, y, x + 3, y, 1);
      const std::string label = canvas->Fit(tick.label, 11, std::max(24.0, room - 16));
      const double width = canvas->TextWidth(label, 11);
      canvas->Set(kPaper, 0.8);  // Lines below a label must not make it unreadable.
      cairo_rectangle(canvas->cr(), x + 5, y - 6, width + 2, 12);
      cairo_fill(canvas->cr());
      canvas->Set(kInk);
      canvas->Text(x + 6, y + 4, label, 11, Align::kLeft);
    }
    canvas->Set(kInk);
    // Neighbours' names stand at two heights so that long ones do not meet.
    canvas->Text(x, axes.area.top - (i % 2 == 0 ? 10 : 26),
                 canvas->Fit(axes.names[i], 12, std::max(60.0, 1.8 * room)), 12, Align::kCenter,
                 i == 0);
  }
}

// A value that an axis cannot show, or that the trial lacks, breaks the line.
void DrawTrial(Canvas* canvas, const Axes& axes, const PlotTrial& trial, double value) {
  cairo_t* cr = canvas->cr();
  bool drawing = false;
  for (size_t i = 0; i < axes.axes.size(); ++i) {
    const double at = i == 0 ? value : trial.params[i - 1];
    if (!axes.axes[i].Shows(at)) {
      drawing = false;
      continue;
    }
    const double y =
        std::clamp(axes.area.Y(axes.axes[i].scale, at), axes.area.top, axes.area.bottom);
    drawing ? cairo_line_to(cr, axes.X(i), y) : cairo_move_to(cr, axes.X(i), y);
    drawing = true;
  }
  cairo_stroke(cr);
}

}  // namespace

absl::Status PlotParallel(const StudyPlot& study, size_t objective, const std::string& path) {
  ASSIGN_OR_RETURN(auto canvas, Canvas::Open(path, study.width, study.height));
  const Axes axes = MakeAxes(study, objective);
  const bool maximize = study.maximize.at(objective);
  canvas->Set(kInk);
  canvas->Text(24, 30, canvas->Fit(study.title, 16, study.width - 48, true), 16, Align::kLeft,
               true);
  std::vector<const PlotTrial*> order;
  for (const PlotTrial& trial : study.trials) order.push_back(&trial);
  // Worst first, so that the best lie on top; what has no value lowest of all.
  const auto rank = [&](const PlotTrial* trial) {
    const double value = ValueOf(*trial, objective);
    const bool counts = IsComplete(*trial) && trial->mark != TrialMark::kInfeasible;
    if (!counts || !axes.axes[0].Shows(value)) return -1.0;
    const double share = axes.axes[0].scale.Map(value);
    return maximize ? share : 1 - share;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](const auto* a, const auto* b) { return rank(a) < rank(b); });
  const double alpha = study.trials.size() > 300 ? 0.35 : 0.75;
  for (const PlotTrial* trial : order) {
    LineStyle style{HeatColor(1 - rank(trial)), alpha, 1.4};
    if (trial->mark == TrialMark::kPruned) style = {kPrunedColor, 0.5, 1.1, LineStyle::kDashed};
    if (trial->mark == TrialMark::kFailed) style = {kFailedColor, 0.5, 1.1, LineStyle::kDotted};
    if (trial->mark == TrialMark::kInfeasible) style = {kMuted, 0.5, 1.1, LineStyle::kDotted};
    if (trial == order.back() && rank(trial) >= 0) style = {HeatColor(0), 1, 2.6};
    SetLine(canvas.get(), style);
    DrawTrial(canvas.get(), axes, *trial, ValueOf(*trial, objective));
  }
  cairo_set_dash(canvas->cr(), nullptr, 0, 0);
  DrawAxes(canvas.get(), axes);
  DrawHeatBar(canvas.get(), study.width - kHeatBarWidth, axes.area.top + 24, axes.area.bottom - 60,
              axes.axes[0], maximize, axes.names[0]);
  std::vector<LegendEntry> legend;
  for (const PlotTrial& trial : study.trials) {
    LegendEntry entry;
    if (trial.mark == TrialMark::kPruned) {
      entry = {"pruned", {kPrunedColor, 1, 1.5, LineStyle::kDashed}};
    } else if (trial.mark == TrialMark::kFailed) {
      entry = {"failed", {kFailedColor, 1, 1.5, LineStyle::kDotted}};
    } else if (trial.mark == TrialMark::kInfeasible) {
      entry = {"infeasible", {kMuted, 1, 1.5, LineStyle::kDotted}};
    } else {
      continue;
    }
    if (std::none_of(legend.begin(), legend.end(),
                     [&](const LegendEntry& known) { return known.label == entry.label; })) {
      legend.push_back(entry);
    }
  }
  DrawLegend(canvas.get(), legend, study.width - kHeatBarWidth - 20, axes.area.bottom - 30,
             kHeatBarWidth + 16, study.height);
  if (study.trials.empty()) DrawNoData(canvas.get(), axes.area);
  return canvas->Finish();
}

}  // namespace vlm::insight
