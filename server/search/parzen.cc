#include "server/search/parzen.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "absl/container/flat_hash_set.h"
#include "server/search/parzen_fast.h"

namespace vlm::search {
namespace {

constexpr size_t kFullWeights = 25;  // The newest observations that count in full.
constexpr double kInf = std::numeric_limits<double>::infinity();

// Older observations count less: a ramp from 1/n to 1, then ones.
void RampWeights(size_t n, std::vector<double>& weights) {
  weights.assign(n, 1.0);
  if (n < kFullWeights) return;
  const size_t ramp = n - kFullWeights;
  const double start = 1.0 / static_cast<double>(n);
  const double step = ramp > 1 ? (1.0 - start) / static_cast<double>(ramp - 1) : 0;
  for (size_t i = 0; i < ramp; ++i) weights[i] = static_cast<double>(i) * step + start;
  if (ramp > 1) weights[ramp - 1] = 1.0;
}

// The different values of an axis, ascending.
std::vector<double> ValuesOf(size_t axis, const Candidates& candidates) {
  std::vector<double> values;
  for (const auto& candidate : candidates) values.push_back(candidate[axis]);
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

}  // namespace

ParzenEstimator::ParzenEstimator(const Space& space, Weights weights, Argsort sort)
    : kind_(weights) {
  for (const v1::SearchParam& param : space) axes_.emplace_back(param.distribution(), sort);
  caches_.resize(axes_.size());
}

void ParzenEstimator::Insert(int64_t number, const std::vector<double>& values) {
  const auto place = std::lower_bound(numbers_.begin(), numbers_.end(), number);
  const auto position = static_cast<size_t>(place - numbers_.begin());
  numbers_.insert(place, number);
  for (size_t j = 0; j < axes_.size(); ++j) axes_[j].Insert(position, values[j]);
  fitted_ = false;
}

bool ParzenEstimator::Remove(int64_t number) {
  const auto place = std::lower_bound(numbers_.begin(), numbers_.end(), number);
  if (place == numbers_.end() || *place != number) return false;
  const auto position = static_cast<size_t>(place - numbers_.begin());
  numbers_.erase(place);
  for (ParzenAxis& axis : axes_) axis.Remove(position);
  fitted_ = false;
  return true;
}

void ParzenEstimator::FitWeights() {
  const size_t m = numbers_.size();
  if (kind_ == Weights::kRamp) {
    RampWeights(m, weights_);
  } else {
    weights_.assign(m, 1.0);
  }
  weights_.push_back(1.0);
  const double sum = PairwiseSum(weights_.data(), weights_.size());
  for (double& w : weights_) w /= sum;
  log_weights_.clear();
}

void ParzenEstimator::Fit() {
  if (fitted_) return;
  fitted_ = true;
  FitWeights();
  size_t central = 0;  // Optuna evaluates the masses of all continuous names as one array.
  for (ParzenAxis& axis : axes_) {
    axis.Fit();
    if (axis.continuous()) central += axis.central();
  }
  constants_.assign(weights_.size(), 0);
  for (ParzenAxis& axis : axes_) {
    if (axis.range().categorical) continue;
    axis.FitMasses(axis.continuous() ? ErfFor(central) : ErfFor(axis.CountPairs()));
    for (size_t k = 0; k < constants_.size(); ++k) {
      constants_[k] -= axis.log_mass()[k];
      if (axis.continuous()) constants_[k] -= axis.log_sigma()[k] + kLogSqrt2Pi;
    }
  }
}

Candidates ParzenEstimator::Sample(RandomSource& random, size_t count) const {
  std::vector<double> cumulative(weights_.size());
  std::partial_sum(weights_.begin(), weights_.end(), cumulative.begin());
  const double total = cumulative.back();
  for (double& c : cumulative) c /= total;
  std::vector<size_t> chosen(count);
  for (size_t& k : chosen) {
    const double u = random.Double();
    k = static_cast<size_t>(std::upper_bound(cumulative.begin(), cumulative.end(), u) -
                            cumulative.begin());
    k = std::min(k, weights_.size() - 1);
  }
  Candidates out(count, std::vector<double>(axes_.size()));
  for (size_t j = 0; j < axes_.size(); ++j) {
    if (!axes_[j].range().categorical) continue;
    const size_t choices = axes_[j].range().choices;
    for (size_t i = 0; i < count; ++i) {
      const double u = random.Double();
      const double* row = axes_[j].Row(chosen[i]);
      double sum = 0;
      size_t index = 0;
      for (size_t c = 0; c < choices; ++c) {
        sum += row[c];
        const double edge = c + 1 == choices ? 1.0 : sum;
        if (edge < u) ++index;
      }
      out[i][j] = static_cast<double>(index);
    }
  }
  SampleNumeric(random, chosen, out);
  return out;
}

void ParzenEstimator::SampleNumeric(RandomSource& random, const std::vector<size_t>& chosen,
                                    Candidates& out) const {
  std::vector<double> u, a, b;
  for (const ParzenAxis& axis : axes_) {
    const KernelRange& range = axis.range();
    if (range.categorical) continue;
    for (size_t k : chosen) {
      u.push_back(random.Double());
      a.push_back((range.bottom - axis.mu()[k]) / axis.sigma()[k]);
      b.push_back((range.top - axis.mu()[k]) / axis.sigma()[k]);
    }
  }
  const std::vector<double> quantiles = TruncatedNormalQuantiles(u, a, b);
  size_t next = 0;
  for (size_t j = 0; j < axes_.size(); ++j) {
    const KernelRange& range = axes_[j].range();
    if (range.categorical) continue;
    for (size_t i = 0; i < chosen.size(); ++i) {
      double x = quantiles[next++] * axes_[j].sigma()[chosen[i]] + axes_[j].mu()[chosen[i]];
      if (range.log) x = std::exp(x);
      if (range.step > 0) {
        x = range.low + std::rint((x - range.low) / range.step) * range.step;
        x = std::min(std::max(x, range.low), range.high);
      }
      out[i][j] = x;
    }
  }
}

bool ParzenEstimator::AllInside(const Candidates& candidates) const {
  for (size_t j = 0; j < axes_.size(); ++j) {
    const KernelRange& range = axes_[j].range();
    if (!axes_[j].continuous()) continue;
    for (const auto& candidate : candidates) {
      if (!(candidate[j] >= range.low && candidate[j] <= range.high)) return false;
    }
  }
  return true;
}

const double* ParzenEstimator::CellMasses::Row(double value, size_t pairs) const {
  const auto at = std::lower_bound(values.begin(), values.end(), value);
  return &masses[static_cast<size_t>(at - values.begin()) * pairs];
}

// As Optuna, evaluates each different value under each different kernel once; how many of those are
// central decides about erf.
ParzenEstimator::CellMasses ParzenEstimator::MassesOf(size_t j,
                                                      const Candidates& candidates) const {
  const ParzenAxis& axis = axes_[j];
  CellMasses out{ValuesOf(j, candidates), {}};
  std::vector<std::pair<double, double>> ends;
  ends.reserve(out.values.size() * axis.pairs().size());
  for (double value : out.values) {
    const auto [left, right] = Cell(axis.range(), value);
    for (uint32_t k : axis.pairs()) {
      ends.emplace_back((left - axis.mu()[k]) / axis.sigma()[k],
                        (right - axis.mu()[k]) / axis.sigma()[k]);
    }
  }
  absl::flat_hash_set<std::pair<double, double>> central;
  if (ends.size() >= kBigArray) {
    for (const auto& end : ends) {
      if (IsCentral(end.first, end.second)) central.insert(end);
      if (central.size() >= kBigArray) break;
    }
  }
  const Erf erf = ErfFor(central.size());
  out.masses.reserve(ends.size());
  for (const auto& [left, right] : ends) out.masses.push_back(LogGaussMass(left, right, erf));
  return out;
}

void ParzenEstimator::AddCategorical(size_t j, const Candidates& candidates,
                                     const std::vector<size_t>& chosen,
                                     std::vector<double>& terms) const {
  const size_t kernels = weights_.size();
  for (size_t i = 0; i < chosen.size(); ++i) {
    const auto choice = static_cast<size_t>(candidates[chosen[i]][j]);
    for (size_t k = 0; k < kernels; ++k) terms[i * kernels + k] += axes_[j].LogRow(k)[choice];
  }
}

void ParzenEstimator::AddStepped(size_t j, const Candidates& candidates,
                                 const std::vector<size_t>& chosen,
                                 std::vector<double>& terms) const {
  const ParzenAxis& axis = axes_[j];
  const CellMasses masses = MassesOf(j, candidates);
  const size_t kernels = weights_.size();
  for (size_t i = 0; i < chosen.size(); ++i) {
    const double* row = masses.Row(candidates[chosen[i]][j], axis.pairs().size());
    for (size_t k = 0; k < kernels; ++k) {
      terms[i * kernels + k] += row[axis.pair_of()[k]];
      terms[i * kernels + k] -= axis.log_mass()[k];
    }
  }
}

void ParzenEstimator::AddContinuous(const Candidates& candidates, const std::vector<size_t>& chosen,
                                    std::vector<double>& terms) const {
  std::vector<size_t> names;
  for (size_t j = 0; j < axes_.size(); ++j) {
    if (axes_[j].continuous()) names.push_back(j);
  }
  if (names.empty()) return;
  const size_t kernels = weights_.size();
  std::vector<double> parts(names.size());
  std::vector<double> x(names.size());
  for (size_t i = 0; i < chosen.size(); ++i) {
    for (size_t n = 0; n < names.size(); ++n) {
      const double value = candidates[chosen[i]][names[n]];
      x[n] = axes_[names[n]].range().log ? std::log(value) : value;
    }
    for (size_t k = 0; k < kernels; ++k) {
      for (size_t n = 0; n < names.size(); ++n) {
        const ParzenAxis& axis = axes_[names[n]];
        const double mu = axis.mu()[k];
        const double sigma = axis.sigma()[k];
        const double z = (x[n] - mu) / sigma;
        const bool outside =
            z < (axis.range().bottom - mu) / sigma || z > (axis.range().top - mu) / sigma;
        parts[n] = outside
                       ? -kInf
                       : -(z * z) / 2.0 - kLogSqrt2Pi - axis.log_mass()[k] - axis.log_sigma()[k];
      }
      terms[i * kernels + k] += PairwiseSum(parts.data(), parts.size());
    }
  }
}

std::vector<double> ParzenEstimator::LogDensities(const Candidates& candidates,
                                                  const std::vector<size_t>& chosen) {
  const size_t kernels = weights_.size();
  if (log_weights_.empty()) {
    for (double w : weights_) log_weights_.push_back(std::log(w));
  }
  std::vector<double> terms(chosen.size() * kernels, 0.0);
  for (size_t j = 0; j < axes_.size(); ++j) {
    if (axes_[j].range().categorical) AddCategorical(j, candidates, chosen, terms);
    if (axes_[j].range().step > 0) AddStepped(j, candidates, chosen, terms);
  }
  AddContinuous(candidates, chosen, terms);
  std::vector<double> out;
  for (size_t i = 0; i < chosen.size(); ++i) {
    double* row = &terms[i * kernels];
    double largest = -kInf;
    for (size_t k = 0; k < kernels; ++k) {
      row[k] += log_weights_[k];
      largest = std::max(largest, row[k]);
    }
    if (largest == -kInf) largest = 0;
    for (size_t k = 0; k < kernels; ++k) row[k] = std::exp(row[k] - largest);
    out.push_back(std::log(PairwiseSum(row, kernels)) + largest);
  }
  return out;
}

std::vector<double> ParzenEstimator::EstimateLogDensities(const Candidates& candidates) {
  const size_t kernels = weights_.size();
  std::vector<CellMasses> masses(axes_.size());
  for (size_t j = 0; j < axes_.size(); ++j) {
    if (axes_[j].range().step <= 0) continue;
    masses[j].values = ValuesOf(j, candidates);
    if (!caches_[j].Fill(axes_[j], masses[j].values, &masses[j].masses)) {
      masses[j] = MassesOf(j, candidates);
    }
  }
  std::vector<double> out;
  std::vector<double> exponents;
  std::vector<double> column;
  for (const auto& candidate : candidates) {
    exponents = constants_;
    for (size_t j = 0; j < axes_.size(); ++j) {
      const ParzenAxis& axis = axes_[j];
      if (axis.range().categorical) {
        axis.LogColumn(static_cast<size_t>(candidate[j]), &column);
        AddFromTable(column.data(), axis.row_of().data(), kernels, exponents.data());
      } else if (axis.continuous()) {
        SubtractHalfSquares(axis.range().log ? std::log(candidate[j]) : candidate[j],
                            axis.mu().data(), axis.inverse_sigma().data(), kernels,
                            exponents.data());
      } else {
        AddFromTable(masses[j].Row(candidate[j], axis.pairs().size()), axis.pair_of().data(),
                     kernels, exponents.data());
      }
    }
    out.push_back(LogWeightedExpSum(weights_.data(), kernels, exponents.data()));
  }
  return out;
}

}  // namespace vlm::search
