// Two objectives against each other.
#include <algorithm>

#include "common/status.h"
#include "insight/plot/heat.h"
#include "insight/plot/marks.h"

namespace vlm::insight {
namespace {

struct FrontPoint {
  double x, y;
};

// The edge of what the front dominates: steps towards the worse side of y.
void DrawEdge(Canvas* canvas, std::vector<FrontPoint> front, bool maximize_x) {
  std::sort(front.begin(), front.end(),
            [](const FrontPoint& a, const FrontPoint& b) { return a.x < b.x; });
  SetLine(canvas, {kBestLineColor, 0.9, 1.8, LineStyle::kSolid});
  cairo_t* cr = canvas->cr();
  for (size_t i = 0; i < front.size(); ++i) {
    if (i == 0) {
      cairo_move_to(cr, front[0].x, front[0].y);
      continue;
    }
    // A point keeps its y until the next better one is reached.
    if (maximize_x) {
      cairo_line_to(cr, front[i - 1].x, front[i].y);
    } else {
      cairo_line_to(cr, front[i].x, front[i - 1].y);
    }
    cairo_line_to(cr, front[i].x, front[i].y);
  }
  cairo_stroke(cr);
}

std::string AxisName(const StudyPlot& study, size_t objective) {
  return study.objectives[objective].name +
         (study.maximize[objective] ? " (maximize)" : " (minimize)");
}

}  // namespace

absl::Status PlotPareto(const StudyPlot& study, size_t x, size_t y,
                        const std::vector<int64_t>& front, const std::string& path) {
  ASSIGN_OR_RETURN(auto canvas, Canvas::Open(path, study.width, study.height));
  const ParamAxis x_axis = MakeParamAxis(study.objectives.at(x), ValueColumn(study, x),
                                         std::clamp(study.width / 110, 3, 12));
  const ParamAxis y_axis = MakeParamAxis(study.objectives.at(y), ValueColumn(study, y),
                                         std::clamp(study.height / 70, 3, 10));
  const LineStyle edge{kBestLineColor, 1, 1.8, LineStyle::kSolid};
  const bool planar = study.objectives.size() == 2;
  std::vector<LegendEntry> legend = {
      {"Pareto front", planar ? edge : LineStyle{kInk, 1, 0}, Shape::kDot},
      {"dominated", {kMuted, 1, 0}, Shape::kDot}};
  const auto infeasible = [](const PlotTrial& t) { return t.mark == TrialMark::kInfeasible; };
  if (std::any_of(study.trials.begin(), study.trials.end(), infeasible)) {
    legend.push_back({"infeasible", {kMuted, 1, 0}, Shape::kCross});
  }
  const double legend_width = LegendWidth(canvas.get(), legend, study.width);
  const Labels labels{study.title, AxisName(study, x), AxisName(study, y)};
  const Area area =
      LayOut(canvas.get(), study.width, study.height, labels, y_axis.ticks, legend_width);
  DrawFrame(canvas.get(), area, study.height, labels, x_axis.scale, y_axis.scale, x_axis.ticks,
            y_axis.ticks);
  const double size = study.trials.size() > 500 ? 2 : 4;
  std::vector<FrontPoint> points;
  for (const PlotTrial& trial : study.trials) {
    const double vx = ValueOf(trial, x);
    const double vy = ValueOf(trial, y);
    if (!IsComplete(trial) || !x_axis.Shows(vx) || !y_axis.Shows(vy)) continue;
    const FrontPoint at{area.X(x_axis.scale, vx), area.Y(y_axis.scale, vy)};
    if (std::find(front.begin(), front.end(), trial.number) != front.end()) {
      points.push_back(at);
      continue;
    }
    canvas->Set(kMuted, 0.55);
    DrawShape(canvas.get(), infeasible(trial) ? Shape::kCross : Shape::kDot, at.x, at.y, size);
  }
  // With more objectives the front is no line in the plane of two.
  if (planar && !points.empty()) DrawEdge(canvas.get(), points, study.maximize.at(x));
  cairo_set_dash(canvas->cr(), nullptr, 0, 0);
  for (const FrontPoint& at : points) {
    canvas->Set(kBestLineColor);
    DrawShape(canvas.get(), Shape::kDot, at.x, at.y, size + 1);
  }
  DrawLegend(canvas.get(), legend, area.right, area.top + 8, legend_width, area.bottom);
  if (points.empty()) DrawNoData(canvas.get(), area);
  return canvas->Finish();
}

}  // namespace vlm::insight
