#include "server/search/tpe_sampler.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace vlm::search {
namespace {

constexpr size_t kMaxModels = 256;  // Spaces that change all the time must not fill the memory.

std::string KeyOf(const Space& space) {
  std::string key;
  for (const v1::SearchParam& param : space) {
    const std::string bytes = param.SerializeAsString();
    absl::StrAppend(&key, bytes.size(), ":", bytes);
  }
  return key;
}

std::vector<double> Gains(ParzenEstimator& below, ParzenEstimator& above,
                          const Candidates& candidates, const std::vector<size_t>& chosen) {
  std::vector<double> gains = below.LogDensities(candidates, chosen);
  const std::vector<double> bad = above.LogDensities(candidates, chosen);
  for (size_t i = 0; i < gains.size(); ++i) gains[i] -= bad[i];
  return gains;
}

// The candidate that Optuna's arithmetic finds best. Estimates leave few that can be it, mostly
// one; only those are computed as Optuna does.
size_t BestOf(ParzenEstimator& below, ParzenEstimator& above, const Candidates& candidates) {
  std::vector<size_t> close(candidates.size());
  std::iota(close.begin(), close.end(), size_t{0});
  if (below.AllInside(candidates)) {
    std::vector<double> gains = below.EstimateLogDensities(candidates);
    const std::vector<double> bad = above.EstimateLogDensities(candidates);
    for (size_t i = 0; i < gains.size(); ++i) gains[i] -= bad[i];
    const double best = *std::max_element(gains.begin(), gains.end());
    close.clear();
    const double error = 4 * ParzenEstimator::kEstimateError * (1 + std::abs(best));
    for (size_t i = 0; i < gains.size(); ++i) {
      // Of equal candidates the first one is taken.
      if (gains[i] >= best - error &&
          (close.empty() || candidates[i] != candidates[close.front()])) {
        close.push_back(i);
      }
    }
    if (close.size() == 1) return close[0];
  }
  return close[ArgMax(Gains(below, above, candidates, close))];
}

}  // namespace

TpeOptions TpeOptionsOf(const v1::SamplerConfig& config) {
  TpeOptions options;
  options.n_startup_trials = static_cast<size_t>(std::max<int64_t>(0, config.n_startup_trials()));
  options.n_ei_candidates = static_cast<size_t>(std::max<int64_t>(1, config.n_ei_candidates()));
  if (config.has_multivariate()) options.multivariate = config.multivariate();
  options.group = config.group();
  options.constant_liar = config.constant_liar();
  options.max_above = static_cast<size_t>(std::max<int64_t>(0, config.max_above()));
  return options;
}

bool TpeSampler::Joint(const StudyView& study) const {
  if (options_.multivariate) return *options_.multivariate;
  return options_.group || study.directions.size() <= 1;
}

void TpeSampler::Observe(const StudyView& study, int64_t number) {
  const TrialView& trial = (*study.trials)[static_cast<size_t>(number)];
  tracker_.Observe(trial);
  if (const auto it = relative_.find(number); it != relative_.end()) {
    // Needed only while the trial runs without all of them.
    for (const ParamPoint& param : trial.params()) it->second.erase(param.name);
    if (it->second.empty() || trial.state() != v1::TRIAL_STATE_RUNNING) relative_.erase(it);
  }
  history_.Observe(study, number);
}

// The trial's values of all names of the space; false if one is missing.
bool TpeSampler::Read(const StudyView& study, int64_t number, const Space& space,
                      std::vector<double>* row) const {
  const TrialView& trial = (*study.trials)[static_cast<size_t>(number)];
  const auto relative = relative_.find(number);
  row->clear();
  for (const v1::SearchParam& searched : space) {
    if (const double* value = trial.params().Find(searched.name()); value != nullptr) {
      row->push_back(*value);
    } else if (relative != relative_.end() && relative->second.contains(searched.name())) {
      row->push_back(relative->second.at(searched.name()));
    } else {
      return false;
    }
  }
  return true;
}

void TpeSampler::Update(const StudyView& study, Model& model) {
  std::vector<int64_t> numbers;
  if (!model.filled || !history_.ChangesSince(model.changes, &numbers)) {
    const auto weights = study.directions.size() > 1 ? ParzenEstimator::Weights::kUniform
                                                     : ParzenEstimator::Weights::kRamp;
    model.below = ParzenEstimator(model.space, weights, options_.sort);
    model.above = ParzenEstimator(model.space, ParzenEstimator::Weights::kRamp, options_.sort);
    model.filled = true;
    numbers = history_.Members();
  }
  model.changes = history_.changes_end();
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  std::vector<double> row;
  for (int64_t number : numbers) {
    if (!model.below.Remove(number)) model.above.Remove(number);
    const TpeHistory::Side side = history_.side(number);
    if (side != TpeHistory::Side::kBelow && side != TpeHistory::Side::kAbove) continue;
    if (!Read(study, number, model.space, &row)) continue;
    (side == TpeHistory::Side::kBelow ? model.below : model.above).Insert(number, row);
  }
  model.below.Fit();
  model.above.Fit();
}

TpeSampler::Model& TpeSampler::ModelOf(const StudyView& study, const Space& space) {
  std::unique_ptr<Model>& model = models_[KeyOf(space)];
  if (model == nullptr) {
    if (models_.size() > kMaxModels) {
      models_.clear();
      return ModelOf(study, space);
    }
    model = std::make_unique<Model>(
        Model{space, ParzenEstimator({}, ParzenEstimator::Weights::kRamp, options_.sort),
              ParzenEstimator({}, ParzenEstimator::Weights::kRamp, options_.sort)});
  }
  Update(study, *model);
  return *model;
}

InternalParams TpeSampler::SampleFrom(const StudyView& study, int64_t number, const Space& space) {
  history_.Forget(number);  // A trial does not count itself.
  history_.Settle(study);
  Model& model = ModelOf(study, space);
  const Candidates candidates = model.below.Sample(random_, options_.n_ei_candidates);
  const std::vector<double>& best = candidates[BestOf(model.below, model.above, candidates)];
  InternalParams out;
  for (size_t j = 0; j < space.size(); ++j) out[space[j].name()] = best[j];
  return out;
}

absl::StatusOr<InternalParams> TpeSampler::SampleRelative(const StudyView& study, int64_t number,
                                                          const Space& space) {
  InternalParams out;
  if (!Joint(study)) return out;
  std::vector<Space> groups;
  if (options_.group) {
    groups = tracker_.Groups(study);
  } else {
    groups.push_back(tracker_.Intersection());
  }
  if (StartingUp()) return out;
  for (Space& group : groups) {
    // A wrapper may leave names out.
    group.erase(std::remove_if(group.begin(), group.end(),
                               [&](const v1::SearchParam& param) {
                                 return std::none_of(space.begin(), space.end(), [&](auto& known) {
                                   return known.name() == param.name();
                                 });
                               }),
                group.end());
    if (group.empty()) continue;
    for (const auto& [name, value] : SampleFrom(study, number, group)) out[name] = value;
  }
  if (options_.constant_liar && !out.empty()) relative_[number] = out;
  return out;
}

absl::StatusOr<double> TpeSampler::SampleIndependent(const StudyView& study,
                                                     const Suggested& suggested,
                                                     const std::string& name,
                                                     const v1::Distribution& distribution) {
  if (StartingUp()) return SampleUniform(distribution, startup_);
  v1::SearchParam one;
  one.set_name(name);
  *one.mutable_distribution() = distribution;
  return SampleFrom(study, suggested.number, {one}).at(name);
}

std::string TpeSampler::State() const {
  std::string state = absl::StrCat(random_.State(), ";", startup_.State());
  for (const auto& [number, params] : relative_) {
    absl::StrAppend(&state, ";", number);
    for (const auto& [name, value] : params) {
      absl::StrAppendFormat(&state, ",%s=%a", absl::WebSafeBase64Escape(name), value);
    }
  }
  return state;
}

absl::Status TpeSampler::Restore(const std::string& state) {
  const absl::Status bad = absl::DataLossError("not the state of a TPE sampler");
  const std::vector<std::string> parts = absl::StrSplit(state, ';');
  if (parts.size() < 2 || !random_.Restore(parts[0]) || !startup_.Restore(parts[1])) return bad;
  relative_.clear();
  for (size_t i = 2; i < parts.size(); ++i) {
    const std::vector<std::string> fields = absl::StrSplit(parts[i], ',');
    int64_t number = 0;
    if (!absl::SimpleAtoi(fields[0], &number)) return bad;
    for (size_t k = 1; k < fields.size(); ++k) {
      const std::pair<std::string, std::string> field = absl::StrSplit(fields[k], '=');
      std::string name;
      char* end = nullptr;
      const double value = std::strtod(field.second.c_str(), &end);
      if (!absl::WebSafeBase64Unescape(field.first, &name) || *end != '\0') return bad;
      relative_[number][name] = value;
    }
  }
  return absl::OkStatus();
}

}  // namespace vlm::search
