#include "server/search/random_sampler.h"

#include <algorithm>
#include <cmath>

namespace vlm::search {
namespace {

// Ends of the range in the scale, half a step wider.
std::pair<double, double> ScaledEnds(const v1::Distribution& distribution) {
  if (distribution.has_float_distribution()) {
    const auto& d = distribution.float_distribution();
    if (d.log()) return {std::log(d.low()), std::log(d.high())};
    const double half = d.has_step() ? d.step() / 2 : 0;
    return {d.low() - half, d.high() + half};
  }
  const auto& d = distribution.int_distribution();
  const double half = static_cast<double>(std::max<int64_t>(1, d.step())) / 2;
  const double low = static_cast<double>(d.low()) - half;
  const double high = static_cast<double>(d.high()) + half;
  return d.log() ? std::make_pair(std::log(low), std::log(high)) : std::make_pair(low, high);
}

double ToFloat(const v1::FloatDistribution& d, double v) {
  if (d.low() == d.high()) return d.low();
  if (d.log()) {
    return std::min(std::max(std::exp(v), d.low()), std::nextafter(d.high(), d.high() - 1));
  }
  if (d.has_step()) {
    return std::clamp(std::rint((v - d.low()) / d.step()) * d.step() + d.low(), d.low(), d.high());
  }
  return std::min(v, std::nextafter(d.high(), d.high() - 1));
}

double ToInt(const v1::IntDistribution& d, double v) {
  const double step = static_cast<double>(std::max<int64_t>(1, d.step()));
  const auto bottom = static_cast<double>(d.low());
  const auto top = static_cast<double>(d.high());
  if (d.log()) return std::clamp(std::rint(std::exp(v)), bottom, top);
  return std::clamp(std::floor((v - bottom) / step + 0.5) * step + bottom, bottom, top);
}

}  // namespace

double ToScale(const v1::Distribution& distribution, double value) {
  const bool log = distribution.has_float_distribution() ? distribution.float_distribution().log()
                                                         : distribution.int_distribution().log();
  return log ? std::log(value) : value;
}

double FromScale(const v1::Distribution& distribution, double scaled) {
  return distribution.has_float_distribution() ? ToFloat(distribution.float_distribution(), scaled)
                                               : ToInt(distribution.int_distribution(), scaled);
}

double AtQuantile(const v1::Distribution& distribution, double place) {
  if (distribution.has_categorical_distribution()) {
    const double count = distribution.categorical_distribution().choices_size();
    return std::floor(std::min(count * place, std::nextafter(count, count - 1)));
  }
  const auto [low, high] = ScaledEnds(distribution);
  return FromScale(distribution, low + (high - low) * place);
}

double QuantileOf(const v1::Distribution& distribution, double value) {
  const auto [low, high] = ScaledEnds(distribution);
  return low == high ? 0.5 : (ToScale(distribution, value) - low) / (high - low);
}

double SampleUniform(const v1::Distribution& distribution, RandomSource& random) {
  if (!distribution.has_categorical_distribution()) {
    return AtQuantile(distribution, random.Double());
  }
  int best = 0;
  double largest = -1;
  for (int i = 0; i < distribution.categorical_distribution().choices_size(); ++i) {
    const double draw = random.Double();
    if (draw > largest) {
      largest = draw;
      best = i;
    }
  }
  return best;
}

}  // namespace vlm::search
