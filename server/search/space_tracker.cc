#include "server/search/space_tracker.h"

#include <algorithm>
#include <cmath>

namespace vlm::search {
namespace {

Space ToSpace(const absl::btree_map<std::string, v1::Distribution>& distributions) {
  Space space;
  for (const auto& [name, distribution] : distributions) {
    if (SingleValued(distribution)) continue;
    v1::SearchParam& param = space.emplace_back();
    param.set_name(name);
    *param.mutable_distribution() = distribution;
  }
  return space;
}

bool SameChoice(const v1::ParamValue& a, const v1::ParamValue& b) {
  if (a.kind_case() != b.kind_case()) return false;
  switch (a.kind_case()) {
    case v1::ParamValue::kFloatValue:
      return a.float_value() == b.float_value() ||
             (std::isnan(a.float_value()) && std::isnan(b.float_value()));
    case v1::ParamValue::kIntValue:
      return a.int_value() == b.int_value();
    case v1::ParamValue::kBoolValue:
      return a.bool_value() == b.bool_value();
    default:
      return a.string_value() == b.string_value();
  }
}

}  // namespace

bool SingleValued(const v1::Distribution& d) {
  if (d.has_categorical_distribution()) return d.categorical_distribution().choices_size() <= 1;
  if (d.has_int_distribution()) {
    const auto& range = d.int_distribution();
    return range.high() - range.low() < (range.log() ? 1 : std::max<int64_t>(1, range.step()));
  }
  const auto& range = d.float_distribution();
  if (range.has_step() && range.step() > 0) return range.high() - range.low() < range.step();
  return range.low() == range.high();
}

double SingleValue(const v1::Distribution& d) {
  if (d.has_categorical_distribution()) return 0;
  if (d.has_int_distribution()) return static_cast<double>(d.int_distribution().low());
  return d.float_distribution().low();
}

bool SameDistribution(const v1::Distribution& a, const v1::Distribution& b) {
  if (a.has_float_distribution() && b.has_float_distribution()) {
    const auto& x = a.float_distribution();
    const auto& y = b.float_distribution();
    const auto step = [](const auto& d) { return d.has_step() ? d.step() : 0; };
    return x.low() == y.low() && x.high() == y.high() && x.log() == y.log() && step(x) == step(y);
  }
  if (a.has_int_distribution() && b.has_int_distribution()) {
    const auto& x = a.int_distribution();
    const auto& y = b.int_distribution();
    const auto step = [](const auto& d) { return std::max<int64_t>(1, d.step()); };
    return x.low() == y.low() && x.high() == y.high() && x.log() == y.log() && step(x) == step(y);
  }
  if (!a.has_categorical_distribution() || !b.has_categorical_distribution()) return false;
  const auto& x = a.categorical_distribution().choices();
  const auto& y = b.categorical_distribution().choices();
  return std::equal(x.begin(), x.end(), y.begin(), y.end(), SameChoice);
}

void SpaceTracker::Observe(const TrialView& trial) {
  if (trial.state() != v1::TRIAL_STATE_COMPLETE &&
      !(include_pruned_ && trial.state() == v1::TRIAL_STATE_PRUNED)) {
    return;
  }
  const auto index = static_cast<size_t>(trial.number());
  if (index >= seen_.size()) seen_.resize(index + 1);
  if (seen_[index]) return;
  seen_[index] = true;
  if (follow_groups_) fresh_.insert(trial.number());
  if (!any_) {
    for (const ParamPoint& param : trial.params()) {
      shared_[param.name] = param.distribution;
    }
    any_ = true;
    return;
  }
  for (auto it = shared_.begin(); it != shared_.end();) {
    bool kept = false;
    for (size_t i = 0; i < trial.params().size() && !kept; ++i) {
      const ParamPoint param = trial.params()[i];
      kept = param.name == it->first && SameDistribution(param.distribution, it->second);
    }
    it = kept ? std::next(it) : shared_.erase(it);
  }
}

Space SpaceTracker::Intersection() const { return ToSpace(shared_); }

std::vector<Space> SpaceTracker::Groups(const StudyView& study) {
  for (int64_t number : fresh_) {
    const TrialView& trial = (*study.trials)[static_cast<size_t>(number)];
    Distributions left;
    for (const ParamPoint& param : trial.params()) {
      left[param.name] = param.distribution;
    }
    std::vector<Distributions> next;
    for (const Distributions& group : groups_) {
      Distributions both;
      Distributions only;
      for (const auto& [name, distribution] : group) {
        (left.erase(name) > 0 ? both : only)[name] = distribution;
      }
      if (!both.empty()) next.push_back(std::move(both));
      if (!only.empty()) next.push_back(std::move(only));
    }
    if (!left.empty()) next.push_back(std::move(left));
    groups_ = std::move(next);
  }
  fresh_.clear();
  std::vector<Space> spaces;
  for (const Distributions& group : groups_) {
    if (Space space = ToSpace(group); !space.empty()) spaces.push_back(std::move(space));
  }
  return spaces;
}

}  // namespace vlm::search
