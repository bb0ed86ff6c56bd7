// The Parzen estimator of Optuna 5's TPE: one kernel an observation plus a prior, joint over all
// names of a space (optuna/samplers/_tpe/parzen_estimator.py). Not thread-safe.
#pragma once

#include <vector>

#include "server/search/random_source.h"
#include "server/search/sampler.h"

namespace vlm::search {

// numpy's pairwise sum of contiguous doubles; the order of additions decides the last bit.
double PairwiseSum(const double* values, size_t n);

class ParzenEstimator {
 public:
  // `observations[i]` is parallel to `space`; in trial order.
  ParzenEstimator(const Space& space, const std::vector<std::vector<double>>& observations);

  // `count` candidates, each parallel to the space. Draws: kernels, then each categorical name,
  // then a block for all numeric names.
  std::vector<std::vector<double>> Sample(RandomSource& random, size_t count) const;
  // log density of a candidate (without Jacobian of the log scale).
  double LogDensity(const std::vector<double>& candidate) const;

 private:
  struct Axis {
    bool categorical = false;
    bool log = false;
    double step = 0;  // 0 = continuous.
    double low = 0;   // Of the distribution.
    double high = 0;
    double bottom = 0;  // Of the kernels: half a step wider, logged.
    double top = 0;
    std::vector<double> mu;
    std::vector<double> sigma;
    std::vector<double> log_mass;           // Of [bottom, top], per kernel.
    std::vector<std::vector<double>> rows;  // Categorical: weights of each kernel.
  };
  static Axis MakeAxis(const v1::Distribution& distribution);
  static void FitNumeric(Axis& axis, const std::vector<double>& values);
  static void FitCategorical(Axis& axis, size_t choices, const std::vector<double>& values);
  double StepTerm(const Axis& axis, size_t kernel, double value) const;

  size_t kernels_ = 0;
  std::vector<double> weights_;
  std::vector<double> log_weights_;
  std::vector<Axis> axes_;
};

}  // namespace vlm::search
