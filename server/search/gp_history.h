// The trials that a Gaussian process learns from, in its units.
#pragma once

#include "server/search/gp_kernel.h"
#include "server/search/sampler.h"

namespace vlm::search::gp {

struct History {
  size_t complete = 0;  // All there are; the others are those that are used.
  Points points;        // Of COMPLETE trials.
  MatrixXd values;      // One row a trial, one column an objective; maximized, finite.
  std::vector<std::vector<double>> constraints;  // One list a trial.
  Points pending;  // Of RUNNING trials other than the one that is sampled.

  bool Feasible(Eigen::Index trial) const;
};

// Trials that have all names of `space`. At most `max_trials` COMPLETE ones (0: all), since the
// time grows with the cube of their number: the better half of that many, then the newest.
History ReadHistory(const StudyView& study, int64_t number, const Space& space, size_t max_trials);

// With mean 0 and variance 1; `mean` and `deviation` are what they had.
VectorXd Standardize(const VectorXd& values, double* mean, double* deviation);

}  // namespace vlm::search::gp
