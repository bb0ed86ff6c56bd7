#include "server/core/optuna_view.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "server/core/core.h"
#include "server/core/json_text.h"
#include "server/core/optuna_json.h"

namespace vlm::core {
namespace {

constexpr size_t kLongestName = 512;

absl::Status CopyAttributes(const google::protobuf::Map<std::string, std::string>& from,
                            google::protobuf::Map<std::string, std::string>* to) {
  for (const auto& [key, value] : from) {
    RETURN_IF_ERROR(CheckLength("attribute", key));
    RETURN_IF_ERROR(Annotate(CheckJson(value), absl::StrCat("attribute \"", key, "\"")));
    (*to)[key] = value;
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::Param> ParamOf(const optuna::Trial& trial, const std::string& name,
                                  double internal) {
  RETURN_IF_ERROR(CheckLength("parameter", name));
  const auto text = trial.distributions().find(name);
  if (text == trial.distributions().end()) {
    return absl::InvalidArgumentError(absl::StrCat("parameter \"", name, "\" has no distribution"));
  }
  auto distribution = ParseDistribution(text->second);
  auto value = distribution.ok() ? FromInternal(*distribution, internal) : distribution.status();
  if (!value.ok()) return Annotate(value.status(), absl::StrCat("parameter \"", name, "\""));
  v1::Param param;
  param.set_name(name);
  *param.mutable_value() = *std::move(value);
  *param.mutable_distribution() = *std::move(distribution);
  return param;
}

}  // namespace

absl::StatusOr<v1::TrialState> FromOptuna(optuna::TrialState state) {
  switch (state) {
    case optuna::RUNNING:
      return v1::TRIAL_STATE_RUNNING;
    case optuna::COMPLETE:
      return v1::TRIAL_STATE_COMPLETE;
    case optuna::PRUNED:
      return v1::TRIAL_STATE_PRUNED;
    case optuna::FAIL:
      return v1::TRIAL_STATE_FAIL;
    case optuna::WAITING:
      return v1::TRIAL_STATE_WAITING;
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("there is no trial state ", static_cast<int>(state)));
  }
}

absl::StatusOr<v1::Direction> FromOptuna(optuna::StudyDirection direction) {
  if (direction == optuna::MINIMIZE) return v1::DIRECTION_MINIMIZE;
  if (direction == optuna::MAXIMIZE) return v1::DIRECTION_MAXIMIZE;
  return absl::InvalidArgumentError(
      absl::StrCat("there is no direction ", static_cast<int>(direction)));
}

optuna::TrialState ToOptuna(v1::TrialState state) {
  switch (state) {
    case v1::TRIAL_STATE_RUNNING:
      return optuna::RUNNING;
    case v1::TRIAL_STATE_COMPLETE:
      return optuna::COMPLETE;
    case v1::TRIAL_STATE_PRUNED:
      return optuna::PRUNED;
    case v1::TRIAL_STATE_FAIL:
      return optuna::FAIL;
    default:
      return optuna::WAITING;
  }
}

optuna::StudyDirection ToOptuna(v1::Direction direction) {
  return direction == v1::DIRECTION_MAXIMIZE ? optuna::MAXIMIZE : optuna::MINIMIZE;
}

std::string OptunaTime(const google::protobuf::Timestamp& time, absl::TimeZone zone) {
  return absl::FormatTime("%E4Y-%m-%d %H:%M:%E6S", FromProto(time), zone);
}

absl::StatusOr<google::protobuf::Timestamp> ParseOptunaTime(const std::string& text,
                                                            absl::TimeZone zone) {
  absl::Time time;
  // Digits first, because absl would also take "infinite-future" and years of five digits.
  const bool plain =
      text.size() >= 19 && text[4] == '-' &&
      std::all_of(text.begin(), text.begin() + 4, [](char c) { return c >= '0' && c <= '9'; });
  for (const char* format :
       {"%Y-%m-%d %H:%M:%E*S", "%Y-%m-%dT%H:%M:%E*S%Ez", "%Y-%m-%d %H:%M:%E*S%Ez"}) {
    if (plain && absl::ParseTime(format, text, zone, &time, nullptr)) return ToProto(time);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", text, "\" is no time: write YYYY-MM-DD HH:MM:SS.ffffff, or ISO 8601 with an offset"));
}

absl::Status CheckLength(absl::string_view what, absl::string_view text) {
  const auto characters = std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; });
  if (static_cast<size_t>(characters) <= kLongestName) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the name of the ", what, " has ", characters,
                                                 " characters; at most ", kLongestName, ": \"",
                                                 text.substr(0, 40), "...\""));
}

void AddMetricNames(const StudyRecord& study, v1::Study* view) {
  const int objectives = std::max(1, view->directions_size());
  if (objectives == 1 ? !view->metric().empty() : !view->metrics().empty()) return;
  const auto stored = study.system_attributes.find(kMetricNames);
  if (stored == study.system_attributes.end()) return;
  const auto texts = JsonElements(stored->second);
  if (!texts.ok() || static_cast<int>(texts->size()) != objectives) return;
  std::vector<std::string> names;
  for (const absl::string_view text : *texts) {
    auto name =
        text.empty() || text[0] != '"' ? absl::NotFoundError("no string") : UnquoteJson(text);
    if (!name.ok()) return;
    names.push_back(*std::move(name));
  }
  view->set_metric(names[0]);
  if (objectives > 1) view->mutable_metrics()->Assign(names.begin(), names.end());
}

optuna::Study ToOptuna(const StudyRecord& study) {
  optuna::Study out;
  out.set_study_id(study.study.study_id());
  out.set_study_name(study.study.name());
  for (int d : study.study.directions()) {
    out.add_directions(ToOptuna(static_cast<v1::Direction>(d)));
  }
  out.mutable_user_attributes()->insert(study.user_attributes.begin(), study.user_attributes.end());
  out.mutable_system_attributes()->insert(study.system_attributes.begin(),
                                          study.system_attributes.end());
  return out;
}

optuna::Trial ToOptuna(const TrialRecord& record, absl::TimeZone zone) {
  const v1::Trial& trial = record.trial;
  optuna::Trial out;
  out.set_trial_id(trial.trial_id());
  out.set_number(trial.number());
  out.set_state(ToOptuna(trial.state()));
  *out.mutable_values() = trial.values();
  if (trial.has_start_time()) out.set_datetime_start(OptunaTime(trial.start_time(), zone));
  if (trial.has_end_time()) out.set_datetime_complete(OptunaTime(trial.end_time(), zone));
  // What our workers are to run has its values in fixed_params until it starts, as in the file.
  if (trial.state() != v1::TRIAL_STATE_WAITING || trial.external()) {
    for (const v1::Param& param : trial.params()) {
      const auto internal = Internal(param.distribution(), param.value());
      if (!internal.ok()) continue;  // Cannot be: it was made from an internal value.
      (*out.mutable_params())[param.name()] = *internal;
      (*out.mutable_distributions())[param.name()] = DistributionJson(param.distribution());
    }
  }
  *out.mutable_user_attributes() = trial.user_attributes();
  *out.mutable_system_attributes() = trial.system_attributes();
  for (const v1::IntermediateValue& value : trial.intermediate_values()) {
    (*out.mutable_intermediate_values())[value.step()] = value.value();
  }
  return out;
}

absl::StatusOr<v1::Trial> FromOptuna(const optuna::Trial& trial, absl::TimeZone zone) {
  v1::Trial out;
  ASSIGN_OR_RETURN(const v1::TrialState state, FromOptuna(trial.state()));
  out.set_state(state);
  out.set_last_step(-1);
  for (const double value : trial.values()) {
    if (std::isnan(value)) return absl::InvalidArgumentError("a value of the trial is NaN");
    out.add_values(value);
  }
  if (!trial.datetime_start().empty()) {
    ASSIGN_OR_RETURN(*out.mutable_start_time(), ParseOptunaTime(trial.datetime_start(), zone));
  }
  if (!trial.datetime_complete().empty()) {
    ASSIGN_OR_RETURN(*out.mutable_end_time(), ParseOptunaTime(trial.datetime_complete(), zone));
  }
  for (const auto& [name, internal] :
       std::map<std::string, double>(trial.params().begin(), trial.params().end())) {
    ASSIGN_OR_RETURN(*out.add_params(), ParamOf(trial, name, internal));
  }
  RETURN_IF_ERROR(CopyAttributes(trial.user_attributes(), out.mutable_user_attributes()));
  RETURN_IF_ERROR(CopyAttributes(trial.system_attributes(), out.mutable_system_attributes()));
  for (const auto& [step, value] : std::map<int64_t, double>(trial.intermediate_values().begin(),
                                                             trial.intermediate_values().end())) {
    out.add_intermediate_values()->set_step(step);
    out.mutable_intermediate_values()->rbegin()->set_value(value);
    out.set_last_step(step);
  }
  return out;
}

}  // namespace vlm::core
