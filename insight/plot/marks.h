// Colours, line styles, point marks and the legend that curves and history share. Private to
// insight/plot.
#pragma once

#include <string>
#include <vector>

#include "insight/plot/canvas.h"

namespace vlm::insight {

// Okabe and Ito's palette without its yellow (too pale on white): distinguishable with any common
// colour blindness. jfly.uni-koeln.de/color
Color SeriesColor(size_t index);
constexpr Color kBestColor{0.00, 0.45, 0.70};
constexpr Color kPrunedColor{0.90, 0.62, 0.00};
constexpr Color kFailedColor{0.84, 0.37, 0.00};
constexpr Color kBestLineColor{0.00, 0.62, 0.45};

enum class Shape { kNone, kDot, kRing, kSquare, kCross };

// `size` is half the width, in pixels.
void DrawShape(Canvas* canvas, Shape shape, double x, double y, double size);

struct LineStyle {
  Color color = kInk;
  double alpha = 1;
  double width = 1.5;  // 0: no line.
  enum Dash { kSolid, kDashed, kDotted } dash = kSolid;
};

void SetLine(Canvas* canvas, const LineStyle& style);

struct LegendEntry {
  std::string label;
  LineStyle line;
  Shape shape = Shape::kNone;
};

// Pixels that the legend takes on the right; 0 for none.
double LegendWidth(Canvas* canvas, const std::vector<LegendEntry>& entries, int plot_width);

// From (x, y) downwards to `bottom`; entries that do not fit are counted in a last line.
void DrawLegend(Canvas* canvas, const std::vector<LegendEntry>& entries, double x, double y,
                double width, double bottom);

}  // namespace vlm::insight
