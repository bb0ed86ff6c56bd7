#include "server/search/importance.h"

#include <algorithm>
#include <cmath>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/strings/str_cat.h"
#include "server/search/grid_density.h"
#include "server/search/pareto.h"
#include "server/search/sampler.h"

namespace vlm::search {
namespace {

constexpr size_t kLeastInRegime = 2;

using TrialSet = std::vector<const v1::Trial*>;

absl::Status CheckQuantiles(const ImportanceOptions& options) {
  if (!(options.target_quantile > 0 && options.target_quantile < options.region_quantile &&
        options.region_quantile <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "target_quantile ", options.target_quantile, " and region_quantile ",
        options.region_quantile, " must satisfy 0 < target_quantile < region_quantile <= 1"));
  }
  return absl::OkStatus();
}

double Sign(const std::vector<v1::Direction>& directions, size_t objective) {
  return objective < directions.size() && directions[objective] == v1::DIRECTION_MAXIMIZE ? -1 : 1;
}

// The best share of the trials in one objective, and whatever equals the last of them.
TrialSet BestShare(const TrialSet& trials, int objective, double sign, double quantile) {
  if (quantile == 1) return trials;
  std::vector<double> losses;
  for (const v1::Trial* trial : trials) losses.push_back(sign * trial->values(objective));
  std::vector<double> sorted = losses;
  const double count = std::ceil(quantile * static_cast<double>(losses.size()));
  const auto last = sorted.begin() + static_cast<ptrdiff_t>(count) - 1;
  std::nth_element(sorted.begin(), last, sorted.end());
  TrialSet best;
  for (size_t i = 0; i < trials.size(); ++i) {
    if (losses[i] <= *last) best.push_back(trials[i]);
  }
  return best;
}

// The best share by non-domination rank; of the rank that does not fit whole, those that add most
// hypervolume. As TPE for several objectives.
TrialSet BestShareOfMany(const TrialSet& trials, const std::vector<v1::Direction>& directions,
                         double quantile) {
  if (quantile == 1) return trials;
  LossRows rows;
  for (const v1::Trial* trial : trials) {
    LossRows::value_type& row = rows.emplace_back();
    for (int i = 0; i < trial->values_size(); ++i) {
      row.push_back(Sign(directions, static_cast<size_t>(i)) * trial->values(i));
    }
  }
  auto left = static_cast<size_t>(std::ceil(quantile * static_cast<double>(trials.size())));
  if (left == trials.size()) return trials;
  const std::vector<size_t> ranks = NonDominationRanks(rows, left);
  std::vector<bool> taken(trials.size(), false);
  for (size_t rank = 0; left > 0; ++rank) {
    std::vector<size_t> members;
    LossRows of_rank;
    for (size_t i = 0; i < ranks.size(); ++i) {
      if (ranks[i] != rank) continue;
      members.push_back(i);
      of_rank.push_back(rows[i]);
    }
    if (members.size() > left) {
      for (size_t i : SelectByHypervolume(of_rank, left, ReferencePoint(of_rank))) {
        taken[members[i]] = true;
      }
      break;
    }
    for (size_t i : members) taken[i] = true;
    left -= members.size();
  }
  TrialSet best;
  for (size_t i = 0; i < trials.size(); ++i) {
    if (taken[i]) best.push_back(trials[i]);
  }
  return best;
}

// TrialSet that drew a parameter from the same range, with its values in internal form.
struct Regime {
  v1::Distribution distribution;
  std::vector<double> region;
  std::vector<double> target;
};

std::vector<Regime> Partition(const std::string& name, const TrialSet& region,
                              const absl::btree_set<const v1::Trial*>& target) {
  absl::btree_map<std::string, Regime> regimes;
  for (const v1::Trial* trial : region) {
    for (const v1::Param& param : trial->params()) {
      if (param.name() != name) continue;
      const auto internal = ToInternal(param.distribution(), param.value());
      if (!internal.ok()) break;  // A value from outside its range says nothing about the range.
      Regime& regime = regimes[param.distribution().SerializeAsString()];
      regime.distribution = param.distribution();
      regime.region.push_back(*internal);
      if (target.contains(trial)) regime.target.push_back(*internal);
      break;
    }
  }
  std::vector<Regime> kept;
  for (auto& [key, regime] : regimes) {
    if (regime.region.size() >= kLeastInRegime) kept.push_back(std::move(regime));
  }
  return kept;
}

// Pearson divergence of the target's density from the region's, over the cells of a grid.
double PearsonDivergence(const Regime& regime) {
  constexpr double kFloor = 1e-12;
  const std::vector<double> top = GridDensity(regime.distribution, regime.target);
  const std::vector<double> local = GridDensity(regime.distribution, regime.region);
  double sum = 0;
  for (size_t i = 0; i < top.size(); ++i) {
    const double ratio = (top[i] + kFloor) / (local[i] + kFloor) - 1;
    sum += (local[i] + kFloor) * ratio * ratio;
  }
  return sum;
}

double ImportanceOf(const std::string& name, const TrialSet& region,
                    const absl::btree_set<const v1::Trial*>& target) {
  double sum = 0;
  for (const Regime& regime : Partition(name, region, target)) {
    if (regime.target.empty() || IsSingle(regime.distribution)) continue;
    const double of_target =
        static_cast<double>(regime.target.size()) / static_cast<double>(target.size());
    const double of_region =
        static_cast<double>(regime.region.size()) / static_cast<double>(region.size());
    sum += of_target * of_target / of_region * PearsonDivergence(regime);
  }
  return sum;
}

}  // namespace

Importances Normalized(Importances importances) {
  auto& params = importances.params;
  double sum = 0;
  for (const auto& [name, value] : params) sum += value;
  const auto count = static_cast<double>(params.size());
  for (auto& [name, value] : params) value = sum == 0 ? 1 / count : value / sum;
  std::sort(params.begin(), params.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  return importances;
}

absl::StatusOr<TrialSet> TrialsToExplain(const std::vector<v1::Trial>& trials,
                                         const std::vector<v1::Direction>& directions,
                                         std::optional<int> objective) {
  const size_t objectives = std::max<size_t>(1, directions.size());
  if (objective && (*objective < 0 || static_cast<size_t>(*objective) >= objectives)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "objective ", *objective, " is none of the study's ", objectives, " (they count from 0)"));
  }
  TrialSet complete;
  for (const v1::Trial& trial : trials) {
    if (trial.state() != v1::TRIAL_STATE_COMPLETE) continue;
    if (static_cast<size_t>(trial.values_size()) != objectives) continue;
    const bool finite = objective ? std::isfinite(trial.values(*objective))
                                  : std::all_of(trial.values().begin(), trial.values().end(),
                                                [](double value) { return std::isfinite(value); });
    if (finite) complete.push_back(&trial);
  }
  if (complete.size() < 2) {
    return absl::FailedPreconditionError(absl::StrCat(
        "importances need two COMPLETE trials with finite values; there are ", complete.size()));
  }
  return complete;
}

absl::StatusOr<Importances> ParamImportances(const std::vector<v1::Trial>& trials,
                                             const std::vector<v1::Direction>& directions,
                                             const ImportanceOptions& options) {
  const size_t objectives = std::max<size_t>(1, directions.size());
  if (absl::Status valid = CheckQuantiles(options); !valid.ok()) return valid;
  const auto explained = TrialsToExplain(trials, directions, options.objective);
  if (!explained.ok()) return explained.status();
  const TrialSet& complete = *explained;
  absl::btree_set<std::string> names;
  for (const v1::Trial& trial : trials) {
    if (trial.state() != v1::TRIAL_STATE_COMPLETE) continue;
    for (const v1::Param& param : trial.params()) names.insert(param.name());
  }
  const int objective = options.objective.value_or(0);
  const auto share = [&](double quantile) {
    if (objectives > 1 && !options.objective)
      return BestShareOfMany(complete, directions, quantile);
    const double sign = Sign(directions, static_cast<size_t>(objective));
    return BestShare(complete, objective, sign, quantile);
  };
  const TrialSet region = share(options.region_quantile);
  const TrialSet target = share(options.target_quantile);
  const absl::btree_set<const v1::Trial*> chosen(target.begin(), target.end());
  Importances out;
  out.trials = static_cast<int64_t>(complete.size());
  for (const std::string& name : names) {
    out.params.emplace_back(name, ImportanceOf(name, region, chosen));
  }
  return Normalized(std::move(out));
}

}  // namespace vlm::search
