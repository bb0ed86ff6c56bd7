#include "insight/plot/axes.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace vlm::insight {
namespace {

constexpr double kTickSize = 12;
constexpr double kLabelSize = 13;
constexpr double kTitleSize = 16;
// Beyond this a span of doubles could overflow; such values are gaps.
constexpr double kLargest = 1e300;

// 1, 2 or 5 times a power of ten, at least `raw`.
double NiceStep(double raw) {
  const double power = std::pow(10, std::floor(std::log10(raw)));
  const double ratio = raw / power;
  const double nice = ratio <= 1.001 ? 1 : ratio <= 2.001 ? 2 : ratio <= 5.001 ? 5 : 10;
  return nice * power;
}

std::string TickLabel(double value, double step) {
  const double size = std::max(std::fabs(value), step);
  if (value == 0) return "0";
  if (size >= 1e6 || step < 1e-4) {
    const double exponent = std::floor(std::log10(std::fabs(value)));
    const int digits = std::clamp(static_cast<int>(exponent - std::floor(std::log10(step))), 0, 6);
    return absl::StrFormat("%.*e", digits, value);
  }
  const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 6);
  return absl::StrFormat("%.*f", decimals, value);
}

std::vector<Tick> LogTicks(const Scale& scale, int target) {
  const int first = static_cast<int>(std::ceil(std::log10(scale.low) - 1e-9));
  const int last = static_cast<int>(std::floor(std::log10(scale.high) + 1e-9));
  const int stride = last - first < target ? 1 : (last - first) / std::max(1, target) + 1;
  std::vector<Tick> ticks;
  for (int e = first; e <= last; e += stride) {
    const double value = std::pow(10, e);
    ticks.push_back({value, e >= -3 && e <= 5 ? absl::StrCat(value) : absl::StrCat("1e", e)});
  }
  return ticks;
}

// 1, 2, 3 and 5 times the powers of ten: for log scales of under two decades.
std::vector<Tick> PartDecadeTicks(const Scale& scale) {
  std::vector<Tick> ticks;
  const int first = static_cast<int>(std::floor(std::log10(scale.low)));
  for (int e = first; e <= first + 3; ++e) {
    for (const int m : {1, 2, 3, 5}) {
      const double value = m * std::pow(10, e);
      if (value < scale.low || value > scale.high) continue;
      ticks.push_back({value, absl::StrFormat("%g", value)});
    }
  }
  return ticks;
}

}  // namespace

void Range::Add(double value) {
  if (!std::isfinite(value) || std::fabs(value) > kLargest) return;
  if (empty()) low_ = high_ = value;
  low_ = std::min(low_, value);
  high_ = std::max(high_, value);
}

double Scale::Map(double value) const {
  if (log) return (std::log(value) - std::log(low)) / (std::log(high) - std::log(low));
  return (value - low) / (high - low);
}

Scale MakeScale(const Range& range, bool log, double margin) {
  if (range.empty()) return log ? Scale{0.1, 1, true} : Scale{0, 1, false};
  double low = range.low();
  double high = range.high();
  if (log) {
    const double room = std::pow(high / low, margin);
    if (high / low < 1.0001) return {low / 1.5, high * 1.5, true};
    return {low / room, high * room, true};
  }
  const double span = high - low;
  const double least = std::max(std::fabs(low), std::fabs(high)) * 1e-9;
  if (span <= least) {
    const double room = low == 0 ? 1 : std::fabs(low) * 0.1;
    return {low - room, high + room, false};
  }
  return {low - span * margin, high + span * margin, false};
}

std::vector<Tick> MakeTicks(const Scale& scale, int target, bool whole) {
  const double ratio = scale.log ? scale.high / scale.low : 1;
  if (ratio >= 100) return LogTicks(scale, target);
  if (ratio >= 4) return PartDecadeTicks(scale);
  double step = NiceStep((scale.high - scale.low) / std::max(1, target));
  if (whole) step = std::max(1.0, step);
  std::vector<Tick> ticks;
  for (double k = std::ceil(scale.low / step - 1e-9); k * step <= scale.high + step * 1e-9; ++k) {
    ticks.push_back({k * step, TickLabel(k * step, step)});
    if (ticks.size() > 50) break;
  }
  return ticks;
}

Area LayOut(Canvas* canvas, int width, int height, const Labels& labels,
            const std::vector<Tick>& y_ticks, double legend) {
  double widest = 20;
  for (const Tick& tick : y_ticks) {
    widest = std::max(widest, canvas->TextWidth(tick.label, kTickSize));
  }
  Area area{};
  area.left = 18 + widest + 8 + (labels.y.empty() ? 0 : kLabelSize + 8);
  area.top = labels.title.empty() ? 20 : 20 + kTitleSize + 14;
  area.right = std::max(area.left + 60, width - 24 - legend);
  area.bottom = height - 20 - kTickSize - 8 - (labels.x.empty() ? 0 : kLabelSize + 8);
  return area;
}

void DrawFrame(Canvas* canvas, const Area& area, int height, const Labels& labels, const Scale& x,
               const Scale& y, const std::vector<Tick>& x_ticks, const std::vector<Tick>& y_ticks) {
  for (const Tick& tick : y_ticks) {
    const double at = std::round(area.Y(y, tick.value)) + 0.5;
    canvas->Set(kGrid);
    canvas->Line(area.left, at, area.right, at, 1);
    canvas->Set(kMuted);
    canvas->Text(area.left - 8, at + kTickSize * 0.35, tick.label, kTickSize, Align::kRight);
  }
  for (const Tick& tick : x_ticks) {
    const double at = std::round(area.X(x, tick.value)) + 0.5;
    canvas->Set(kMuted);
    canvas->Line(at, area.bottom, at, area.bottom + 4, 1);
    canvas->Text(at, area.bottom + 8 + kTickSize, tick.label, kTickSize, Align::kCenter);
  }
  canvas->Set(kMuted);
  canvas->Line(area.left, std::round(area.bottom) + 0.5, area.right, std::round(area.bottom) + 0.5,
               1);
  canvas->Set(kInk);
  if (!labels.title.empty()) {
    canvas->Text(area.left, 20 + kTitleSize * 0.8,
                 canvas->Fit(labels.title, kTitleSize, area.right - area.left, true), kTitleSize,
                 Align::kLeft, true);
  }
  canvas->Text((area.left + area.right) / 2, height - 16,
               canvas->Fit(labels.x, kLabelSize, area.right - area.left), kLabelSize,
               Align::kCenter);
  canvas->VerticalText(14 + kLabelSize * 0.5, (area.top + area.bottom) / 2,
                       canvas->Fit(labels.y, kLabelSize, area.bottom - area.top), kLabelSize);
}

}  // namespace vlm::insight
