#include "server/search/parzen_axis.h"

#include <algorithm>
#include <cmath>

namespace vlm::search {

KernelRange RangeOf(const v1::Distribution& distribution) {
  KernelRange range;
  if (distribution.has_categorical_distribution()) {
    range.categorical = true;
    range.choices = static_cast<size_t>(distribution.categorical_distribution().choices_size());
    return range;
  }
  if (distribution.has_int_distribution()) {
    const auto& d = distribution.int_distribution();
    range.log = d.log();
    range.step = static_cast<double>(std::max<int64_t>(1, d.step()));
    range.low = static_cast<double>(d.low());
    range.high = static_cast<double>(d.high());
  } else {
    const auto& d = distribution.float_distribution();
    range.log = d.log();
    range.step = d.has_step() ? d.step() : 0;
    range.low = d.low();
    range.high = d.high();
  }
  range.bottom = range.low - range.step / 2;
  range.top = range.high + range.step / 2;
  if (range.log) {
    range.bottom = std::log(range.bottom);
    range.top = std::log(range.top);
  }
  return range;
}

ParzenAxis::ParzenAxis(const v1::Distribution& distribution, Argsort sort)
    : range_(RangeOf(distribution)), sort_(sort) {
  if (range_.categorical) return;
  const double width = range_.top - range_.bottom;
  mu_ = {0.5 * (range_.bottom + range_.top)};
  sigma_ = {width};
  inverse_sigma_ = {1 / width};
  log_sigma_ = {std::log(width)};
  log_mass_ = {0};
  stale_ = {true};
}

void ParzenAxis::Insert(size_t position, double value) {
  const auto at = static_cast<ptrdiff_t>(position);
  if (range_.categorical) {
    index_.insert(index_.begin() + at, static_cast<uint32_t>(value));
    return;
  }
  const double mu = range_.log ? std::log(value) : value;
  const auto here = static_cast<uint32_t>(position);
  if (position + 1 < mu_.size()) {
    for (uint32_t& p : order_) p += p >= here ? 1 : 0;
  }
  mu_.insert(mu_.begin() + at, mu);
  sigma_.insert(sigma_.begin() + at, 0);
  inverse_sigma_.insert(inverse_sigma_.begin() + at, 0);
  log_sigma_.insert(log_sigma_.begin() + at, 0);
  log_mass_.insert(log_mass_.begin() + at, 0);
  stale_.insert(stale_.begin() + at, true);
  const auto place = std::lower_bound(
      order_.begin(), order_.end(), here,
      [this](uint32_t a, uint32_t b) { return mu_[a] != mu_[b] ? mu_[a] < mu_[b] : a < b; });
  order_.insert(place, here);
}

void ParzenAxis::Remove(size_t position) {
  const auto at = static_cast<ptrdiff_t>(position);
  if (range_.categorical) {
    index_.erase(index_.begin() + at);
    return;
  }
  const auto here = static_cast<uint32_t>(position);
  order_.erase(std::find(order_.begin(), order_.end(), here));
  for (uint32_t& p : order_) p -= p > here ? 1 : 0;
  mu_.erase(mu_.begin() + at);
  sigma_.erase(sigma_.begin() + at);
  inverse_sigma_.erase(inverse_sigma_.begin() + at);
  log_sigma_.erase(log_sigma_.begin() + at);
  log_mass_.erase(log_mass_.begin() + at);
  stale_.erase(stale_.begin() + at);
}

// The larger gap to a neighbour; the outermost observations have one neighbour, unless alone.
double ParzenAxis::Bandwidth(size_t rank, double least, double most) const {
  const size_t m = order_.size();
  const double here = mu_[order_[rank]];
  const double left = here - (rank == 0 ? range_.bottom : mu_[order_[rank - 1]]);
  const double right = (rank + 1 == m ? range_.top : mu_[order_[rank + 1]]) - here;
  double sigma = std::max(left, right);
  if (m >= 2 && rank == 0) sigma = right;
  if (m >= 2 && rank + 1 == m) sigma = left;
  return std::min(std::max(sigma, least), most);
}

void ParzenAxis::Fit() {
  if (range_.categorical) return FitRows();
  const size_t m = observations();
  if (sort_ == Argsort::kNumpy) {
    order_ = ArgsortValues({mu_.begin(), mu_.end() - 1}, sort_);
  }
  const double most = range_.top - range_.bottom;
  const double least = most / std::min(100.0, static_cast<double>(m + 2));
  for (size_t rank = 0; rank < m; ++rank) {
    const size_t k = order_[rank];
    const double sigma = Bandwidth(rank, least, most);
    if (sigma == sigma_[k]) continue;
    sigma_[k] = sigma;
    inverse_sigma_[k] = 1 / sigma;
    log_sigma_[k] = std::log(sigma);
    stale_[k] = true;
  }
}

void ParzenAxis::FitMasses(Erf erf) {
  const bool all = erf != erf_;
  erf_ = erf;
  for (size_t k = 0; k < mu_.size(); ++k) {
    if (!all && !stale_[k]) continue;
    log_mass_[k] =
        LogGaussMass((range_.bottom - mu_[k]) / sigma_[k], (range_.top - mu_[k]) / sigma_[k], erf);
    stale_[k] = false;
  }
}

size_t ParzenAxis::central() const {
  size_t count = 0;
  for (double mu : mu_) count += range_.bottom - mu <= 0 && range_.top - mu > 0 ? 1 : 0;
  return count;
}

// Equal means stand next to each other in order_ and have few different bandwidths.
size_t ParzenAxis::CountPairs() {
  const size_t m = observations();
  pair_of_.resize(m + 1);
  pairs_.clear();
  size_t group = 0;  // First pair of the present mean.
  for (size_t rank = 0; rank < m; ++rank) {
    const uint32_t k = order_[rank];
    if (rank > 0 && mu_[k] != mu_[order_[rank - 1]]) group = pairs_.size();
    size_t pair = group;
    while (pair < pairs_.size() && sigma_[pairs_[pair]] != sigma_[k]) ++pair;
    if (pair == pairs_.size()) pairs_.push_back(k);
    pair_of_[k] = static_cast<uint32_t>(pair);
  }
  size_t prior = 0;
  while (prior < pairs_.size() &&
         (mu_[pairs_[prior]] != mu_[m] || sigma_[pairs_[prior]] != sigma_[m])) {
    ++prior;
  }
  if (prior == pairs_.size()) pairs_.push_back(static_cast<uint32_t>(m));
  pair_of_[m] = static_cast<uint32_t>(prior);
  return pairs_.size();
}

void ParzenAxis::LogColumn(size_t choice, std::vector<double>* column) const {
  column->resize(range_.choices + 1);
  for (size_t i = 0; i <= range_.choices; ++i) {
    (*column)[i] = log_rows_[i * range_.choices + choice];
  }
}

// All observations of a choice have the same weights: 1/kernels, and 1 more at the choice.
void ParzenAxis::FitRows() {
  const size_t choices = range_.choices;
  const size_t m = index_.size();
  const double base =
      m == 0 ? 1.0 / static_cast<double>(choices) : 1.0 / static_cast<double>(m + 1);
  rows_.assign((choices + 1) * choices, base);
  for (size_t i = 0; i <= choices; ++i) {
    double* row = &rows_[i * choices];
    if (i < choices) row[i] += 1.0;
    if (m == 0) continue;
    const double sum = PairwiseSum(row, choices);
    for (size_t c = 0; c < choices; ++c) row[c] /= sum;
  }
  row_of_ = index_;
  row_of_.push_back(static_cast<uint32_t>(choices));
  log_rows_.resize(rows_.size());
  for (size_t i = 0; i < rows_.size(); ++i) log_rows_[i] = std::log(rows_[i]);
}

}  // namespace vlm::search
