#include "insight/plot/curves.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "insight/plot/axes.h"
#include "insight/plot/canvas.h"
#include "insight/plot/marks.h"

namespace vlm::insight {
namespace {

// A curve as it is drawn: sorted, gaps made explicit, with its style.
struct Drawn {
  const Curve* curve;
  std::vector<PlotPoint> raw;
  std::vector<PlotPoint> smooth;  // Empty without smoothing.
  LineStyle line;
  Shape end = Shape::kNone;
};

LineStyle StyleOf(TrialMark mark, Color color) {
  switch (mark) {
    case TrialMark::kBest:
      return {color, 1, 2.8, LineStyle::kSolid};
    case TrialMark::kPruned:
      return {color, 0.75, 1.4, LineStyle::kDashed};
    case TrialMark::kFailed:
      return {color, 0.75, 1.4, LineStyle::kDotted};
    case TrialMark::kInfeasible:
      return {kMuted, 0.75, 1.4, LineStyle::kSolid};
    case TrialMark::kNormal:
      break;
  }
  return {color, 0.95, 1.6, LineStyle::kSolid};
}

Shape EndShape(TrialMark mark) {
  if (mark == TrialMark::kPruned) return Shape::kSquare;
  return mark == TrialMark::kFailed ? Shape::kCross : Shape::kNone;
}

Drawn Prepare(const Curve& curve, const CurveOptions& options, Color color) {
  Drawn drawn{&curve, curve.points, {}, StyleOf(curve.mark, color), EndShape(curve.mark)};
  const auto by_step = [](const PlotPoint& a, const PlotPoint& b) { return a.step < b.step; };
  std::erase_if(drawn.raw, [](const PlotPoint& p) { return !std::isfinite(p.step); });
  // A trial that ran again from a checkpoint has some steps twice.
  if (!std::is_sorted(drawn.raw.begin(), drawn.raw.end(), by_step)) {
    std::stable_sort(drawn.raw.begin(), drawn.raw.end(), by_step);
  }
  for (PlotPoint& p : drawn.raw) {
    const bool shown = std::fabs(p.value) <= 1e300 && (!options.log_y || p.value > 0);
    if (!shown) p.value = std::nan("");
  }
  if (options.smoothing > 0) drawn.smooth = SmoothEma(drawn.raw, options.smoothing);
  return drawn;
}

// Diverged trials do not stretch the axis when there is anything else to see.
Range ValueRange(const std::vector<Drawn>& all) {
  Range range;
  for (const bool failed : {false, true}) {
    for (const Drawn& d : all) {
      if ((d.curve->mark == TrialMark::kFailed) != failed) continue;
      for (const PlotPoint& p : d.raw) range.Add(p.value);
    }
    if (!range.empty()) break;
  }
  return range;
}

void Stroke(Canvas* canvas, const Area& area, const Scale& x, const Scale& y,
            const std::vector<PlotPoint>& points, const LineStyle& style) {
  SetLine(canvas, style);
  cairo_t* cr = canvas->cr();
  bool pen_down = false;
  for (const PlotPoint& p : points) {
    if (!std::isfinite(p.value)) {
      pen_down = false;
      continue;
    }
    // cairo's fixed-point coordinates end at 2^23: a clipped curve must not wrap around.
    const double py = std::clamp(area.Y(y, p.value), -1e5, 1e5);
    if (pen_down) {
      cairo_line_to(cr, area.X(x, p.step), py);
    } else {
      cairo_move_to(cr, area.X(x, p.step), py);
    }
    pen_down = true;
  }
  cairo_stroke(cr);
}

void DrawCurve(Canvas* canvas, const Area& area, const Scale& x, const Scale& y, const Drawn& d) {
  const auto columns = static_cast<int>(area.right - area.left);
  const std::vector<PlotPoint> raw = DecimateMinMax(d.raw, x.low, x.high, columns);
  LineStyle style = d.line;
  if (!d.smooth.empty()) {
    Stroke(canvas, area, x, y, raw, {style.color, 0.22, 1, LineStyle::kSolid});
    Stroke(canvas, area, x, y, DecimateMinMax(d.smooth, x.low, x.high, columns), style);
  } else {
    Stroke(canvas, area, x, y, raw, style);
  }
  canvas->Set(style.color, style.alpha);
  const std::vector<PlotPoint>& top = d.smooth.empty() ? raw : d.smooth;
  const PlotPoint* last = nullptr;
  size_t finite = 0;
  for (const PlotPoint& p : top) {
    if (!std::isfinite(p.value)) continue;
    last = &p;
    ++finite;
    if (d.curve->dots && top.size() <= 200) {
      DrawShape(canvas, Shape::kDot, area.X(x, p.step), area.Y(y, p.value), 3);
    }
  }
  if (last == nullptr) return;
  const double px = area.X(x, last->step);
  const double py = std::clamp(area.Y(y, last->value), area.top, area.bottom);
  DrawShape(canvas, d.end, px, py, 4);
  if (finite == 1) DrawShape(canvas, Shape::kDot, px, py, 3.5);
}

std::vector<LegendEntry> MakeLegend(const std::vector<Drawn>& all) {
  std::vector<LegendEntry> entries;
  for (const Drawn& d : all) {
    if (d.curve->label.empty()) continue;
    const char* how = d.curve->mark == TrialMark::kBest         ? " (best)"
                      : d.curve->mark == TrialMark::kPruned     ? " (pruned)"
                      : d.curve->mark == TrialMark::kFailed     ? " (failed)"
                      : d.curve->mark == TrialMark::kInfeasible ? " (infeasible)"
                                                                : "";
    entries.push_back({d.curve->label + how, d.line, d.end});
  }
  return entries;
}

}  // namespace

absl::Status PlotCurves(const std::vector<Curve>& curves, const CurveOptions& options,
                        const std::string& path) {
  if (!(options.smoothing >= 0 && options.smoothing < 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("smoothing ", options.smoothing, " is outside [0, 1)"));
  }
  ASSIGN_OR_RETURN(auto canvas, Canvas::Open(path, options.width, options.height));
  std::vector<Drawn> all;
  Range steps;
  for (size_t i = 0; i < curves.size(); ++i) {
    all.push_back(Prepare(curves[i], options, SeriesColor(i)));
    for (const PlotPoint& p : all.back().raw) steps.Add(p.step);
  }
  const Range values = ValueRange(all);
  const Scale x = MakeScale(steps, false, 0.01);
  const Scale y = MakeScale(values, options.log_y, 0.05);
  const auto y_ticks = MakeTicks(y, std::clamp(options.height / 70, 3, 10), false);
  const auto x_ticks = MakeTicks(x, std::clamp(options.width / 110, 3, 12), true);
  const Labels labels{options.title, options.x_label, options.y_label};
  const std::vector<LegendEntry> legend = MakeLegend(all);
  const double legend_width = LegendWidth(canvas.get(), legend, options.width);
  const Area area =
      LayOut(canvas.get(), options.width, options.height, labels, y_ticks, legend_width);
  DrawFrame(canvas.get(), area, options.height, labels, x, y, x_ticks, y_ticks);

  cairo_save(canvas->cr());
  cairo_rectangle(canvas->cr(), area.left - 5, area.top - 5, area.right - area.left + 10,
                  area.bottom - area.top + 5);
  cairo_clip(canvas->cr());
  for (const bool best : {false, true}) {
    for (const Drawn& d : all) {
      if ((d.curve->mark == TrialMark::kBest) == best) DrawCurve(canvas.get(), area, x, y, d);
    }
  }
  cairo_restore(canvas->cr());
  DrawLegend(canvas.get(), legend, area.right, area.top + 8, legend_width, area.bottom);
  if (values.empty()) {
    canvas->Set(kMuted);
    canvas->Text((area.left + area.right) / 2, (area.top + area.bottom) / 2, "no data", 16,
                 Align::kCenter);
  }
  return canvas->Finish();
}

}  // namespace vlm::insight
