#include "server/search/parzen.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "server/search/truncated_normal.h"

namespace vlm::search {
namespace {

constexpr size_t kFullWeights = 25;  // The newest observations that count in full.
constexpr double kInf = std::numeric_limits<double>::infinity();

// Older observations count less: a ramp from 1/n to 1, then ones.
std::vector<double> ObservationWeights(size_t n) {
  std::vector<double> weights(n, 1.0);
  if (n < kFullWeights) return weights;
  const size_t ramp = n - kFullWeights;
  const double start = 1.0 / static_cast<double>(n);
  const double step = ramp > 1 ? (1.0 - start) / static_cast<double>(ramp - 1) : 0;
  for (size_t i = 0; i < ramp; ++i) weights[i] = static_cast<double>(i) * step + start;
  if (ramp > 1) weights[ramp - 1] = 1.0;
  return weights;
}

}  // namespace

double PairwiseSum(const double* v, size_t n) {
  if (n < 8) {
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += v[i];
    return sum;
  }
  if (n <= 128) {
    double r[8];
    std::copy(v, v + 8, r);
    size_t i = 8;
    for (; i < n - n % 8; i += 8) {
      for (size_t j = 0; j < 8; ++j) r[j] += v[i + j];
    }
    double sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; ++i) sum += v[i];
    return sum;
  }
  size_t half = n / 2;
  half -= half % 8;
  return PairwiseSum(v, half) + PairwiseSum(v + half, n - half);
}

ParzenEstimator::Axis ParzenEstimator::MakeAxis(const v1::Distribution& distribution) {
  Axis axis;
  if (distribution.has_categorical_distribution()) {
    axis.categorical = true;
    return axis;
  }
  if (distribution.has_int_distribution()) {
    const auto& d = distribution.int_distribution();
    axis.log = d.log();
    axis.step = static_cast<double>(std::max<int64_t>(1, d.step()));
    axis.low = static_cast<double>(d.low());
    axis.high = static_cast<double>(d.high());
  } else {
    const auto& d = distribution.float_distribution();
    axis.log = d.log();
    axis.step = d.has_step() ? d.step() : 0;
    axis.low = d.low();
    axis.high = d.high();
  }
  axis.bottom = axis.low - axis.step / 2;
  axis.top = axis.high + axis.step / 2;
  if (axis.log) {
    axis.bottom = std::log(axis.bottom);
    axis.top = std::log(axis.top);
  }
  return axis;
}

ParzenEstimator::ParzenEstimator(const Space& space,
                                 const std::vector<std::vector<double>>& observations) {
  const size_t m = observations.size();
  kernels_ = m + 1;
  weights_ = ObservationWeights(m);
  weights_.push_back(1.0);
  const double sum = PairwiseSum(weights_.data(), weights_.size());
  for (double& w : weights_) w /= sum;
  for (double w : weights_) log_weights_.push_back(std::log(w));
  for (size_t j = 0; j < space.size(); ++j) {
    std::vector<double> values(m);
    for (size_t i = 0; i < m; ++i) values[i] = observations[i][j];
    Axis axis = MakeAxis(space[j].distribution());
    if (axis.categorical) {
      FitCategorical(
          axis,
          static_cast<size_t>(space[j].distribution().categorical_distribution().choices_size()),
          values);
    } else {
      FitNumeric(axis, values);
    }
    axes_.push_back(std::move(axis));
  }
}

void ParzenEstimator::FitCategorical(Axis& axis, size_t choices,
                                     const std::vector<double>& values) {
  const size_t m = values.size();
  axis.rows.assign(m + 1, std::vector<double>(choices, 1.0 / static_cast<double>(m + 1)));
  if (m == 0) axis.rows[0].assign(choices, 1.0 / static_cast<double>(choices));
  for (size_t i = 0; i < m; ++i) axis.rows[i][static_cast<size_t>(values[i])] += 1.0;
  for (auto& row : axis.rows) {
    const double sum = PairwiseSum(row.data(), row.size());
    for (double& w : row) w /= sum;
  }
}

void ParzenEstimator::FitNumeric(Axis& axis, const std::vector<double>& values) {
  const size_t m = values.size();
  axis.mu = values;
  if (axis.log) {
    for (double& v : axis.mu) v = std::log(v);
  }
  const double range = axis.top - axis.bottom;
  axis.sigma.assign(m, 0);
  std::vector<size_t> order(m);
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return axis.mu[a] < axis.mu[b]; });
  for (size_t k = 0; k < m; ++k) {
    const double here = axis.mu[order[k]];
    const double left = k == 0 ? axis.bottom : axis.mu[order[k - 1]];
    const double right = k + 1 == m ? axis.top : axis.mu[order[k + 1]];
    double sigma = std::max(here - left, right - here);
    if (m >= 2 && k == 0) sigma = right - here;
    if (m >= 2 && k + 1 == m) sigma = here - left;
    const double least = range / std::min(100.0, static_cast<double>(m + 2));
    axis.sigma[order[k]] = std::clamp(sigma, least, range);
  }
  axis.mu.push_back(0.5 * (axis.bottom + axis.top));
  axis.sigma.push_back(range);
  for (size_t k = 0; k <= m; ++k) {
    axis.log_mass.push_back(LogGaussMass((axis.bottom - axis.mu[k]) / axis.sigma[k],
                                         (axis.top - axis.mu[k]) / axis.sigma[k]));
  }
}

std::vector<std::vector<double>> ParzenEstimator::Sample(RandomSource& random, size_t count) const {
  std::vector<double> cumulative(kernels_);
  std::partial_sum(weights_.begin(), weights_.end(), cumulative.begin());
  const double total = cumulative.back();
  for (double& c : cumulative) c /= total;
  std::vector<size_t> chosen(count);
  for (size_t& k : chosen) {
    const double u = random.Double();
    k = static_cast<size_t>(std::upper_bound(cumulative.begin(), cumulative.end(), u) -
                            cumulative.begin());
    k = std::min(k, kernels_ - 1);
  }
  std::vector<std::vector<double>> out(count, std::vector<double>(axes_.size()));
  for (size_t j = 0; j < axes_.size(); ++j) {
    if (!axes_[j].categorical) continue;
    for (size_t i = 0; i < count; ++i) {
      const double u = random.Double();
      const auto& row = axes_[j].rows[chosen[i]];
      double sum = 0;
      size_t index = 0;
      for (size_t c = 0; c < row.size(); ++c) {
        sum += row[c];
        const double edge = c + 1 == row.size() ? 1.0 : sum;
        if (edge < u) ++index;
      }
      out[i][j] = static_cast<double>(index);
    }
  }
  std::vector<double> u, a, b;
  for (const Axis& axis : axes_) {
    if (axis.categorical) continue;
    for (size_t i = 0; i < count; ++i) {
      const size_t k = chosen[i];
      u.push_back(random.Double());
      a.push_back((axis.bottom - axis.mu[k]) / axis.sigma[k]);
      b.push_back((axis.top - axis.mu[k]) / axis.sigma[k]);
    }
  }
  const std::vector<double> quantiles = TruncatedNormalQuantiles(u, a, b);
  size_t next = 0;
  for (size_t j = 0; j < axes_.size(); ++j) {
    const Axis& axis = axes_[j];
    if (axis.categorical) continue;
    for (size_t i = 0; i < count; ++i) {
      double x = axis.mu[chosen[i]] + axis.sigma[chosen[i]] * quantiles[next++];
      if (axis.log) x = std::exp(x);
      if (axis.step > 0) {
        x = std::clamp(axis.low + std::rint((x - axis.low) / axis.step) * axis.step, axis.low,
                       axis.high);
      }
      out[i][j] = x;
    }
  }
  return out;
}

double ParzenEstimator::StepTerm(const Axis& axis, size_t kernel, double value) const {
  double low = value - axis.step / 2;
  double high = value + axis.step / 2;
  if (axis.log) {
    low = std::log(low);
    high = std::log(high);
  }
  return LogGaussMass((low - axis.mu[kernel]) / axis.sigma[kernel],
                      (high - axis.mu[kernel]) / axis.sigma[kernel]) -
         axis.log_mass[kernel];
}

double ParzenEstimator::LogDensity(const std::vector<double>& candidate) const {
  std::vector<double> terms(kernels_, 0.0);
  double largest = -kInf;
  for (size_t k = 0; k < kernels_; ++k) {
    double continuous = 0;
    for (size_t j = 0; j < axes_.size(); ++j) {
      const Axis& axis = axes_[j];
      if (axis.categorical) {
        terms[k] += std::log(axis.rows[k][static_cast<size_t>(candidate[j])]);
      } else if (axis.step > 0) {
        terms[k] += StepTerm(axis, k, candidate[j]);
      } else {
        const double x = axis.log ? std::log(candidate[j]) : candidate[j];
        const double z = (x - axis.mu[k]) / axis.sigma[k];
        const bool inside = x >= axis.bottom && x <= axis.top;
        continuous +=
            inside ? -(z * z) / 2.0 - kLogSqrt2Pi - axis.log_mass[k] - std::log(axis.sigma[k])
                   : -kInf;
      }
    }
    terms[k] += continuous;
    terms[k] += log_weights_[k];
    largest = std::max(largest, terms[k]);
  }
  if (largest == -kInf) return -kInf;
  for (double& t : terms) t = std::exp(t - largest);
  return std::log(PairwiseSum(terms.data(), terms.size())) + largest;
}

}  // namespace vlm::search
