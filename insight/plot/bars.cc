// Horizontal bars.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "common/status.h"
#include "insight/plot/distribution.h"
#include "insight/plot/heat.h"
#include "insight/plot/marks.h"

namespace vlm::insight {

absl::Status PlotBars(const std::vector<std::pair<std::string, double>>& bars,
                      const BarOptions& options, const std::string& path) {
  ASSIGN_OR_RETURN(auto canvas, Canvas::Open(path, options.width, options.height));
  double highest = 0;
  double widest = 40;
  for (const auto& [name, value] : bars) {
    if (std::isfinite(value)) highest = std::max(highest, value);
    widest = std::max(widest, canvas->TextWidth(name, 12));
  }
  widest = std::min(widest, options.width * 0.35);
  const Scale x{0, highest > 0 ? highest * 1.12 : 1, false};
  const auto ticks = MakeTicks(x, std::clamp(options.width / 130, 2, 10), false);
  const Area area{widest + 36, 56, options.width - 40.0, options.height - 54.0};
  for (const Tick& tick : ticks) {
    const double at = std::round(area.X(x, tick.value)) + 0.5;
    canvas->Set(kGrid);
    canvas->Line(at, area.top, at, area.bottom, 1);
    canvas->Set(kMuted);
    canvas->Text(at, area.bottom + 18, tick.label, 12, Align::kCenter);
  }
  canvas->Set(kInk);
  canvas->Text(24, 32, canvas->Fit(options.title, 16, options.width - 48, true), 16, Align::kLeft,
               true);
  canvas->Text((area.left + area.right) / 2, options.height - 14, options.x_label, 13,
               Align::kCenter);
  const double row =
      (area.bottom - area.top) / static_cast<double>(std::max<size_t>(1, bars.size()));
  const double thick = std::min(row * 0.7, 34.0);
  for (size_t i = 0; i < bars.size(); ++i) {
    const double value = std::isfinite(bars[i].second) ? std::max(0.0, bars[i].second) : 0;
    const double middle = area.top + row * (static_cast<double>(i) + 0.5);
    canvas->Set(kBestColor);
    cairo_rectangle(canvas->cr(), area.left, middle - thick / 2, area.X(x, value) - area.left,
                    thick);
    cairo_fill(canvas->cr());
    canvas->Set(kInk);
    canvas->Text(area.left - 8, middle + 4, canvas->Fit(bars[i].first, 12, widest), 12,
                 Align::kRight);
    canvas->Text(area.X(x, value) + 6, middle + 4, absl::StrFormat("%.3g", value), 12,
                 Align::kLeft);
  }
  canvas->Set(kMuted);
  canvas->Line(area.left, area.top, area.left, area.bottom, 1);
  if (bars.empty()) DrawNoData(canvas.get(), area);
  return canvas->Finish();
}

}  // namespace vlm::insight
