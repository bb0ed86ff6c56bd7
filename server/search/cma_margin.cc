#include "server/search/cma_margin.h"

#include <algorithm>
#include <cmath>

#include "server/search/truncated_normal.h"

namespace vlm::search {
namespace {

double NormalCdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

// How many deviations from its mean a normal is below with probability p; p < 1 / 2.
double DeviationsBelow(double p) { return -TruncatedNormalQuantiles({p}, {-40}, {40})[0]; }

}  // namespace

CmaMargin::CmaMargin(std::vector<double> steps, double margin)
    : steps_(std::move(steps)), margin_(margin), widths_(steps_.size(), 1) {
  for (double step : steps_) {
    counts_.push_back(step > 0 ? static_cast<size_t>(std::ceil((1 + step / 2) / step)) : 0);
  }
}

// Of two that are equally near the lower.
size_t CmaMargin::Nearest(size_t axis, double x) const {
  const double place = std::ceil(x / steps_[axis] - 0.5);
  return static_cast<size_t>(std::clamp(place, 0.0, static_cast<double>(counts_[axis] - 1)));
}

std::vector<double> CmaMargin::Encode(const std::vector<double>& x,
                                      const std::vector<double>& mean) const {
  std::vector<double> out = x;
  for (size_t axis = 0; axis < x.size(); ++axis) {
    if (!Discrete(axis)) continue;
    const double wide = (x[axis] - mean[axis]) * widths_[axis] + mean[axis];
    out[axis] = static_cast<double>(Nearest(axis, wide)) * steps_[axis];
  }
  return out;
}

void CmaMargin::Correct(const std::vector<double>& deviations, std::vector<double>* mean) {
  for (size_t axis = 0; axis < steps_.size(); ++axis) {
    if (Discrete(axis)) CorrectAxis(axis, deviations[axis], &(*mean)[axis]);
  }
}

// Section 4 of the paper; `low` and `high` are the ends of the mean's value.
void CmaMargin::CorrectAxis(size_t axis, double deviation, double* mean) {
  const size_t at = Nearest(axis, *mean);
  const auto limit = [&](size_t below) {  // Between a value and the next; two at least.
    return (static_cast<double>(std::min(below, counts_[axis] - 2)) + 0.5) * steps_[axis];
  };
  const double low = limit(at == 0 ? 0 : at - 1);
  const double high = limit(at);
  const double wide = deviation * widths_[axis];
  const double below = NormalCdf((low - *mean) / wide);
  const double above = NormalCdf((*mean - high) / wide);
  if (std::max(below, above) > 0.5) {  // At an end of the range: the other values stay in reach.
    if (std::min(below, above) >= margin_) return;
    const double sign = *mean > high ? 1 : (*mean < high ? -1 : 0);
    *mean = high + sign * wide * DeviationsBelow(margin_);
    return;
  }
  const double middle = 1 - below - above;
  const double floor_below = std::max(below, margin_ / 2);
  const double floor_above = std::max(above, margin_ / 2);
  const double excess = 1 - floor_below - floor_above - middle;
  const double room = floor_below + middle + floor_above - 3 * margin_ / 2;
  const auto share = [&](double p) {
    return std::clamp(p + excess * (p - margin_ / 2) / room, 1e-10, 0.5 - 1e-10);
  };
  const double to_low = DeviationsBelow(share(floor_below));
  const double to_high = DeviationsBelow(share(floor_above));
  widths_[axis] = (high - low) / ((to_low + to_high) * deviation);
  *mean = (low * to_high + high * to_low) / (to_low + to_high);
}

}  // namespace vlm::search
