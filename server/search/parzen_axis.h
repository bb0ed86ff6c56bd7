// One name's part of a Parzen estimator: a kernel an observation in trial order, the prior last.
// Kept up to date by insertion and removal, so that a history that grows by a trial costs one pass.
// Not thread-safe.
#pragma once

#include <vector>

#include "server/search/numeric.h"
#include "server/search/sampler.h"
#include "server/search/truncated_normal.h"

namespace vlm::search {

// What kernels need to know of a distribution.
struct KernelRange {
  bool categorical = false;
  size_t choices = 0;
  bool log = false;
  double step = 0;  // 0 = continuous.
  double low = 0;   // Of the distribution.
  double high = 0;
  double bottom = 0;  // Of the kernels: half a step wider, logged.
  double top = 0;
};
KernelRange RangeOf(const v1::Distribution& distribution);

class ParzenAxis {
 public:
  ParzenAxis(const v1::Distribution& distribution, Argsort sort);

  // `position` among the observations, in trial order. `value` is internal.
  void Insert(size_t position, double value);
  void Remove(size_t position);
  // Bandwidths, after any number of changes. Masses are fitted by FitMasses.
  void Fit();
  void FitMasses(Erf erf);

  const KernelRange& range() const { return range_; }
  bool continuous() const { return !range_.categorical && range_.step == 0; }
  size_t observations() const { return range_.categorical ? index_.size() : mu_.size() - 1; }

  // Numeric names, per kernel (the prior is the last one).
  const std::vector<double>& mu() const { return mu_; }
  const std::vector<double>& sigma() const { return sigma_; }
  const std::vector<double>& inverse_sigma() const { return inverse_sigma_; }
  const std::vector<double>& log_sigma() const { return log_sigma_; }
  // log of the mass that each kernel has inside the range.
  const std::vector<double>& log_mass() const { return log_mass_; }
  // How many kernels of the range are central (see IsCentral).
  size_t central() const;
  // Number of different (mu, sigma): what Optuna evaluates for stepped names. Fills `pairs`.
  size_t CountPairs();
  // Stepped names: kernel -> number of its (mu, sigma), and one kernel of each number.
  const std::vector<uint32_t>& pair_of() const { return pair_of_; }
  const std::vector<uint32_t>& pairs() const { return pairs_; }

  // Categorical names: the observed choice of each observation, and the weights of a kernel.
  const std::vector<uint32_t>& index() const { return index_; }
  // Weights of the kernel of observation `k` (of the prior: k = observations()).
  const double* Row(size_t k) const {
    return &rows_[(k < index_.size() ? index_[k] : range_.choices) * range_.choices];
  }
  // For observation or prior `k`, the row of LogTable; and entry `choice` of all rows.
  const std::vector<uint32_t>& row_of() const { return row_of_; }
  void LogColumn(size_t choice, std::vector<double>* column) const;
  // Logarithms of the same.
  const double* LogRow(size_t k) const {
    return &log_rows_[(k < index_.size() ? index_[k] : range_.choices) * range_.choices];
  }

 private:
  void FitRows();
  double Bandwidth(size_t rank, double least, double most) const;

  KernelRange range_;
  Argsort sort_;
  std::vector<double> mu_;
  std::vector<double> sigma_;
  std::vector<double> inverse_sigma_;
  std::vector<double> log_sigma_;
  std::vector<double> log_mass_;
  std::vector<bool> stale_;      // Kernels whose mass does not belong to their bandwidth.
  Erf erf_ = Erf::kLibrary;      // Of log_mass_.
  std::vector<uint32_t> order_;  // Positions by (mu, position).
  std::vector<uint32_t> pair_of_;
  std::vector<uint32_t> pairs_;
  std::vector<uint32_t> index_;
  std::vector<uint32_t> row_of_;  // index_ and the prior's row.
  std::vector<double> rows_;      // A row per choice, and the prior's.
  std::vector<double> log_rows_;
};

}  // namespace vlm::search
