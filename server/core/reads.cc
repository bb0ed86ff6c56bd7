// Answers from memory.
#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/core/core.h"
#include "server/search/pareto.h"

namespace vlm::core {
namespace {

// Page tokens are the position to go on from, as text.
absl::StatusOr<size_t> PageStart(const std::string& token) {
  uint64_t start = 0;
  if (token.empty()) return 0;
  if (!absl::SimpleAtoi(token, &start)) {
    return absl::InvalidArgumentError(absl::StrCat("page_token \"", token, "\" is not of a list"));
  }
  return start;
}

// Those that no other one dominates.
std::vector<const search::TrialView*> ParetoFront(
    const v1::Study& study, const std::vector<const search::TrialView*>& trials) {
  search::LossRows rows;
  for (const search::TrialView* trial : trials) {
    std::vector<double>& row = rows.emplace_back();
    for (int i = 0; i < study.directions_size(); ++i) {
      const double sign = study.directions(i) == v1::DIRECTION_MAXIMIZE ? -1 : 1;
      row.push_back(sign * trial->values()[static_cast<size_t>(i)]);
    }
  }
  const std::vector<size_t> ranks = search::NonDominationRanks(rows, 1);
  std::vector<const search::TrialView*> front;
  for (size_t i = 0; i < trials.size(); ++i) {
    if (ranks[i] == 0) front.push_back(trials[i]);
  }
  return front;
}

}  // namespace

Core::Result Core::GetStudy(const v1::GetStudyRequest& request) {
  auto study = FindStudyToRead(request.study());
  if (!study.ok()) return study.status();
  auto response = std::make_shared<v1::GetStudyResponse>();
  *response->mutable_study() = View(**study);
  *response->mutable_spec() = (*study)->spec;
  return response;
}

Core::Result Core::ListStudies(const v1::ListStudiesRequest& request) {
  auto start = PageStart(request.page_token());
  if (!start.ok()) return start.status();
  const size_t size = request.page_size() <= 0
                          ? 100
                          : std::min<size_t>(1000, static_cast<size_t>(request.page_size()));
  auto response = std::make_shared<v1::ListStudiesResponse>();
  size_t seen = 0;
  if (request.deleted()) {
    for (auto it = state_.deleted.rbegin(); it != state_.deleted.rend(); ++it) {
      if (seen++ < *start) continue;
      if (static_cast<size_t>(response->studies_size()) == size) {
        response->set_next_page_token(absl::StrCat(*start + size));
        break;
      }
      *response->add_studies() = it->second.study;
    }
    return response;
  }
  for (auto it = state_.studies.rbegin(); it != state_.studies.rend(); ++it) {
    if (request.active_only() && IsEnd(it->second.study.state())) continue;
    if (seen++ < *start) continue;
    if (static_cast<size_t>(response->studies_size()) == size) {
      response->set_next_page_token(absl::StrCat(*start + size));
      break;
    }
    *response->add_studies() = View(it->second);
  }
  return response;
}

Core::Result Core::GetTrial(const std::string& name) {
  auto trial = FindTrial(name);
  if (!trial.ok()) return trial.status();
  auto response = std::make_shared<v1::GetTrialResponse>();
  *response->mutable_trial() = View(**trial, true);
  return response;
}

Core::Result Core::ListTrials(const v1::ListTrialsRequest& request) {
  auto study = FindStudyToRead(request.study());
  if (!study.ok()) return study.status();
  auto start = PageStart(request.page_token());
  if (!start.ok()) return start.status();
  const int size = request.page_size() <= 0 ? 1000 : std::min(10000, request.page_size());
  auto response = std::make_shared<v1::ListTrialsResponse>();
  const auto& ids = (*study)->trial_ids;
  TrialRecord scratch;
  for (size_t i = *start; i < ids.size(); ++i) {
    if (request.states_size() > 0 &&
        std::find(request.states().begin(), request.states().end(),
                  static_cast<int>(StateOf(**study, i))) == request.states().end()) {
      continue;
    }
    if (response->trials_size() == size) {
      response->set_next_page_token(absl::StrCat(i));
      break;
    }
    const TrialRecord& trial = state_.trials.Look(ids[i], &scratch);
    v1::Trial view = View(trial, false);
    *view.mutable_intermediate_values() = trial.trial.intermediate_values();
    *response->add_trials() = std::move(view);
  }
  return response;
}

Core::Result Core::BestTrials(const v1::BestTrialsRequest& request) {
  auto found = FindStudyToRead(request.study());
  if (!found.ok()) return found.status();
  StudyRecord& study = **found;
  std::vector<const search::TrialView*> complete;
  bool any_infeasible = false;
  for (const search::TrialView& trial : study.views) {
    // Optuna's clients may complete a trial with any number of values.
    if (trial.state() == v1::TRIAL_STATE_COMPLETE &&
        trial.values().size() == static_cast<size_t>(std::max(1, study.study.directions_size()))) {
      if (trial.feasible()) complete.push_back(&trial);
      any_infeasible |= !trial.feasible();
    }
  }
  if (complete.empty() && any_infeasible) {
    return absl::FailedPreconditionError(
        absl::StrCat("study \"", study.study.name(),
                     "\" has no feasible trial yet: each COMPLETE one violates a constraint"));
  }
  if (complete.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("study \"", study.study.name(), "\" has no COMPLETE trial yet"));
  }
  auto response = std::make_shared<v1::BestTrialsResponse>();
  *response->mutable_study() = View(study);
  if (study.study.directions_size() > 1) {
    complete = ParetoFront(study.study, complete);
  } else {
    const bool maximize =
        study.study.directions_size() == 1 && study.study.directions(0) == v1::DIRECTION_MAXIMIZE;
    std::stable_sort(complete.begin(), complete.end(), [&](const auto* a, const auto* b) {
      return maximize ? a->values()[0] > b->values()[0] : a->values()[0] < b->values()[0];
    });
    complete.resize(std::min(complete.size(), static_cast<size_t>(std::max(1, request.count()))));
  }
  TrialRecord scratch;
  for (const search::TrialView* trial : complete) {
    const int64_t id = study.trial_ids[static_cast<size_t>(trial->number())];
    *response->add_trials() = View(state_.trials.Look(id, &scratch), true);
  }
  return response;
}

Core::Result Core::ListWorkers() {
  auto response = std::make_shared<v1::ListWorkersResponse>();
  for (const auto& [id, worker] : state_.workers) *response->add_workers() = worker.worker;
  return response;
}

Core::Result Core::ListCheckpoints(const v1::ListCheckpointsRequest& request) {
  auto trial = FindTrial(request.trial());
  if (!trial.ok()) return trial.status();
  auto response = std::make_shared<v1::ListCheckpointsResponse>();
  const auto& ids = state_.trial_checkpoints[(*trial)->trial.trial_id()];
  for (auto it = ids.rbegin(); it != ids.rend(); ++it) {
    *response->add_checkpoints() = state_.checkpoints.at(*it);
  }
  return response;
}

Core::Result Core::FindCheckpointById(const std::string& checkpoint_id) {
  const auto it = state_.checkpoints.find(checkpoint_id);
  if (it == state_.checkpoints.end()) {
    return absl::NotFoundError(absl::StrCat("no checkpoint \"", checkpoint_id, "\""));
  }
  return std::make_shared<v1::Checkpoint>(it->second);
}

Core::Result Core::GetStatus() {
  auto response = std::make_shared<v1::GetStatusResponse>();
  response->set_version(options_.version);
  response->set_data_dir(options_.data_dir);
  *response->mutable_start_time() = ToProto(start_time_);
  response->set_studies(static_cast<int64_t>(state_.studies.size()));
  for (const auto& [id, study] : state_.studies) {
    if (study.study.state() == v1::STUDY_STATE_ACTIVE) {
      response->set_active_studies(response->active_studies() + 1);
    }
  }
  for (const auto& [id, worker] : state_.workers) {
    if (worker.session == 0) continue;
    response->set_workers(response->workers() + 1);
    for (const v1::Slot& slot : worker.worker.slots()) {
      response->set_slots(response->slots() + 1);
      if (slot.attempt_id() == 0) response->set_free_slots(response->free_slots() + 1);
    }
  }
  return response;
}

// The present state of what is watched, as events that carry the last sequence.
Core::Result Core::WatchStart(const v1::WatchRequest& request) {
  auto response = std::make_shared<v1::WatchResponse>();
  response->set_sequence(state_.last_event_sequence);
  const auto add_study = [&](const StudyRecord& study) {
    v1::Event& event = *response->add_events();
    event.set_sequence(state_.last_event_sequence);
    event.set_kind("study.state");
    event.set_study_id(study.study.study_id());
    *event.mutable_study() = View(study);
    TrialRecord scratch;
    for (int64_t id : study.trial_ids) {
      v1::Event& row = *response->add_events();
      row.set_sequence(state_.last_event_sequence);
      row.set_kind("trial.state");
      row.set_study_id(study.study.study_id());
      row.set_trial_id(id);
      *row.mutable_trial() = View(state_.trials.Look(id, &scratch), false);
    }
  };
  if (!request.study().empty()) {
    auto study = FindStudy(request.study());
    if (!study.ok()) return study.status();
    add_study(**study);
    return response;
  }
  for (const auto& [id, study] : state_.studies) {
    if (!IsEnd(study.study.state())) add_study(study);
  }
  for (const auto& [id, worker] : state_.workers) {
    v1::Event& event = *response->add_events();
    event.set_sequence(state_.last_event_sequence);
    event.set_kind("worker.state");
    *event.mutable_worker() = worker.worker;
  }
  return response;
}

}  // namespace vlm::core
