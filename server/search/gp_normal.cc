#include "server/search/gp_normal.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vlm::search::gp {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kLogSqrtTwoPi = 0.91893853320467274178;
constexpr double kSqrtHalf = 0.70710678118654752440;
constexpr double kInvSqrtTwoPi = 0.39894228040143267794;
// Below it erfc loses digits to cancellation and then underflows; the series of Mills' ratio in
// 1 / z^2 has more than 10 exact digits there.
constexpr double kFarTail = -25;

}  // namespace

double LogNormalDensity(double z) { return -0.5 * z * z - kLogSqrtTwoPi; }

double LogNormalCdf(double z) {
  if (z > 5) return std::log1p(-0.5 * std::erfc(z * kSqrtHalf));
  if (z > kFarTail) return std::log(0.5 * std::erfc(-z * kSqrtHalf));
  const double t = 1 / (z * z);
  const double series = t * (-1 + t * (3 + t * (-15 + t * (105 - t * 945))));
  return LogNormalDensity(z) - std::log(-z) + std::log1p(series);
}

double LogStandardImprovement(double z) {
  if (z > kFarTail) {
    return std::log(0.5 * z * std::erfc(-z * kSqrtHalf) + kInvSqrtTwoPi * std::exp(-0.5 * z * z));
  }
  const double t = 1 / (z * z);
  const double series = t * (-3 + t * (15 + t * (-105 + t * (945 - t * 10395))));
  return LogNormalDensity(z) - 2 * std::log(-z) + std::log1p(series);
}

double LogDifference(double a, double b) {
  if (!(b < a)) return -kInf;
  const double gap = b - a;  // The smaller of the two forms cancels (Maechler 2012).
  return a +
         (gap > -0.69314718055994530942 ? std::log(-std::expm1(gap)) : std::log1p(-std::exp(gap)));
}

double LogSum(double a, double b) {
  const double high = std::max(a, b);
  if (high == -kInf) return high;
  return high + std::log1p(std::exp(std::min(a, b) - high));
}

}  // namespace vlm::search::gp
