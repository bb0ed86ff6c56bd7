// Questions to samplers and what is done with the answers.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/core/core.h"
#include "server/core/optuna_json.h"

namespace vlm::core {
namespace {

// Programs that ask at the same time are answered together: less to and fro between the threads.
// Those who ask meanwhile wait for all of these, so not too many.
constexpr int64_t kMostAtOnce = 32;

void Count(v1::TrialCounts& counts, v1::TrialState state, int64_t change) {
  switch (state) {
    case v1::TRIAL_STATE_WAITING:
      counts.set_waiting(counts.waiting() + change);
      break;
    case v1::TRIAL_STATE_RUNNING:
      counts.set_running(counts.running() + change);
      break;
    case v1::TRIAL_STATE_COMPLETE:
      counts.set_complete(counts.complete() + change);
      break;
    case v1::TRIAL_STATE_PRUNED:
      counts.set_pruned(counts.pruned() + change);
      break;
    case v1::TRIAL_STATE_FAIL:
      counts.set_fail(counts.fail() + change);
      break;
    default:
      break;
  }
}

}  // namespace

// What other programs have stored may be no input for a sampler: it is left out, or the trial
// counts as failed. Nobody samples for a study without a search space of ours.
search::TrialView Core::MakeView(const StudyRecord& study, const TrialRecord& trial) const {
  search::TrialView view;
  const v1::Trial& t = trial.trial;
  view.set_number(t.number());
  view.set_state(t.state());
  view.set_values({t.values().data(), static_cast<size_t>(t.values_size())});
  const bool ours = study.spec.has_train();
  if (ours && t.state() == v1::TRIAL_STATE_COMPLETE &&
      t.values_size() != study.study.directions_size()) {
    view.set_state(v1::TRIAL_STATE_FAIL);
    view.set_values({});
  }
  for (const v1::Param& param : t.params()) {
    const auto internal = ours ? search::ToInternal(param.distribution(), param.value())
                               : Internal(param.distribution(), param.value());
    if (!internal.ok()) continue;
    if (ours && !CheckDistribution(study, param.name(), param.distribution()).ok()) continue;
    view.AddParam(param.name(), param.distribution(), *internal);
  }
  FillExtras(t, ours, &view);
  return view;
}

// Of a study that other programs search, only which trials are feasible is of interest here.
void Core::FillExtras(const v1::Trial& trial, bool ours, search::TrialView* view) {
  if (!HasExtras(trial)) return;
  auto constraints = search::ReadConstraints(trial.system_attributes());
  if (!constraints.empty()) view->mutable_extras().constraints = std::move(constraints);
  if (!ours) return;
  for (const v1::IntermediateValue& v : trial.intermediate_values()) {
    view->mutable_extras().intermediate_values[v.step()] = v.value();
  }
  search::ReadAttributes(trial.system_attributes(), view);
}

void Core::RefreshView(StudyRecord& study, const TrialRecord& trial, bool tell_search) {
  for (const v1::Param& param : trial.trial.params()) {
    study.distributions.try_emplace(param.name(), param.distribution());
  }
  SetView(study, MakeView(study, trial), trial.trial.state());
  if (tell_search && study.spec.has_train()) {
    const auto index = static_cast<size_t>(trial.trial.number());
    out_->effects.push_back(SearchTrial{study.study.study_id(), study.views.Share(index)});
  }
}

// With its part in the counts, which is `state` whatever the view says.
void Core::SetView(StudyRecord& study, search::TrialView view, v1::TrialState state) {
  const auto index = static_cast<size_t>(view.number());
  auto fresh = std::make_shared<const search::TrialView>(std::move(view));
  if (study.pruner != nullptr) {
    const search::TrialView none;
    study.reports.Replace(index < study.views.size() ? study.views[index] : none, *fresh);
  }
  study.views.Set(index, std::move(fresh));
  study.counted.resize(study.views.size());
  Count(study.counts, StateOf(study, index), -1);
  study.counted[index] = static_cast<uint8_t>(state);
  Count(study.counts, state, 1);
}

void Core::AnnounceStudy(const StudyRecord& study) {
  if (!study.spec.has_train()) return;
  std::vector<v1::Direction> directions;
  for (int d : study.study.directions()) directions.push_back(static_cast<v1::Direction>(d));
  out_->effects.push_back(SearchStudy{study.study.study_id(), study.study.name(),
                                      std::move(directions), study.spec, study.sampler_state});
}

void Core::Ask(StudyRecord& study, SearchAsk question) {
  study.question_open = true;
  study.question_waiting = question.count == 0;
  out_->effects.push_back(std::move(question));
}

// For the next `count` trials.
void Core::AskSampler(StudyRecord& study, int64_t count) {
  Ask(study, {study.study.study_id(), static_cast<int64_t>(study.trial_ids.size()), {}, count});
}

std::vector<v1::Param> Core::TakeHeld(StudyRecord& study) {
  std::vector<v1::Param> params = std::move(study.held.front());
  study.held.pop_front();
  return params;
}

void Core::Handle(const Suggestion& input) {
  const auto it = state_.studies.find(input.study_id);
  if (it == state_.studies.end()) return;  // Deleted meanwhile.
  StudyRecord& study = it->second;
  study.question_open = false;
  if (std::exchange(study.question_stale, false) &&
      (input.params.ok() || absl::IsOutOfRange(input.params.status()))) {
    return PumpAsks(study);
  }
  if (absl::IsOutOfRange(input.params.status())) return TakeExhaustion(study, input);
  if (!input.params.ok()) {
    CancelStudy(study, v1::STUDY_STATE_FAILED,
                absl::StrCat("the sampler failed: ", input.params.status().message()));
    return;
  }
  study.sampler_state = input.sampler_state;
  out_->batch.push_back(PutSamplerState{input.study_id, input.sampler_state});
  if (IsEnd(study.study.state())) return;
  // The question was about a WAITING trial: it starts now with its remaining values. (A fresh
  // question's number may be taken by now: a person has enqueued a trial meanwhile.)
  if (study.question_waiting) {
    TrialRecord& trial = state_.trials.at(study.trial_ids[static_cast<size_t>(input.number)]);
    if (trial.trial.state() != v1::TRIAL_STATE_WAITING) return PumpAsks(study);
    StartTrial(study, trial, *input.params);
    if (study.question_for_ask && !study.asks.empty()) {
      AnswerAsk(study, trial);
    } else {
      Requeue(study, trial, absl::ZeroDuration(), "");
    }
    return;
  }
  study.held.push_back(*input.params);
  study.held.insert(study.held.end(), input.more.begin(), input.more.end());
  PumpAsks(study);
}

// The space is used up: no fresh trial will come, and the study ends with those that run. A WAITING
// trial whose values a person has left open cannot be filled.
void Core::TakeExhaustion(StudyRecord& study, const Suggestion& input) {
  if (IsEnd(study.study.state())) return;
  const std::string reason(input.params.status().message());
  if (study.question_waiting) {
    TrialRecord& trial = state_.trials.at(study.trial_ids[static_cast<size_t>(input.number)]);
    if (trial.trial.state() == v1::TRIAL_STATE_WAITING) {
      std::erase(study.waiting, input.number);
      EndTrial(trial, v1::TRIAL_STATE_FAIL, {}, reason);
    }
  } else {
    study.exhausted = true;
  }
  PumpAsks(study);
}

void Core::QueueAsk(Token token, const v1::AskRequest& request) {
  if (const auto it = state_.requests.find(request.request_id());
      !request.request_id().empty() && it != state_.requests.end()) {
    auto kept = std::make_shared<v1::AskResponse>();
    kept->ParseFromString(it->second.response);
    return ReplyTo(token, MessagePtr(kept));
  }
  auto found = FindStudy(request.study());
  if (!found.ok()) return ReplyTo(token, found.status());
  StudyRecord& study = **found;
  if (!study.spec.has_train()) {
    return ReplyTo(token, absl::FailedPreconditionError(absl::StrCat(
                              "study \"", study.study.name(),
                              "\" was made by another program and has no search space here; "
                              "ask its own sampler")));
  }
  const bool used_up = !BudgetLeft(study) && study.waiting.empty();
  if (study.study.state() == v1::STUDY_STATE_COMPLETED ||
      (study.study.state() == v1::STUDY_STATE_ACTIVE && (used_up || TimedOut(study)))) {
    return ReplyTo(token, absl::ResourceExhaustedError(absl::StrCat("study \"", study.study.name(),
                                                                    "\" has used up its budget")));
  }
  if (study.study.state() != v1::STUDY_STATE_ACTIVE) {
    return ReplyTo(
        token, absl::FailedPreconditionError(absl::StrCat("study \"", study.study.name(), "\" is ",
                                                          ShortName(study.study.state()))));
  }
  study.asks.push_back({token, request.request_id()});
  PumpAsks(study);
}

void Core::PumpAsks(StudyRecord& study) {
  if (study.question_open) return;
  while (!study.asks.empty() && !study.held.empty() && BudgetLeft(study)) {
    AnswerAsk(study, NewTrial(study, v1::TRIAL_STATE_RUNNING, TakeHeld(study)));
  }
  if (study.asks.empty()) return;
  study.question_for_ask = true;
  if (!study.waiting.empty()) return AskForWaiting(study);
  if (!BudgetLeft(study)) {
    return RefuseAsks(study, absl::ResourceExhaustedError("the study's budget is used up"));
  }
  const int64_t left = study.study.n_trials() - static_cast<int64_t>(study.trial_ids.size());
  AskSampler(study, std::min({left, static_cast<int64_t>(study.asks.size()), kMostAtOnce}));
}

void Core::RefuseAsks(StudyRecord& study, const absl::Status& status) {
  for (const auto& ask : study.asks) ReplyTo(ask.token, status);
  study.asks.clear();
}

// The oldest WAITING trial: what a person fixed stays, the rest is sampled.
void Core::AskForWaiting(StudyRecord& study) {
  const int64_t number = study.waiting.front();
  const TrialRecord& trial = state_.trials.at(study.trial_ids[static_cast<size_t>(number)]);
  search::InternalParams fixed;
  for (const v1::Param& param : trial.trial.params()) {
    if (auto internal = search::ToInternal(param.distribution(), param.value()); internal.ok()) {
      fixed[param.name()] = *internal;
    }
  }
  Ask(study, {study.study.study_id(), number, std::move(fixed), 0});
}

void Core::AnswerAsk(StudyRecord& study, TrialRecord& trial) {
  const StudyRecord::PendingAsk ask = study.asks.front();
  study.asks.pop_front();
  trial.trial.set_external(true);
  Touch(trial);
  if (study.first_attempt == absl::InfinitePast()) {
    study.first_attempt = now_.wall;
    Put(study);
  }
  Emit("trial.started", absl::StrCat("trial ", NameOf(study, trial), " was asked for"), &study,
       &trial);
  auto response = std::make_shared<v1::AskResponse>();
  *response->mutable_trial() = View(trial, false);
  if (!ask.request_id.empty()) {
    PutRequest put{ask.request_id, "Ask", response->SerializeAsString()};
    state_.requests[ask.request_id] = put;
    state_.request_ages.emplace_back(now_.wall, ask.request_id);
    out_->batch.push_back(std::move(put));
  }
  ReplyTo(ask.token, MessagePtr(response));
}

}  // namespace vlm::core
