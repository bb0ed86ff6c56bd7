#include "insight/plot/marks.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"

namespace vlm::insight {
namespace {

constexpr double kTextSize = 12;
constexpr double kRow = 20;
constexpr double kSample = 26;  // Width of the line sample.
constexpr double kGap = 16;     // Between plot and legend.

}  // namespace

Color SeriesColor(size_t index) {
  constexpr std::array<Color, 7> kPalette{{{0.00, 0.45, 0.70},
                                           {0.90, 0.62, 0.00},
                                           {0.00, 0.62, 0.45},
                                           {0.84, 0.37, 0.00},
                                           {0.80, 0.47, 0.65},
                                           {0.34, 0.71, 0.91},
                                           {0.35, 0.35, 0.38}}};
  return kPalette.at(index % kPalette.size());
}

void DrawShape(Canvas* canvas, Shape shape, double x, double y, double size) {
  cairo_t* cr = canvas->cr();
  cairo_set_dash(cr, nullptr, 0, 0);
  cairo_new_path(cr);
  switch (shape) {
    case Shape::kNone:
      return;
    case Shape::kDot:
      cairo_arc(cr, x, y, size, 0, 6.283185307179586);
      cairo_fill(cr);
      return;
    case Shape::kRing:
      cairo_arc(cr, x, y, size, 0, 6.283185307179586);
      break;
    case Shape::kSquare:
      cairo_rectangle(cr, x - size, y - size, 2 * size, 2 * size);
      break;
    case Shape::kCross:
      cairo_move_to(cr, x - size, y - size);
      cairo_line_to(cr, x + size, y + size);
      cairo_move_to(cr, x - size, y + size);
      cairo_line_to(cr, x + size, y - size);
      break;
  }
  cairo_set_line_width(cr, 2);
  cairo_stroke(cr);
}

void SetLine(Canvas* canvas, const LineStyle& style) {
  cairo_t* cr = canvas->cr();
  canvas->Set(style.color, style.alpha);
  cairo_set_line_width(cr, style.width);
  cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
  constexpr std::array<double, 2> kDashes{6, 4};
  constexpr std::array<double, 2> kDots{1.5, 3.5};
  const double* pattern = style.dash == LineStyle::kDotted ? kDots.data() : kDashes.data();
  cairo_set_dash(cr, pattern, style.dash == LineStyle::kSolid ? 0 : 2, 0);
}

double LegendWidth(Canvas* canvas, const std::vector<LegendEntry>& entries, int plot_width) {
  double widest = 0;
  for (size_t i = 0; i < std::min<size_t>(entries.size(), 64); ++i) {
    const std::string label = canvas->Fit(entries[i].label, kTextSize, plot_width * 0.28);
    widest = std::max(widest, canvas->TextWidth(label, kTextSize));
  }
  return entries.empty() ? 0 : kGap + kSample + 8 + widest;
}

void DrawLegend(Canvas* canvas, const std::vector<LegendEntry>& entries, double x, double y,
                double width, double bottom) {
  const auto room = static_cast<size_t>(std::max(1.0, (bottom - y) / kRow));
  const size_t shown = entries.size() <= room ? entries.size() : room - 1;
  x += kGap;
  for (size_t i = 0; i < shown; ++i, y += kRow) {
    const LegendEntry& entry = entries[i];
    SetLine(canvas, entry.line);
    if (entry.line.width > 0) {
      canvas->Line(x, y, x + kSample, y, std::max(2.0, entry.line.width));
    }
    DrawShape(canvas, entry.shape, x + kSample / 2, y, 4);
    canvas->Set(kInk);
    canvas->Text(x + kSample + 8, y + kTextSize * 0.35,
                 canvas->Fit(entry.label, kTextSize, width - kGap - kSample - 8 + 1), kTextSize,
                 Align::kLeft);
  }
  if (shown == entries.size()) return;
  canvas->Set(kMuted);
  canvas->Text(x + kSample + 8, y + kTextSize * 0.35,
               absl::StrCat("+", entries.size() - shown, " more"), kTextSize, Align::kLeft);
}

}  // namespace vlm::insight
