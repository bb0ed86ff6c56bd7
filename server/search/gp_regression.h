// Gaussian process regression: mean and variance of an unknown function given observations of it,
// and hypothetical outcomes of points that have been proposed but not observed yet. Constant after
// Hypothesize. Not thread-safe before.
#pragma once

#include "server/search/gp_evidence.h"

namespace vlm::search::gp {

class Regression {
 public:
  Regression(Observations observed, KernelParams params);

  // Assumes outcomes at `pending` points: drawn from their joint distribution with standard
  // normals, one row an outcome, one column a point. Afterwards there is one mean an outcome, and
  // the variance is what is left when the points have been observed.
  void Hypothesize(const Points& pending, const MatrixXd& normals);
  // As many as the rows of `normals`; 1 without.
  Eigen::Index outcomes() const { return alpha_.cols(); }
  // What was assumed: one row an outcome, one column a point; none without Hypothesize.
  const MatrixXd& hypothetical() const { return hypothetical_; }
  const KernelParams& params() const { return params_; }
  const Observations& observed() const { return observed_; }

  struct Prediction {
    MatrixXd mean;      // One row a point, one column an outcome.
    VectorXd variance;  // One a point, the same for all outcomes; without the noise.
  };
  Prediction Predict(const Points& x) const;

  struct Slopes {
    MatrixXd mean;      // By the parameters: one row a parameter, one column an outcome.
    VectorXd variance;  // One a parameter.
  };
  // At one point. A category has slope 0.
  Prediction PredictWithSlopes(const VectorXd& x, Slopes* slopes) const;

 private:
  void Factorize(const VectorXd& noise, const MatrixXd& values);

  const Observations observed_;
  const KernelParams params_;
  Points points_;      // Observed and pending ones.
  MatrixXd cholesky_;  // Lower factor of the covariance of what is observed.
  MatrixXd alpha_;     // Its inverse times the values, one column an outcome.
  MatrixXd hypothetical_;
};

}  // namespace vlm::search::gp
