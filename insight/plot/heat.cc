#include "insight/plot/heat.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace vlm::insight {

Color HeatColor(double share) {
  constexpr std::array<Color, 6> kStops{{{0.267, 0.005, 0.329},
                                         {0.254, 0.265, 0.530},
                                         {0.164, 0.471, 0.558},
                                         {0.135, 0.659, 0.518},
                                         {0.478, 0.821, 0.318},
                                         {0.780, 0.870, 0.160}}};
  if (!(share > 0)) share = 0;  // NaN too.
  const double at = std::min(share, 1.0) * (kStops.size() - 1);
  const size_t i = std::min(static_cast<size_t>(at), kStops.size() - 2);
  const double part = at - static_cast<double>(i);
  const Color& a = kStops.at(i);
  const Color& b = kStops.at(i + 1);
  return {a.r + (b.r - a.r) * part, a.g + (b.g - a.g) * part, a.b + (b.b - a.b) * part};
}

void DrawHeatBar(Canvas* canvas, double x, double top, double bottom, const ParamAxis& axis,
                 bool flip, const std::string& label) {
  constexpr double kBar = 14;
  cairo_t* cr = canvas->cr();
  cairo_pattern_t* pattern = cairo_pattern_create_linear(0, bottom, 0, top);
  for (int i = 0; i <= 10; ++i) {
    const Color c = HeatColor(flip ? 1 - i / 10.0 : i / 10.0);
    cairo_pattern_add_color_stop_rgb(pattern, i / 10.0, c.r, c.g, c.b);
  }
  cairo_rectangle(cr, x, top, kBar, bottom - top);
  cairo_set_source(cr, pattern);
  cairo_fill(cr);
  cairo_pattern_destroy(pattern);
  canvas->Set(kMuted);
  for (const Tick& tick : axis.ticks) {
    const double y = bottom - axis.scale.Map(tick.value) * (bottom - top);
    canvas->Text(x + kBar + 5, y + 4, canvas->Fit(tick.label, 11, kHeatBarWidth - kBar - 24), 11,
                 Align::kLeft);
  }
  canvas->Set(kInk);
  canvas->Text(x - 4, top - 8, canvas->Fit(label, 12, kHeatBarWidth - 12), 12, Align::kLeft);
}

void DrawNoData(Canvas* canvas, const Area& area) {
  canvas->Set(kMuted);
  canvas->Text((area.left + area.right) / 2, (area.top + area.bottom) / 2, "no data", 16,
               Align::kCenter);
}

}  // namespace vlm::insight
