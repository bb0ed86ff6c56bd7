#include "insight/plot/history.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_format.h"
#include "common/status.h"
#include "insight/plot/axes.h"
#include "insight/plot/canvas.h"
#include "insight/plot/marks.h"

namespace vlm::insight {
namespace {

// And feasible, so that it may be the best.
bool Complete(const HistoryTrial& t) {
  return t.mark == TrialMark::kNormal || t.mark == TrialMark::kBest;
}

struct Look {
  Shape shape;
  Color color;
};

Look LookOf(const HistoryTrial& t) {
  if (t.mark == TrialMark::kPruned) return {Shape::kSquare, kPrunedColor};
  if (t.mark == TrialMark::kFailed) return {Shape::kCross, kFailedColor};
  if (t.mark == TrialMark::kInfeasible) return {Shape::kDot, kMuted};
  return {Shape::kDot, kBestColor};
}

// Sorted by number; values that cannot be shown are NaN.
std::vector<HistoryTrial> Prepare(const std::vector<HistoryTrial>& trials, bool log_y) {
  std::vector<HistoryTrial> out = trials;
  std::sort(out.begin(), out.end(),
            [](const HistoryTrial& a, const HistoryTrial& b) { return a.number < b.number; });
  for (HistoryTrial& t : out) {
    const bool shown = std::fabs(t.value) <= 1e300 && (!log_y || t.value > 0);
    if (!shown) t.value = std::nan("");
  }
  return out;
}

// The trials at which the best value improved.
std::vector<HistoryTrial> Improvements(const std::vector<HistoryTrial>& trials, bool maximize) {
  std::vector<HistoryTrial> out;
  for (const HistoryTrial& t : trials) {
    if (!Complete(t) || !std::isfinite(t.value)) continue;
    const bool better =
        out.empty() || (maximize ? t.value > out.back().value : t.value < out.back().value);
    if (better) out.push_back(t);
  }
  return out;
}

// What COMPLETE trials span; all of them when there is none.
Range ValueRange(const std::vector<HistoryTrial>& trials) {
  Range range;
  for (const bool complete : {true, false}) {
    for (const HistoryTrial& t : trials) {
      if (!complete || t.mark != TrialMark::kFailed) range.Add(t.value);
    }
    if (!range.empty()) break;
  }
  return range;
}

void DrawBestLine(Canvas* canvas, const Area& area, const Scale& x, const Scale& y,
                  const std::vector<HistoryTrial>& best, double last_number,
                  const LineStyle& style) {
  if (best.empty()) return;
  SetLine(canvas, style);
  cairo_t* cr = canvas->cr();
  cairo_move_to(cr, area.X(x, static_cast<double>(best.front().number)),
                area.Y(y, best.front().value));
  for (size_t i = 1; i < best.size(); ++i) {
    const double px = area.X(x, static_cast<double>(best[i].number));
    cairo_line_to(cr, px, area.Y(y, best[i - 1].value));
    cairo_line_to(cr, px, area.Y(y, best[i].value));
  }
  cairo_line_to(cr, area.X(x, last_number), area.Y(y, best.back().value));
  cairo_stroke(cr);
}

// A ring around the best trial and its value beside it, on the side where there is room.
void DrawBestMark(Canvas* canvas, const Area& area, const Scale& x, const Scale& y,
                  const HistoryTrial& best) {
  const double px = area.X(x, static_cast<double>(best.number));
  const double py = area.Y(y, best.value);
  canvas->Set(kInk);
  DrawShape(canvas, Shape::kRing, px, py, 8);
  const bool left_half = px < (area.left + area.right) / 2;
  const bool top_half = py < area.top + 30;
  const std::string text = absl::StrFormat("trial %d: %.6g", best.number, best.value);
  const double width = canvas->TextWidth(text, 12, true);
  const double x0 = left_half ? px + 12 : px - 12 - width;
  const double y0 = py + (top_half ? 20 : -12);
  canvas->Set(kPaper, 0.85);  // Points below the text must not make it unreadable.
  cairo_rectangle(canvas->cr(), x0 - 3, y0 - 12, width + 6, 16);
  cairo_fill(canvas->cr());
  canvas->Set(kInk);
  canvas->Text(x0, y0, text, 12, Align::kLeft, true);
}

std::vector<LegendEntry> MakeLegend(const std::vector<HistoryTrial>& trials,
                                    const LineStyle& best_line) {
  const auto any = [&](auto predicate) {
    return std::any_of(trials.begin(), trials.end(), predicate);
  };
  std::vector<LegendEntry> entries;
  if (any(Complete)) {
    entries.push_back({"complete", {kBestColor, 1, 0}, Shape::kDot});
    entries.push_back({"best so far", best_line, Shape::kNone});
  }
  if (any([](const HistoryTrial& t) { return t.mark == TrialMark::kInfeasible; })) {
    entries.push_back({"infeasible", {kMuted, 1, 0}, Shape::kDot});
  }
  if (any([](const HistoryTrial& t) { return t.mark == TrialMark::kPruned; })) {
    entries.push_back({"pruned", {kPrunedColor, 1, 0}, Shape::kSquare});
  }
  if (any([](const HistoryTrial& t) { return t.mark == TrialMark::kFailed; })) {
    entries.push_back({"failed", {kFailedColor, 1, 0}, Shape::kCross});
  }
  return entries;
}

}  // namespace

absl::Status PlotHistory(const std::vector<HistoryTrial>& input, const HistoryOptions& options,
                         const std::string& path) {
  ASSIGN_OR_RETURN(auto canvas, Canvas::Open(path, options.width, options.height));
  const std::vector<HistoryTrial> trials = Prepare(input, options.log_y);
  const std::vector<HistoryTrial> best = Improvements(trials, options.maximize);
  Range numbers;
  for (const HistoryTrial& t : trials) numbers.Add(static_cast<double>(t.number));
  const Range values = ValueRange(trials);
  const Scale x = MakeScale(numbers, false, 0.03);
  const Scale y = MakeScale(values, options.log_y, 0.08);
  const auto y_ticks = MakeTicks(y, std::clamp(options.height / 70, 3, 10), false);
  const auto x_ticks = MakeTicks(x, std::clamp(options.width / 110, 3, 12), true);
  const LineStyle best_line{kBestLineColor, 1, 2, LineStyle::kSolid};
  const std::vector<LegendEntry> legend = MakeLegend(trials, best_line);
  const Labels labels{options.title, "trial", options.y_label};
  const double legend_width = LegendWidth(canvas.get(), legend, options.width);
  const Area area =
      LayOut(canvas.get(), options.width, options.height, labels, y_ticks, legend_width);
  DrawFrame(canvas.get(), area, options.height, labels, x, y, x_ticks, y_ticks);
  DrawBestLine(canvas.get(), area, x, y, best, numbers.high(), best_line);
  for (const HistoryTrial& t : trials) {
    const Look look = LookOf(t);
    canvas->Set(look.color);
    const double py = std::isfinite(t.value) ? std::clamp(area.Y(y, t.value), area.top, area.bottom)
                                             : area.bottom - 6;
    DrawShape(canvas.get(), look.shape, area.X(x, static_cast<double>(t.number)), py,
              trials.size() > 500 ? 2 : 4);
  }
  if (!best.empty()) DrawBestMark(canvas.get(), area, x, y, best.back());
  DrawLegend(canvas.get(), legend, area.right, area.top + 8, legend_width, area.bottom);
  if (trials.empty()) {
    canvas->Set(kMuted);
    canvas->Text((area.left + area.right) / 2, (area.top + area.bottom) / 2, "no trials", 16,
                 Align::kCenter);
  }
  return canvas->Finish();
}

}  // namespace vlm::insight
