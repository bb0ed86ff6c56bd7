// Finished trials of another study as the beginning of a new one.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "server/core/core.h"

namespace vlm::core {
namespace {

std::string SourceOf(const v1::SeedSource& seed) {
  if (!seed.csv().empty()) return seed.csv();
  if (!seed.optuna_db().empty()) return absl::StrCat(seed.study(), " of ", seed.optuna_db());
  return seed.study();
}

// The trial's values of the space's names, in its order and its ranges. False: a value is missing
// or out of range.
bool FitParams(const v1::StudySpec& spec, const v1::Trial& from, std::vector<v1::Param>* out) {
  for (const v1::SearchParam& searched : spec.search_space()) {
    if (!search::ConditionsHold(searched, *out)) continue;
    const auto given =
        std::find_if(from.params().begin(), from.params().end(),
                     [&](const v1::Param& param) { return param.name() == searched.name(); });
    if (given == from.params().end()) return false;
    const auto internal = search::ToInternal(searched.distribution(), given->value());
    if (!internal.ok()) return false;
    const auto external = search::ToExternal(searched.distribution(), *internal);
    if (!external.ok()) return false;
    v1::Param& param = out->emplace_back();
    param.set_name(searched.name());
    *param.mutable_value() = *external;
    *param.mutable_distribution() = searched.distribution();
  }
  return true;
}

bool FitValues(const v1::StudySpec& spec, const v1::Trial& from) {
  const bool nan = std::any_of(from.values().begin(), from.values().end(),
                               [](double value) { return std::isnan(value); });
  if (nan) return false;
  if (from.state() == v1::TRIAL_STATE_PRUNED && from.values().empty()) return true;
  return from.values_size() == std::max(1, spec.directions_size());
}

}  // namespace

// Finished trials of the source that fit the space and the objectives; their parameters are those
// of the new study. NOT_FOUND: no such study here. FAILED_PRECONDITION: not one fits.
absl::StatusOr<std::vector<v1::Trial>> Core::FindSeeds(const SubmitCall& call) {
  std::vector<v1::Trial> found = call.seeds;
  if (!call.spec.has_seed_from()) return std::vector<v1::Trial>();
  const v1::SeedSource& source = call.spec.seed_from();
  if (source.csv().empty() && source.optuna_db().empty()) {
    auto study = FindStudy(source.study());
    if (!study.ok()) return study.status();
    TrialRecord scratch;
    for (int64_t id : (*study)->trial_ids) {
      found.push_back(state_.trials.Look(id, &scratch).trial);
    }
  }
  std::vector<v1::Trial> seeds;
  for (v1::Trial& trial : found) {
    if (trial.state() != v1::TRIAL_STATE_COMPLETE && trial.state() != v1::TRIAL_STATE_PRUNED) {
      continue;
    }
    std::vector<v1::Param> params;
    if (!FitValues(call.spec, trial) || !FitParams(call.spec, trial, &params)) continue;
    v1::Trial& seed = seeds.emplace_back(std::move(trial));
    seed.clear_params();
    for (v1::Param& param : params) *seed.add_params() = std::move(param);
  }
  if (!seeds.empty()) return seeds;
  return absl::FailedPreconditionError(
      absl::StrCat("study.seed_from: none of the ", found.size(), " trials of ", SourceOf(source),
                   " is finished with values for all of study.search_space, within its ranges, and "
                   "one value per objective"));
}

// They do not eat into the budget of the search.
void Core::TakeSeeds(StudyRecord& study, const std::vector<v1::Trial>& seeds) {
  if (seeds.empty()) return;
  const auto count = static_cast<int32_t>(seeds.size());
  study.study.set_n_trials(study.study.n_trials() + count);
  const std::string source = SourceOf(study.spec.seed_from());
  for (const v1::Trial& seed : seeds) {
    v1::Trial trial;
    trial.set_state(seed.state());
    *trial.mutable_params() = seed.params();
    *trial.mutable_values() = seed.values();
    *trial.mutable_intermediate_values() = seed.intermediate_values();
    *trial.mutable_start_time() = seed.has_start_time() ? seed.start_time() : ToProto(now_.wall);
    *trial.mutable_end_time() = seed.has_end_time() ? seed.end_time() : ToProto(now_.wall);
    trial.set_last_step(-1);
    trial.set_external(true);  // No worker trains it.
    trial.set_reason(absl::StrCat("copied from ", source, ", number ", seed.number()));
    (*trial.mutable_system_attributes())[kSeededFrom] = absl::StrCat(seed.number());
    for (const auto& [key, json] : seed.system_attributes()) {
      const bool kept = key == "constraints" || key.rfind("constraints:", 0) == 0 ||
                        key.rfind(search::kVectorPrefix, 0) == 0;
      if (kept) (*trial.mutable_system_attributes())[key] = json;
    }
    UpdateBest(study, AddTrial(study, std::move(trial)));
  }
  Put(study);
  Emit("study.seeded",
       absl::StrCat("study ", study.study.name(), " begins with ", count, " trials of ", source),
       &study, nullptr);
}

}  // namespace vlm::core
