#include "server/search/random_sampler.h"

#include <algorithm>
#include <cmath>

namespace vlm::search {
namespace {

double UniformFloat(const v1::FloatDistribution& d, double draw) {
  const double half = d.has_step() ? d.step() / 2 : 0;
  double low = d.low() - half;
  double high = d.high() + half;
  if (d.log()) {
    low = std::log(d.low());
    high = std::log(d.high());
  }
  const double v = low + (high - low) * draw;
  if (d.low() == d.high()) return d.low();
  if (d.log()) {
    return std::min(std::max(std::exp(v), d.low()), std::nextafter(d.high(), d.high() - 1));
  }
  if (d.has_step()) {
    return std::clamp(std::rint((v - d.low()) / d.step()) * d.step() + d.low(), d.low(), d.high());
  }
  return std::min(v, std::nextafter(d.high(), d.high() - 1));
}

double UniformInt(const v1::IntDistribution& d, double draw) {
  const double step = static_cast<double>(std::max<int64_t>(1, d.step()));
  const auto bottom = static_cast<double>(d.low());
  const auto top = static_cast<double>(d.high());
  double low = bottom - step / 2;
  double high = top + step / 2;
  if (d.log()) {
    low = std::log(low);
    high = std::log(high);
  }
  const double v = low + (high - low) * draw;
  if (d.log()) return std::clamp(std::rint(std::exp(v)), bottom, top);
  return std::clamp(std::floor((v - bottom) / step + 0.5) * step + bottom, bottom, top);
}

}  // namespace

double AtQuantile(const v1::Distribution& distribution, double place) {
  if (distribution.has_float_distribution()) {
    return UniformFloat(distribution.float_distribution(), place);
  }
  if (distribution.has_int_distribution()) {
    return UniformInt(distribution.int_distribution(), place);
  }
  const double count = distribution.categorical_distribution().choices_size();
  return std::floor(std::min(count * place, std::nextafter(count, count - 1)));
}

double SampleUniform(const v1::Distribution& distribution, RandomSource& random) {
  if (distribution.has_float_distribution()) {
    return UniformFloat(distribution.float_distribution(), random.Double());
  }
  if (distribution.has_int_distribution()) {
    return UniformInt(distribution.int_distribution(), random.Double());
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
