#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/core.h"
#include "server/core/optuna_view.h"

namespace vlm::core {

// For reads: an empty name means the only active study, or else the newest one.
absl::StatusOr<StudyRecord*> Core::FindStudyToRead(const std::string& text) {
  if (!text.empty()) return FindStudy(text);
  StudyRecord* newest = nullptr;
  std::vector<StudyRecord*> active;
  for (auto& [id, study] : state_.studies) {
    newest = &study;
    if (study.study.state() == v1::STUDY_STATE_ACTIVE) active.push_back(&study);
  }
  if (active.size() == 1) return active.front();
  if (newest == nullptr) return absl::NotFoundError("there is no study yet; submit one first");
  return newest;
}

// By name, by number, or by a unique prefix of the name. An exact name wins over everything.
absl::StatusOr<StudyRecord*> Core::FindStudy(const std::string& text) {
  if (text.empty()) return absl::InvalidArgumentError("name the study: its name or its number");
  if (const auto it = state_.study_names.find(text); it != state_.study_names.end()) {
    return &state_.studies.at(it->second);
  }
  int64_t id = 0;
  if (absl::SimpleAtoi(text, &id)) {
    if (const auto it = state_.studies.find(id); it != state_.studies.end()) return &it->second;
  }
  std::vector<std::string> matches;
  for (const auto& [name, study_id] : state_.study_names) {
    if (absl::StartsWith(name, text)) matches.push_back(name);
  }
  if (matches.size() == 1) return &state_.studies.at(state_.study_names.at(matches.front()));
  if (matches.empty()) {
    return absl::NotFoundError(absl::StrCat("no study \"", text, "\"; see `vlmctl study list`"));
  }
  std::sort(matches.begin(), matches.end());
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\" fits several studies: ", absl::StrJoin(matches, ", ")));
}

// "<study>/<number>" or a trial_id.
absl::StatusOr<TrialRecord*> Core::FindTrial(const std::string& text) {
  const size_t slash = text.rfind('/');
  int64_t number = 0;
  if (slash == std::string::npos) {
    if (!absl::SimpleAtoi(text, &number)) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", text, "\" names no trial: write STUDY/NUMBER or a trial id"));
    }
    TrialRecord* trial = state_.trials.find(number);
    if (trial == nullptr) {
      return absl::NotFoundError(absl::StrCat("no trial with id ", number));
    }
    return trial;
  }
  if (!absl::SimpleAtoi(text.substr(slash + 1), &number)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", text, "\": what follows the last / must be the trial's number"));
  }
  auto study = FindStudy(text.substr(0, slash));
  if (!study.ok()) return study.status();
  const auto& ids = (*study)->trial_ids;
  if (number < 0 || static_cast<size_t>(number) >= ids.size()) {
    return absl::NotFoundError(absl::StrCat("study \"", (*study)->study.name(), "\" has ",
                                            ids.size(), " trials and none with number ", number));
  }
  return &state_.trials.at(ids[static_cast<size_t>(number)]);
}

std::string Core::NameOf(const StudyRecord& study, const TrialRecord& trial) {
  return absl::StrCat(study.study.name(), "/", trial.trial.number());
}

v1::Study Core::View(const StudyRecord& study) const {
  v1::Study view = study.study;
  *view.mutable_counts() = study.counts;
  AddMetricNames(study, &view);
  if (study.first_attempt != absl::InfinitePast()) {
    absl::Time end = now_.wall;
    if (view.has_end_time()) end = FromProto(view.end_time());
    view.set_elapsed_s(std::max(0.0, absl::ToDoubleSeconds(end - study.first_attempt)));
  }
  return view;
}

v1::Trial Core::View(const TrialRecord& trial, bool whole) const {
  v1::Trial view = trial.trial;
  const StudyRecord& study = state_.studies.at(view.study_id());
  const auto number = static_cast<size_t>(view.number());
  view.set_infeasible(number < study.views.size() && !study.views[number].feasible());
  if (!whole) {
    view.clear_intermediate_values();
    return view;
  }
  for (int64_t id : trial.attempt_ids) *view.add_attempts() = state_.attempts.at(id)->attempt;
  for (const v1::LogLine& line : trial.log_tail) view.add_last_log_lines(line.text());
  return view;
}

}  // namespace vlm::core
