#include "server/search/population.h"

#include <algorithm>
#include <limits>
#include <map>

#include "server/search/pareto.h"

namespace vlm::search {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

std::vector<double> Losses(const TrialView& trial, const std::vector<v1::Direction>& directions) {
  std::vector<double> losses(trial.values().begin(), trial.values().end());
  for (size_t c = 0; c < losses.size() && c < directions.size(); ++c) {
    if (directions[c] == v1::DIRECTION_MAXIMIZE) losses[c] = -losses[c];
  }
  return losses;
}

// Adds each trial's gap between its neighbours in one objective, as a part of the whole width.
void AddGaps(const Population& sorted, size_t objective, std::map<int64_t, double>& distances) {
  std::vector<double> values = {-kInf};
  for (const TrialView* trial : sorted) values.push_back(trial->values()[objective]);
  values.push_back(kInf);
  if (values[1] == values[values.size() - 2]) return;
  const double low =
      *std::find_if(values.begin(), values.end(), [](double v) { return v != -kInf; });
  const double high =
      *std::find_if(values.rbegin(), values.rend(), [](double v) { return v != kInf; });
  const double width = high - low <= 0 ? 1.0 : high - low;
  for (size_t i = 0; i < sorted.size(); ++i) {
    const double gap = values[i] == values[i + 2] ? 0 : values[i + 2] - values[i];
    distances[sorted[i]->number()] += gap / width;
  }
}

}  // namespace

std::vector<Population> RankPopulation(const Population& trials,
                                       const std::vector<v1::Direction>& directions) {
  Population feasible;
  std::map<double, Population> infeasible;
  LossRows rows;
  for (const TrialView* trial : trials) {
    if (const double violation = trial->violation(); violation > 0) {
      infeasible[violation].push_back(trial);
    } else {
      feasible.push_back(trial);
      rows.push_back(Losses(*trial, directions));
    }
  }
  std::vector<Population> ranks;
  const std::vector<size_t> of = NonDominationRanks(rows, rows.size());
  for (size_t i = 0; i < feasible.size(); ++i) {
    if (ranks.size() <= of[i]) ranks.resize(of[i] + 1);
    ranks[of[i]].push_back(feasible[i]);
  }
  for (auto& [violation, members] : infeasible) ranks.push_back(std::move(members));
  return ranks;
}

void SortByCrowding(Population& trials) {
  if (trials.empty()) return;
  std::map<int64_t, double> distances;
  for (size_t objective = 0; objective < trials[0]->values().size(); ++objective) {
    std::stable_sort(trials.begin(), trials.end(), [objective](auto* a, auto* b) {
      return a->values()[objective] < b->values()[objective];
    });
    AddGaps(trials, objective, distances);
  }
  std::stable_sort(trials.begin(), trials.end(), [&](auto* a, auto* b) {
    return distances[a->number()] < distances[b->number()];
  });
  std::reverse(trials.begin(), trials.end());
}

bool Dominates(const TrialView& a, const TrialView& b, const std::vector<v1::Direction>& directions,
               bool constrained) {
  if (constrained) {
    const double violation_a = a.violation();
    const double violation_b = b.violation();
    if (violation_a > 0 || violation_b > 0) return violation_a < violation_b;
  }
  const std::vector<double> x = Losses(a, directions);
  const std::vector<double> y = Losses(b, directions);
  if (x == y) return false;
  return std::equal(x.begin(), x.end(), y.begin(), [](double v, double w) { return v <= w; });
}

}  // namespace vlm::search
