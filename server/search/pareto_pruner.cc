#include "server/search/pareto_pruner.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "server/search/pruner_rules.h"

namespace vlm::search {
namespace {

using Point = std::vector<double>;

bool Dominates(const Point& a, const Point& b) {
  bool better = false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] > b[i]) return false;
    better |= a[i] < b[i];
  }
  return better;
}

// What a trial reported at a step, turned so that smaller is better. NaN is as bad as can be.
// Empty: nothing, or not one value per objective.
Point PointAt(const StudyView& study, const TrialView& trial, int64_t step) {
  Point point;
  if (study.directions.size() <= 1) {
    const auto it = trial.intermediate_values().find(step);
    if (it != trial.intermediate_values().end()) point = {it->second};
  } else {
    const auto it = trial.intermediate_vectors().find(step);
    if (it != trial.intermediate_vectors().end()) point = it->second;
    if (point.size() != study.directions.size()) return {};
  }
  for (size_t i = 0; i < point.size(); ++i) {
    const bool maximize =
        i < study.directions.size() && study.directions[i] == v1::DIRECTION_MAXIMIZE;
    if (maximize) point[i] = -point[i];
    if (std::isnan(point[i])) point[i] = std::numeric_limits<double>::infinity();
  }
  return point;
}

int64_t NewestStep(const StudyView& study, const TrialView& trial) {
  if (study.directions.size() <= 1) {
    return trial.intermediate_values().empty() ? -1 : trial.intermediate_values().rbegin()->first;
  }
  return trial.intermediate_vectors().empty() ? -1 : trial.intermediate_vectors().rbegin()->first;
}

}  // namespace

size_t InBetterFronts(const std::vector<Point>& points, size_t own) {
  std::vector<size_t> order(points.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return points[a] < points[b]; });
  struct Front {
    size_t size = 0;
    std::vector<size_t> members;  // Of two coordinates: the newest one.
  };
  std::vector<Front> fronts;
  size_t own_front = 0;
  for (const size_t index : order) {
    // Sorted by all coordinates, a point is dominated by earlier ones only, and who is dominated
    // within one front is dominated within every better one.
    const auto dominated_in = [&](const Front& front) {
      return std::any_of(front.members.rbegin(), front.members.rend(),
                         [&](size_t other) { return Dominates(points[other], points[index]); });
    };
    const auto at = std::partition_point(fronts.begin(), fronts.end(), dominated_in);
    const auto number = static_cast<size_t>(at - fronts.begin());
    if (at == fronts.end()) fronts.emplace_back();
    Front& front = fronts[number];
    ++front.size;
    // With two coordinates the newest member has the smallest second one and stands for all.
    if (points[index].size() == 2) front.members.clear();
    front.members.push_back(index);
    if (index == own) own_front = number;
  }
  size_t better = 0;
  for (size_t front = 0; front < own_front; ++front) better += fronts[front].size;
  return better;
}

bool ParetoPruner::MayJudge(const StudyView& study, const TrialView& trial, int64_t step) const {
  if (step < 0 || step < config_.n_warmup_steps()) return false;
  if (Reports(study)->complete() < config_.n_startup_trials()) return false;
  const auto first = [&](const auto& reported) {
    return FirstInInterval(reported, step, config_.n_warmup_steps(), config_.interval_steps());
  };
  return study.directions.size() <= 1 ? first(trial.intermediate_values())
                                      : first(trial.intermediate_vectors());
}

PruneDecision ParetoPruner::Judge(const StudyView& study, int64_t number) const {
  const TrialView& trial = TrialOf(study, number);
  const int64_t step = NewestStep(study, trial);
  if (!MayJudge(study, trial, step)) return {};
  std::vector<Point> points{PointAt(study, trial, step)};
  if (points[0].empty()) return {};
  for (const TrialView& other : *study.trials) {
    if (other.number() == number) continue;
    Point point = PointAt(study, other, step);
    if (!point.empty()) points.push_back(std::move(point));
  }
  if (static_cast<int64_t>(points.size()) <= config_.n_min_trials()) return {};
  const size_t kept =
      std::max<size_t>(points.size() / static_cast<size_t>(config_.reduction_factor()), 1);
  return {InBetterFronts(points, 0) >= kept, {}};
}

}  // namespace vlm::search
