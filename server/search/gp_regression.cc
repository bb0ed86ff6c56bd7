#include "server/search/gp_regression.h"

#include <Eigen/Cholesky>

namespace vlm::search::gp {
namespace {

// Added to variances that may be 0: of what has been assumed without noise, and of a point that is
// proposed twice. Relative to the variance of the process.
constexpr double kJitter = 1e-9;

// The lower factor; with more jitter where rounding has left the matrix not positive definite.
MatrixXd LowerFactor(MatrixXd matrix, double jitter) {
  Eigen::LLT<MatrixXd> cholesky(matrix);
  for (; cholesky.info() != Eigen::Success; jitter *= 10) {
    matrix.diagonal().array() += jitter;
    cholesky.compute(matrix);
  }
  return cholesky.matrixL();
}

}  // namespace

Regression::Regression(Observations observed, KernelParams params)
    : observed_(std::move(observed)), params_(std::move(params)), points_(observed_.points) {
  Factorize(VectorXd::Constant(points_.cols(), params_.noise), observed_.values);
}

void Regression::Factorize(const VectorXd& noise, const MatrixXd& values) {
  ArrayXXd covariance = SquaredDistances(points_, points_, observed_.categories, params_.weights);
  Matern(&covariance);
  MatrixXd matrix = covariance.matrix() * params_.scale;
  matrix.diagonal() += noise;
  cholesky_ = LowerFactor(std::move(matrix), kJitter * params_.scale);
  alpha_ = cholesky_.triangularView<Eigen::Lower>().solve(values);
  cholesky_.transpose().triangularView<Eigen::Upper>().solveInPlace(alpha_);
}

void Regression::Hypothesize(const Points& pending, const MatrixXd& normals) {
  const Eigen::Index known = observed_.points.cols();
  const Eigen::Index added = pending.cols();
  ArrayXXd cross =
      SquaredDistances(observed_.points, pending, observed_.categories, params_.weights);
  ArrayXXd own = SquaredDistances(pending, pending, observed_.categories, params_.weights);
  Matern(&cross);
  Matern(&own);
  const MatrixXd whitened =
      cholesky_.triangularView<Eigen::Lower>().solve(cross.matrix() * params_.scale);
  MatrixXd covariance = own.matrix() * params_.scale - whitened.transpose() * whitened;
  covariance.diagonal().array() += kJitter * params_.scale;
  const MatrixXd factor = LowerFactor(std::move(covariance), kJitter * params_.scale);
  hypothetical_ = normals * factor.transpose();
  hypothetical_.rowwise() += (alpha_.transpose() * cross.matrix() * params_.scale).row(0);

  points_.conservativeResize(Eigen::NoChange, known + added);
  points_.rightCols(added) = pending;
  VectorXd noise = VectorXd::Constant(known + added, params_.noise);
  noise.tail(added).setConstant(kJitter * params_.scale);
  MatrixXd values(known + added, normals.rows());
  values.topRows(known).colwise() = observed_.values;
  values.bottomRows(added) = hypothetical_.transpose();
  Factorize(noise, values);
}

Regression::Prediction Regression::Predict(const Points& x) const {
  ArrayXXd covariance = SquaredDistances(points_, x, observed_.categories, params_.weights);
  Matern(&covariance);
  covariance *= params_.scale;
  Prediction out;
  out.mean = covariance.matrix().transpose() * alpha_;
  const MatrixXd whitened = cholesky_.triangularView<Eigen::Lower>().solve(covariance.matrix());
  out.variance = (params_.scale - whitened.colwise().squaredNorm().array()).max(0.0);
  return out;
}

Regression::Prediction Regression::PredictWithSlopes(const VectorXd& x, Slopes* slopes) const {
  const ArrayXXd squared = SquaredDistances(points_, x, observed_.categories, params_.weights);
  ArrayXXd covariance = squared;
  Matern(&covariance);
  covariance *= params_.scale;
  const VectorXd whitened =
      cholesky_.triangularView<Eigen::Lower>().solve(covariance.matrix()).col(0);
  const VectorXd solved = cholesky_.transpose().triangularView<Eigen::Upper>().solve(whitened);
  Prediction out;
  out.mean = covariance.matrix().transpose() * alpha_;
  out.variance = VectorXd::Constant(1, std::max(0.0, params_.scale - whitened.squaredNorm()));
  // One row a parameter, one column a point: the covariance's derivative.
  const Eigen::ArrayXd by = MaternSlope(squared).col(0) * (2 * params_.scale);
  MatrixXd slope(x.size(), points_.cols());
  for (Eigen::Index axis = 0; axis < x.size(); ++axis) {
    if (observed_.categories[static_cast<size_t>(axis)]) {
      slope.row(axis).setZero();
    } else {
      slope.row(axis) =
          ((x[axis] - points_.row(axis).array()) * by.transpose()) * params_.weights[axis];
    }
  }
  slopes->mean = slope * alpha_;
  slopes->variance = -2 * (slope * solved);
  return out;
}

}  // namespace vlm::search::gp
