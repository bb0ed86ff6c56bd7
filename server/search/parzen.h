// The Parzen estimator of Optuna 5's TPE: one kernel an observation plus a prior, joint over all
// names of a space (optuna/samplers/_tpe/parzen_estimator.py and probability_distributions.py).
// Observations come and go one by one. Not thread-safe.
#pragma once

#include <vector>

#include "server/search/cell_masses.h"
#include "server/search/parzen_axis.h"
#include "server/search/random_source.h"

namespace vlm::search {

// Each parallel to the space, internal values.
using Candidates = std::vector<std::vector<double>>;

class ParzenEstimator {
 public:
  // How observations are weighed: older ones less (kRamp), or all the same.
  enum class Weights { kRamp, kUniform };
  ParzenEstimator(const Space& space, Weights weights, Argsort sort);

  // `values` parallel to the space. The number must be new.
  void Insert(int64_t number, const std::vector<double>& values);
  // False: there was no such observation.
  bool Remove(int64_t number);
  size_t observations() const { return numbers_.size(); }

  // To be called after changes, before what follows.
  void Fit();
  // Draws: kernels, then each categorical name, then a block for all numeric names.
  Candidates Sample(RandomSource& random, size_t count) const;
  // Optuna's log densities (without Jacobian of the log scale) of the `chosen` candidates, bit for
  // bit. The number of different candidates decides how erf is evaluated, so all are given.
  std::vector<double> LogDensities(const Candidates& candidates, const std::vector<size_t>& chosen);
  // The same to within kEstimateError, many times as fast, of all candidates. REQUIRES: each is
  // inside its range.
  static constexpr double kEstimateError = 1e-9;
  std::vector<double> EstimateLogDensities(const Candidates& candidates);
  // Whether all continuous values are inside their ranges; exp() may miss them by an ulp.
  bool AllInside(const Candidates& candidates) const;

 private:
  void FitWeights();
  void SampleNumeric(RandomSource& random, const std::vector<size_t>& chosen,
                     Candidates& out) const;
  // log masses of every different value of a stepped name under every different kernel.
  struct CellMasses {
    std::vector<double> values;  // Ascending.
    std::vector<double> masses;  // A row a value, a column a pair.
    const double* Row(double value, size_t pairs) const;
  };
  CellMasses MassesOf(size_t axis, const Candidates& candidates) const;
  void AddCategorical(size_t axis, const Candidates& candidates, const std::vector<size_t>& chosen,
                      std::vector<double>& terms) const;
  void AddStepped(size_t axis, const Candidates& candidates, const std::vector<size_t>& chosen,
                  std::vector<double>& terms) const;
  void AddContinuous(const Candidates& candidates, const std::vector<size_t>& chosen,
                     std::vector<double>& terms) const;

  Weights kind_;
  std::vector<ParzenAxis> axes_;
  std::vector<CellMassCache> caches_;  // By axis; of the stepped ones.
  std::vector<int64_t> numbers_;       // Ascending.
  std::vector<double> weights_;        // Per kernel; sum 1.
  std::vector<double> log_weights_;    // Empty until they are needed.
  std::vector<double> constants_;      // Per kernel: what does not depend on the candidate.
  bool fitted_ = false;
};

}  // namespace vlm::search
