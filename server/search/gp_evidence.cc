#include "server/search/gp_evidence.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

#include "server/search/local_minimum.h"

namespace vlm::search::gp {
namespace {

constexpr double kHopeless = 1e10;  // Where a covariance is not positive definite.
// Of the logarithms. The priors keep an optimum well inside; the search may try any value.
constexpr double kRawLow = -16;
constexpr double kRawHigh = 9;

KernelParams FromRaw(const std::vector<double>& raw) {
  const auto dimensions = static_cast<Eigen::Index>(raw.size()) - 2;
  KernelParams params;
  params.weights = Eigen::Map<const VectorXd>(raw.data(), dimensions).array().exp();
  params.scale = std::exp(raw[raw.size() - 2]);
  params.noise = std::exp(raw[raw.size() - 1]) + kLeastNoise;
  return params;
}

std::vector<double> ToRaw(const KernelParams& params) {
  std::vector<double> raw;
  for (Eigen::Index i = 0; i < params.weights.size(); ++i) {
    raw.push_back(std::log(params.weights[i]));
  }
  raw.push_back(std::log(params.scale));
  raw.push_back(std::log(std::max(params.noise - kLeastNoise, kLeastNoise / 100)));
  return raw;
}

// Adds minus the log prior and its gradient by raw: short and long length scales alike are
// unlikely, the scale is gamma(2, 1), the noise is gamma(1.1, 30).
double AddPrior(const KernelParams& params, double* gradient) {
  double sum = 0;
  const Eigen::Index n = params.weights.size();
  for (Eigen::Index i = 0; i < n; ++i) {
    const double weight = params.weights[i];
    sum += 0.1 / weight + 0.1 * weight;
    gradient[i] += -0.1 / weight + 0.1 * weight;
  }
  sum += params.scale - std::log(params.scale);
  gradient[n] += params.scale - 1;
  sum += 30 * params.noise - 0.1 * std::log(params.noise);
  gradient[n + 1] += (30 - 0.1 / params.noise) * (params.noise - kLeastNoise);
  return sum;
}

// The sum over all pairs of `factors` times the squared difference along one parameter.
double WeightedDifference(const Observations& observed, Eigen::Index axis,
                          const ArrayXXd& factors) {
  const Eigen::ArrayXd row = observed.points.row(axis).transpose().array();
  double sum = 0;
  for (Eigen::Index j = 0; j < row.size(); ++j) {
    if (observed.categories[static_cast<size_t>(axis)]) {
      sum += ((row != row[j]).cast<double>() * factors.col(j)).sum();
    } else {
      sum += ((row - row[j]).square() * factors.col(j)).sum();
    }
  }
  return sum;
}

}  // namespace

KernelParams DefaultParams(Eigen::Index dimensions) { return {VectorXd::Ones(dimensions), 1, 1}; }

double NegativeLogPosterior(const Observations& observed, const std::vector<double>& raw,
                            double* gradient) {
  const KernelParams params = FromRaw(raw);
  const Eigen::Index n = observed.values.size();
  const ArrayXXd squared =
      SquaredDistances(observed.points, observed.points, observed.categories, params.weights);
  ArrayXXd correlation = squared;
  Matern(&correlation);
  MatrixXd covariance = correlation.matrix() * params.scale;
  covariance.diagonal().array() += params.noise;
  const Eigen::LLT<MatrixXd> cholesky(covariance);
  std::fill(gradient, gradient + raw.size(), 0.0);
  if (cholesky.info() != Eigen::Success) return kHopeless;
  const VectorXd alpha = cholesky.solve(observed.values);
  double loss = 0.5 * observed.values.dot(alpha);
  loss += cholesky.matrixLLT().diagonal().array().log().sum();
  // The derivative by the covariance.
  const MatrixXd inverse = cholesky.solve(MatrixXd::Identity(n, n));
  ArrayXXd by = 0.5 * (inverse - alpha * alpha.transpose());
  const Eigen::Index dimensions = params.weights.size();
  gradient[dimensions] = (by * correlation).sum() * params.scale;
  gradient[dimensions + 1] = by.matrix().trace() * (params.noise - kLeastNoise);
  by *= MaternSlope(squared) * params.scale;
  for (Eigen::Index axis = 0; axis < dimensions; ++axis) {
    gradient[axis] = WeightedDifference(observed, axis, by) * params.weights[axis];
  }
  return loss + AddPrior(params, gradient);
}

KernelParams FitKernel(const Observations& observed, const KernelParams& start) {
  std::vector<double> raw = ToRaw(start);
  MinimizeOptions options;
  options.lower.assign(raw.size(), kRawLow);
  options.upper.assign(raw.size(), kRawHigh);
  options.tolerance = 1e-3;  // Of a log likelihood: no reader of the model could tell.
  options.max_evaluations = 100;
  MinimizeLocally(
      [&observed](const std::vector<double>& x, double* gradient) {
        return NegativeLogPosterior(observed, x, gradient);
      },
      options, &raw);
  return FromRaw(raw);
}

}  // namespace vlm::search::gp
