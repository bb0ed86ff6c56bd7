// Colours for numbers, and the bar that explains them. Private to insight/plot.
#pragma once

#include <string>

#include "insight/plot/param_axis.h"

namespace vlm::insight {

// 0 (dark) .. 1 (light): matplotlib's viridis without its palest end, which is unreadable on white.
Color HeatColor(double share);

// What a bar of colours takes on the right, in pixels.
inline constexpr double kHeatBarWidth = 96;

// A bar from `top` to `bottom` at `x`; with `flip` high values are dark.
void DrawHeatBar(Canvas* canvas, double x, double top, double bottom, const ParamAxis& axis,
                 bool flip, const std::string& label);

// "no data" in the middle of an area.
void DrawNoData(Canvas* canvas, const Area& area);

}  // namespace vlm::insight
