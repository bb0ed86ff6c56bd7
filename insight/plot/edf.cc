// Empirical distribution functions.
#include <algorithm>
#include <cmath>

#include "common/status.h"
#include "insight/plot/distribution.h"
#include "insight/plot/heat.h"
#include "insight/plot/marks.h"

namespace vlm::insight {
namespace {

// The finite values that the axis shows, in order.
std::vector<double> Sorted(const EdfSeries& series, const ParamAxis& axis) {
  std::vector<double> out;
  for (double value : series.values) {
    if (axis.Shows(value)) out.push_back(value);
  }
  std::sort(out.begin(), out.end());
  return out;
}

void DrawSteps(Canvas* canvas, const Area& area, const ParamAxis& x, const Scale& y,
               const std::vector<double>& sorted, size_t total) {
  cairo_t* cr = canvas->cr();
  cairo_move_to(cr, area.left, area.Y(y, 0));
  for (size_t i = 0; i < sorted.size(); ++i) {
    const double at = area.X(x.scale, sorted[i]);
    cairo_line_to(cr, at, area.Y(y, static_cast<double>(i) / static_cast<double>(total)));
    cairo_line_to(cr, at, area.Y(y, static_cast<double>(i + 1) / static_cast<double>(total)));
  }
  const double end = static_cast<double>(sorted.size()) / static_cast<double>(total);
  cairo_line_to(cr, area.right, area.Y(y, end));
  cairo_stroke(cr);
}

}  // namespace

absl::Status PlotEdf(const std::vector<EdfSeries>& series, const EdfOptions& options,
                     const std::string& path) {
  ASSIGN_OR_RETURN(auto canvas, Canvas::Open(path, options.width, options.height));
  std::vector<double> all;
  for (const EdfSeries& one : series) all.insert(all.end(), one.values.begin(), one.values.end());
  PlotParam param{options.x_label, options.log_x};
  const ParamAxis x = MakeParamAxis(param, all, std::clamp(options.width / 110, 3, 12));
  const Scale y{0, 1.02, false};
  const std::vector<Tick> y_ticks = {{0, "0"},     {0.2, "0.2"}, {0.4, "0.4"},
                                     {0.6, "0.6"}, {0.8, "0.8"}, {1, "1"}};
  std::vector<LegendEntry> legend;
  for (size_t i = 0; i < series.size(); ++i) {
    legend.push_back({series[i].label, {SeriesColor(i), 1, 2}});
  }
  const double legend_width = LegendWidth(canvas.get(), legend, options.width);
  const Labels labels{options.title, options.x_label, "share of trials at or below"};
  const Area area =
      LayOut(canvas.get(), options.width, options.height, labels, y_ticks, legend_width);
  DrawFrame(canvas.get(), area, options.height, labels, x.scale, y, x.ticks, y_ticks);
  bool any = false;
  for (size_t i = 0; i < series.size(); ++i) {
    const std::vector<double> sorted = Sorted(series[i], x);
    if (sorted.empty()) continue;
    any = true;
    SetLine(canvas.get(), {SeriesColor(i), 1, 2});
    DrawSteps(canvas.get(), area, x, y, sorted, series[i].values.size());
  }
  DrawLegend(canvas.get(), legend, area.right, area.top + 8, legend_width, area.bottom);
  if (!any) DrawNoData(canvas.get(), area);
  return canvas->Finish();
}

}  // namespace vlm::insight
