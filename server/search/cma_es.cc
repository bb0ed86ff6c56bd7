#include "server/search/cma_es.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace vlm::search {
namespace {

constexpr double kEpsilon = 1e-8;  // In the place of eigenvalues below 0.
constexpr double kMaxSigma = 1e32;
constexpr int kResampling = 10;  // Tries a dimension to draw inside the cube.

double Norm(const std::vector<double>& v) {
  return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
}

}  // namespace

CmaEs::CmaEs(const Options& options)
    : n_(options.dimensions),
      separable_(options.separable && options.dimensions > 1),
      population_(options.population_size),
      sigma_(std::max(options.sigma, 1e-10)),
      mean_(n_, 0.5),
      p_sigma_(n_, 0),
      p_c_(n_, 0) {
  const auto n = static_cast<double>(n_);
  if (population_ == 0) population_ = 4 + static_cast<size_t>(std::floor(3 * std::log(n)));
  mu_ = population_ / 2;
  chi_n_ = std::sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));
  covariance_.assign(separable_ ? n_ : n_ * n_, separable_ ? 1 : 0);
  for (size_t i = 0; i < n_ && !separable_; ++i) covariance_[i * n_ + i] = 1;
  if (!options.mean.empty()) mean_ = options.mean;
  if (!options.covariance.empty()) covariance_ = options.covariance;
  if (!options.steps.empty()) {
    margin_.emplace(options.steps, 1 / (n * static_cast<double>(population_)));
  }
  if (separable_) {
    MakeSeparableConstants();
  } else {
    MakeConstants();
  }
}

// Equations 49 to 56.
void CmaEs::MakeConstants() {
  const auto n = static_cast<double>(n_);
  double plus = 0, plus_square = 0, minus = 0, minus_square = 0;
  for (size_t i = 0; i < population_; ++i) {
    const double w =
        std::log((static_cast<double>(population_) + 1) / 2) - std::log(static_cast<double>(i) + 1);
    weights_.push_back(w);
    (i < mu_ ? plus : minus) += w;
    (i < mu_ ? plus_square : minus_square) += w * w;
  }
  mu_eff_ = plus * plus / plus_square;
  const double mu_eff_minus = minus * minus / minus_square;
  c1_ = 2 / ((n + 1.3) * (n + 1.3) + mu_eff_);
  cmu_ = std::min(1 - c1_ - 1e-8, 2 * (mu_eff_ - 2 + 1 / mu_eff_) / ((n + 2) * (n + 2) + mu_eff_));
  const double least = std::min(
      {1 + c1_ / cmu_, 1 + 2 * mu_eff_minus / (mu_eff_ + 2), (1 - c1_ - cmu_) / (n * cmu_)});
  double positive = 0, negative = 0;
  for (double w : weights_) (w > 0 ? positive : negative) += std::abs(w);
  for (double& w : weights_) w *= w >= 0 ? 1 / positive : least / negative;
  c_sigma_ = (mu_eff_ + 2) / (n + mu_eff_ + 5);
  d_sigma_ = 1 + 2 * std::max(0.0, std::sqrt((mu_eff_ - 1) / (n + 1)) - 1) + c_sigma_;
  cc_ = (4 + mu_eff_ / n) / (n + 4 + 2 * mu_eff_ / n);
}

void CmaEs::MakeSeparableConstants() {
  const auto n = static_cast<double>(n_);
  double sum = 0, squares = 0;
  for (size_t i = 0; i < mu_; ++i) {
    weights_.push_back(std::log(static_cast<double>(mu_) + 1) -
                       std::log(static_cast<double>(i) + 1));
    sum += weights_.back();
  }
  for (double& w : weights_) {
    w /= sum;
    squares += w * w;
  }
  mu_eff_ = 1 / squares;
  c1_ = 2 / ((n + 1.3) * (n + 1.3) + mu_eff_);
  const double root = n + std::sqrt(2.0);
  const double full =
      2 / mu_eff_ / (root * root) +
      (1 - 1 / mu_eff_) * std::min(1.0, (2 * mu_eff_ - 1) / ((n + 2) * (n + 2) + mu_eff_));
  cmu_ = (n + 2) / 3 * full;
  c_sigma_ = (mu_eff_ + 2) / (n + mu_eff_ + 3);
  d_sigma_ = 1 + 2 * std::max(0.0, std::sqrt((mu_eff_ - 1) / (n + 1)) - 1) + c_sigma_;
  cc_ = 4 / (n + 4);
}

void CmaEs::Decompose() {
  if (decomposed_) return;
  decomposed_ = true;
  Vector values = covariance_;
  if (!separable_) SymmetricEigen(n_, covariance_, &values, &basis_);
  scale_.resize(n_);
  for (size_t i = 0; i < n_; ++i) scale_[i] = std::sqrt(values[i] < 0 ? kEpsilon : values[i]);
}

// mean + sigma B D z with standard normals z (Marsaglia's polar method, as numpy's randn).
CmaEs::Vector CmaEs::Draw(RandomSource& random) {
  const auto normal = [&] {
    if (has_normal_) {
      has_normal_ = false;
      return normal_;
    }
    double x = 0, y = 0, r = 0;
    do {
      x = 2 * random.Double() - 1;
      y = 2 * random.Double() - 1;
      r = x * x + y * y;
    } while (r >= 1 || r == 0);
    const double f = std::sqrt(-2 * std::log(r) / r);
    has_normal_ = true;
    normal_ = f * x;
    return f * y;
  };
  Vector z(n_);
  for (size_t i = 0; i < n_; ++i) z[i] = normal();
  Vector out = mean_;
  for (size_t i = 0; i < n_; ++i) {
    double y = scale_[i] * z[i];
    if (!separable_) {
      y = 0;
      for (size_t j = 0; j < n_; ++j) y += basis_[i * n_ + j] * scale_[j] * z[j];
    }
    out[i] += sigma_ * y;
  }
  return out;
}

CmaEs::Vector CmaEs::Ask(uint32_t seed) {
  Decompose();
  RandomSource random(seed);
  has_normal_ = false;
  const auto discrete = [this](size_t axis) { return margin_ && margin_->Discrete(axis); };
  Vector x;
  for (size_t i = 0; i < kResampling * n_; ++i) {
    x = Draw(random);
    bool inside = true;
    for (size_t k = 0; k < n_; ++k) inside &= discrete(k) || (x[k] >= 0 && x[k] <= 1);
    if (inside) return x;
  }
  x = Draw(random);
  for (size_t k = 0; k < n_; ++k) {
    if (!discrete(k)) x[k] = std::clamp(x[k], 0.0, 1.0);
  }
  return x;
}

CmaEs::Vector CmaEs::Encode(const Vector& x) const {
  return margin_ ? margin_->Encode(x, mean_) : x;
}

// Of each parameter.
CmaEs::Vector CmaEs::Deviations() const {
  Vector out(n_);
  for (size_t i = 0; i < n_; ++i) {
    out[i] = sigma_ * std::sqrt(covariance_[separable_ ? i : i * n_ + i]);
  }
  return out;
}

CmaEs::Vector CmaEs::Whiten(const Vector& y) const {
  Vector out(n_, 0);
  for (size_t j = 0; j < n_; ++j) {
    if (separable_) {
      out[j] = y[j] / scale_[j];
      continue;
    }
    double along = 0;
    for (size_t i = 0; i < n_; ++i) along += basis_[i * n_ + j] * y[i];
    for (size_t i = 0; i < n_; ++i) out[i] += basis_[i * n_ + j] * along / scale_[j];
  }
  return out;
}

void CmaEs::Tell(std::vector<Solution> solutions) {
  ++generation_;
  std::stable_sort(solutions.begin(), solutions.end(),
                   [](const Solution& a, const Solution& b) { return a.loss < b.loss; });
  Decompose();
  std::vector<Vector> steps;
  for (const Solution& solution : solutions) {
    Vector& y = steps.emplace_back(n_);
    for (size_t i = 0; i < n_; ++i) y[i] = (solution.x[i] - mean_[i]) / sigma_;
  }
  Vector mean_step(n_, 0);  // Equation 41.
  for (size_t k = 0; k < mu_; ++k) {
    for (size_t i = 0; i < n_; ++i) mean_step[i] += weights_[k] * steps[k][i];
  }
  const Vector white = Whiten(mean_step);
  const double path = std::sqrt(c_sigma_ * (2 - c_sigma_) * mu_eff_);
  for (size_t i = 0; i < n_; ++i) {
    mean_[i] += sigma_ * mean_step[i];
    p_sigma_[i] = (1 - c_sigma_) * p_sigma_[i] + path * white[i];
  }
  const double norm = Norm(p_sigma_);
  sigma_ = std::min(sigma_ * std::exp(c_sigma_ / d_sigma_ * (norm / chi_n_ - 1)), kMaxSigma);
  const double shrunk =
      norm / std::sqrt(1 - std::pow(1 - c_sigma_, 2 * (static_cast<double>(generation_) + 1)));
  const double h_sigma = shrunk < (1.4 + 2 / (static_cast<double>(n_) + 1)) * chi_n_ ? 1 : 0;
  for (size_t i = 0; i < n_; ++i) {  // Equation 45.
    p_c_[i] = (1 - cc_) * p_c_[i] + h_sigma * std::sqrt(cc_ * (2 - cc_) * mu_eff_) * mean_step[i];
  }
  AdaptCovariance(steps, h_sigma);
  decomposed_ = false;
  if (margin_) margin_->Correct(Deviations(), &mean_);
}

// Equations 46 and 47.
void CmaEs::AdaptCovariance(const std::vector<Vector>& steps, double h_sigma) {
  const double sum = std::accumulate(weights_.begin(), weights_.end(), 0.0);
  const double keep = 1 + c1_ * (1 - h_sigma) * cc_ * (2 - cc_) - c1_ - cmu_ * sum;
  for (double& c : covariance_) c *= keep;
  const auto add = [this](const Vector& v, double weight) {
    for (size_t i = 0; i < n_; ++i) {
      if (separable_) {
        covariance_[i] += weight * v[i] * v[i];
        continue;
      }
      for (size_t j = 0; j < n_; ++j) covariance_[i * n_ + j] += weight * v[i] * v[j];
    }
  };
  add(p_c_, c1_);
  for (size_t k = 0; k < weights_.size(); ++k) {
    double weight = weights_[k];
    if (weight < 0) {
      const double norm = Norm(Whiten(steps[k]));
      weight *= static_cast<double>(n_) / (norm * norm + kEpsilon);
    }
    add(steps[k], cmu_ * weight);
  }
}

std::string CmaEs::State() const {
  std::string state = absl::StrCat(generation_);
  absl::StrAppendFormat(&state, " %a", sigma_);
  for (const Vector* vector : {&mean_, &p_sigma_, &p_c_, &covariance_}) {
    for (double v : *vector) absl::StrAppendFormat(&state, " %a", v);
  }
  for (size_t i = 0; margin_ && i < n_; ++i) {
    absl::StrAppendFormat(&state, " %a", margin_->widths()[i]);
  }
  return state;
}

bool CmaEs::Restore(const std::string& state) {
  const std::vector<std::string> words = absl::StrSplit(state, ' ');
  if (words.size() != 2 + (margin_ ? 4 : 3) * n_ + covariance_.size()) return false;
  if (!absl::SimpleAtoi(words[0], &generation_)) return false;
  size_t next = 1;
  const auto read = [&](double& out) {
    char* end = nullptr;
    out = std::strtod(words[next].c_str(), &end);
    return !words[next++].empty() && *end == '\0';
  };
  bool good = read(sigma_);
  for (Vector* vector : {&mean_, &p_sigma_, &p_c_, &covariance_}) {
    for (double& v : *vector) good = read(v) && good;
  }
  for (size_t i = 0; margin_ && i < n_; ++i) good = read(margin_->widths()[i]) && good;
  decomposed_ = false;
  return good;
}

}  // namespace vlm::search
