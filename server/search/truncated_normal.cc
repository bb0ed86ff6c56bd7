#include "server/search/truncated_normal.h"

#include <cmath>
#include <cstdint>

#include "server/search/erf.h"

namespace vlm::search {
namespace {

constexpr double kSqrt2 = 1.41421356237309504880;
constexpr double kPi = 3.14159265358979323846;
constexpr int kNewtonRounds = 100;

// Python's a**2 is the C library's pow, whose result a compiler must not replace by a product.
double Square(double a) {
  volatile double two = 2;
  return std::pow(a, two);
}

double NormalCdf(double a) {
  const double x = a / kSqrt2;
  if (x < -1 / kSqrt2) return 0.5 * std::erfc(-x);
  if (x < 1 / kSqrt2) return 0.5 + 0.5 * std::erf(x);
  return 1.0 - 0.5 * std::erfc(x);
}

double LogNormalCdf(double a) {
  if (a > 6) return -NormalCdf(-a);
  if (a > -20) return std::log(NormalCdf(a));
  const double square = Square(a);
  const double left = -0.5 * square - std::log(-a) - 0.5 * std::log(2 * kPi);
  double last = 0;
  double sum = 1;
  double numerator = 1;
  double denominator = 1;
  const double inverse_square = 1 / square;
  double sign = 1;
  for (int i = 1; std::abs(last - sum) > 2.2204460492503131e-16; ++i) {
    last = sum;
    sign = -sign;
    denominator *= inverse_square;
    numerator *= 2 * i - 1;
    sum += sign * numerator * denominator;
  }
  return left + std::log(sum);
}

// log(exp(p) - exp(q)).
double LogDiff(double p, double q) { return p + std::log1p(-std::exp(q - p)); }

double LogAddExp(double x, double y) {
  if (x == y) return x + std::log(2.0);
  const double d = x - y;
  return d > 0 ? x + std::log1p(std::exp(-d)) : y + std::log1p(std::exp(d));
}

// The inverse of LogNormalCdf for a batch.
std::vector<double> InverseLogCdf(const std::vector<double>& y) {
  const size_t n = y.size();
  std::vector<double> z(n);
  std::vector<double> x(n);
  std::vector<bool> flipped(n);
  for (size_t i = 0; i < n; ++i) {
    flipped[i] = y[i] > -0.01;
    z[i] = flipped[i] ? std::log(-std::expm1(y[i])) : y[i];
    x[i] = z[i] < -5 ? -std::sqrt(-2.0 * (z[i] + kLogSqrt2Pi))
                     : -(std::sqrt(3.0) / kPi) * std::log(std::expm1(-z[i]));
  }
  // All go on until the last one has converged; who no longer moves need not be computed again.
  enum : uint8_t { kMoves, kStuck, kConverged };
  std::vector<uint8_t> rest(n, kMoves);
  for (int round = 0; round < kNewtonRounds; ++round) {
    bool converged = true;
    for (size_t i = 0; i < n; ++i) {
      if (rest[i] != kMoves) {
        converged = converged && rest[i] == kConverged;
        continue;
      }
      const double cdf = LogNormalCdf(x[i]);
      const double pdf = -(x[i] * x[i]) / 2.0 - kLogSqrt2Pi;
      const double dx = (cdf - z[i]) * std::exp(cdf - pdf);
      const double next = x[i] - dx;
      const bool small = std::abs(dx) < 1e-8 * std::abs(next);
      if (next == x[i]) rest[i] = small ? kConverged : kStuck;
      x[i] = next;
      converged = converged && small;
    }
    if (converged) break;
  }
  for (size_t i = 0; i < n; ++i) {
    if (flipped[i]) x[i] = -x[i];
  }
  return x;
}

}  // namespace

double LogGaussMass(double a, double b, Erf erf) {
  if (b <= 0) return LogDiff(LogNormalCdf(b), LogNormalCdf(a));
  if (a > 0) return LogDiff(LogNormalCdf(-a), LogNormalCdf(-b));
  const auto cdf = [erf](double x) {
    x /= kSqrt2;
    return 0.5 + 0.5 * (erf == Erf::kLibrary ? std::erf(x) : PolynomialErf(x));
  };
  return std::log1p(-cdf(a) - cdf(-b));
}

std::vector<double> TruncatedNormalQuantiles(const std::vector<double>& u,
                                             const std::vector<double>& a,
                                             const std::vector<double>& b) {
  std::vector<double> left;
  std::vector<double> right;
  size_t central = 0;
  for (size_t i = 0; i < u.size(); ++i) central += IsCentral(a[i], b[i]) ? 1 : 0;
  for (size_t i = 0; i < u.size(); ++i) {
    const double mass = LogGaussMass(a[i], b[i], ErfFor(central));
    if (a[i] < 0) {
      left.push_back(LogAddExp(LogNormalCdf(a[i]), std::log(u[i]) + mass));
    } else {
      right.push_back(LogAddExp(LogNormalCdf(-b[i]), std::log1p(-u[i]) + mass));
    }
  }
  left = InverseLogCdf(left);
  right = InverseLogCdf(right);
  std::vector<double> out(u.size());
  size_t next_left = 0;
  size_t next_right = 0;
  for (size_t i = 0; i < u.size(); ++i) {
    out[i] = a[i] < 0 ? left[next_left++] : -right[next_right++];
    if (u[i] == 0) out[i] = a[i];
    if (u[i] == 1) out[i] = b[i];
    if (a[i] == b[i]) out[i] = std::nan("");
  }
  return out;
}

}  // namespace vlm::search
