// What people do with studies.
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/config.h"
#include "server/core/core.h"
#include "server/core/json_text.h"
#include "server/core/optuna_json.h"
#include "server/core/optuna_view.h"

namespace vlm::core {
namespace {

constexpr size_t kMaxNameLength = 512;
constexpr int64_t kMostTrials = 10'000'000;
constexpr int kHighestPriority = 100;

}  // namespace

absl::Status Core::CheckName(const std::string& name) {
  if (name.size() > kMaxNameLength) {
    return absl::InvalidArgumentError(
        absl::StrCat("the study's name has ", name.size(), " bytes; at most ", kMaxNameLength));
  }
  const bool control = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (control) return absl::InvalidArgumentError("the study's name holds control characters");
  return absl::OkStatus();
}

// Optuna's name for what the values are.
void Core::KeepMetricName(StudyRecord& study) {
  if (study.study.metric().empty()) return;
  std::vector<std::string> metrics;
  for (const std::string& metric : study.study.metrics()) metrics.push_back(QuoteJson(metric));
  if (metrics.empty()) metrics.push_back(QuoteJson(study.study.metric()));
  study.system_attributes[kMetricNames] = absl::StrCat("[", absl::StrJoin(metrics, ", "), "]");
  out_->batch.push_back(PutStudyAttribute{study.study.study_id(), false, kMetricNames,
                                          study.system_attributes[kMetricNames]});
}

// The file's name without its ending, with a number when that is taken.
std::string Core::MakeUpName(const std::string& config_path) const {
  std::string stem = std::filesystem::path(config_path).stem().string();
  if (stem.empty() || !CheckName(stem).ok()) stem = "study";
  std::string name = stem;
  for (int i = 2; state_.study_names.contains(name); ++i) name = absl::StrCat(stem, "-", i);
  return name;
}

v1::Study Core::MakeStudy(const SubmitCall& call, const std::string& name) const {
  v1::Study study;
  study.set_name(name);
  study.set_state(call.request.paused() ? v1::STUDY_STATE_PAUSED : v1::STUDY_STATE_ACTIVE);
  *study.mutable_directions() = call.spec.directions();
  if (study.directions().empty()) study.add_directions(v1::DIRECTION_MINIMIZE);
  study.set_metric(call.spec.metrics().empty() ? call.spec.metric() : call.spec.metrics(0));
  *study.mutable_metrics() = call.spec.metrics();
  *study.mutable_create_time() = ToProto(now_.wall);
  study.set_n_trials(static_cast<int32_t>(call.spec.n_trials()));
  study.set_timeout_s(call.spec.timeout_s());
  study.set_parallelism(call.spec.parallelism());
  study.set_priority(call.spec.priority());
  study.set_weight(call.spec.weight() > 0 ? call.spec.weight() : 1);
  study.set_config_hash(config::ConfigHash(call.spec));
  study.set_owner(call.request.owner());
  return study;
}

// What its specification is turned into once. An error of the pruner leaves it without one.
absl::Status Core::Equip(StudyRecord& study) {
  study.log_policies = LogPolicies::Make(study.spec.retry());
  auto pruner = search::MakePruner(study.spec.pruner());
  if (!pruner.ok()) return pruner.status();
  study.pruner = *std::move(pruner);
  return absl::OkStatus();
}

Core::Result Core::Submit(const SubmitCall& call) {
  std::string name = !call.request.name().empty() ? call.request.name() : call.spec.name();
  if (name.empty()) name = MakeUpName(call.request.config_path());
  if (absl::Status usable = CheckName(name); !usable.ok()) return usable;
  auto response = std::make_shared<v1::SubmitResponse>();
  for (const v1::ConfigIssue& warning : call.warnings) *response->add_warnings() = warning;
  *response->mutable_spec() = call.spec;
  if (const auto it = state_.study_names.find(name); it != state_.study_names.end()) {
    if (!call.request.if_not_exists()) {
      return absl::AlreadyExistsError(absl::StrCat(
          "a study named \"", name, "\" exists; give another with --name or delete that one"));
    }
    *response->mutable_study() = View(state_.studies.at(it->second));
    response->set_existed(true);
    return response;
  }
  if (absl::Status placeable = CheckPlaceable(call.spec); !placeable.ok()) return placeable;
  StudyRecord record;
  record.spec = call.spec;
  record.spec.set_name(name);
  record.study = MakeStudy(call, name);
  v1::Study& study = record.study;
  auto seeds = FindSeeds(call);
  if (!seeds.ok()) return seeds.status();
  std::vector<std::vector<v1::Param>> enqueued;
  for (const v1::FixedParams& fixed : call.spec.enqueue()) {
    auto params = FixedParamsOf(call.spec, fixed.params());
    if (!params.ok()) return params.status();
    enqueued.push_back(*std::move(params));
  }
  if (call.request.dry_run()) {
    study.set_n_trials(study.n_trials() + static_cast<int32_t>(seeds->size()));
    study.mutable_counts()->set_waiting(static_cast<int64_t>(enqueued.size()));
    study.mutable_counts()->set_complete(static_cast<int64_t>(seeds->size()));
    *response->mutable_study() = study;
    return response;
  }
  if (absl::Status equipped = Equip(record); !equipped.ok()) return equipped;
  study.set_study_id(++state_.last_study_id);
  state_.study_names[name] = study.study_id();
  StudyRecord& kept = state_.studies[study.study_id()];
  kept = std::move(record);
  Put(kept);
  KeepMetricName(kept);
  AnnounceStudy(kept);
  Emit("study.created", absl::StrCat("study ", name, " was submitted"), &kept, nullptr);
  TakeSeeds(kept, *seeds);
  for (std::vector<v1::Param>& params : enqueued) {
    NewTrial(kept, v1::TRIAL_STATE_WAITING, std::move(params));
  }
  *response->mutable_study() = View(kept);
  return response;
}

absl::Status Core::CheckBudget(const StudyRecord& study,
                               const v1::UpdateStudyRequest& request) const {
  const auto used = static_cast<int64_t>(study.trial_ids.size());
  if (request.has_n_trials() &&
      (request.n_trials() < std::max<int64_t>(1, used) || request.n_trials() > kMostTrials)) {
    return absl::InvalidArgumentError(absl::StrCat("n_trials ", request.n_trials(),
                                                   " is not within ", std::max<int64_t>(1, used),
                                                   " (trials that exist) and ", kMostTrials));
  }
  if (request.has_timeout_s() &&
      !(request.timeout_s() >= 0 && std::isfinite(request.timeout_s()))) {
    return absl::InvalidArgumentError("timeout_s must be 0 (none) or more seconds");
  }
  if (request.has_parallelism() && request.parallelism() < 0) {
    return absl::InvalidArgumentError("parallelism must be 0 (as many as there are slots) or more");
  }
  if (request.has_priority() && std::abs(request.priority()) > kHighestPriority) {
    return absl::InvalidArgumentError(absl::StrCat("priority ", request.priority(),
                                                   " is not within ", -kHighestPriority, " and ",
                                                   kHighestPriority));
  }
  if (request.has_weight() && !(request.weight() > 0 && std::isfinite(request.weight()))) {
    return absl::InvalidArgumentError("weight must be a number above 0");
  }
  return absl::OkStatus();
}

void Core::EditBudget(StudyRecord& study, const v1::UpdateStudyRequest& request) {
  if (request.has_n_trials()) study.study.set_n_trials(static_cast<int32_t>(request.n_trials()));
  if (request.has_timeout_s()) study.study.set_timeout_s(request.timeout_s());
  if (request.has_parallelism()) study.study.set_parallelism(request.parallelism());
  if (request.has_priority()) study.study.set_priority(request.priority());
  if (request.has_weight()) study.study.set_weight(request.weight());
}

// What trials have drawn must go with the new ranges, and none may be missing.
absl::Status Core::CheckSpace(const StudyRecord& study, const UpdateCall& call) const {
  if (call.request.search_space().empty()) return absl::OkStatus();
  if (IsEnd(study.study.state()) && study.study.state() == v1::STUDY_STATE_CANCELLED) {
    return absl::FailedPreconditionError(
        absl::StrCat("study \"", study.study.name(), "\" is CANCELLED and draws no more values"));
  }
  for (const v1::SearchParam& fresh : call.spec.search_space()) {
    absl::Status fits;
    for (const v1::SearchParam& old : study.spec.search_space()) {
      if (old.name() == fresh.name()) {
        fits.Update(CheckCompatible(old.distribution(), fresh.distribution()));
      }
    }
    if (const auto it = study.distributions.find(fresh.name()); it != study.distributions.end()) {
      fits.Update(CheckCompatible(it->second, fresh.distribution()));
    }
    if (!fits.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("search_space ", fresh.name(), ": ", fits.message()));
    }
  }
  return absl::OkStatus();
}

// Suggestions made before, and the one that is being made, count for nothing.
void Core::EditSpace(StudyRecord& study, const UpdateCall& call) {
  if (call.request.search_space().empty()) return;
  *study.spec.mutable_search_space() = call.spec.search_space();
  study.study.set_config_hash(config::ConfigHash(study.spec));
  study.held.clear();
  study.question_stale = study.question_open;
  study.exhausted = false;
  out_->batch.push_back(PutSpec{study.study.study_id(), study.spec, study.study.config_hash()});
  AnnounceStudy(study);
  Emit("study.space", absl::StrCat("the search space of ", study.study.name(), " was edited"),
       &study, nullptr);
}

Core::Result Core::UpdateStudy(const UpdateCall& call) {
  const v1::UpdateStudyRequest& request = call.request;
  auto found = FindStudy(request.study());
  if (!found.ok()) return found.status();
  StudyRecord& study = **found;
  const v1::StudyState state = study.study.state();
  if (absl::Status fits = CheckBudget(study, request); !fits.ok()) return fits;
  if (absl::Status fits = CheckSpace(study, call); !fits.ok()) return fits;
  const auto refuse = [&](absl::string_view what) {
    return absl::FailedPreconditionError(absl::StrCat("study \"", study.study.name(), "\" is ",
                                                      ShortName(state), " and cannot be ", what));
  };
  switch (request.action()) {
    case v1::UpdateStudyRequest::ACTION_PAUSE:
      if (IsEnd(state)) return refuse("paused");
      EditBudget(study, request);
      if (state != v1::STUDY_STATE_PAUSED) SetStudyState(study, v1::STUDY_STATE_PAUSED, "");
      break;
    case v1::UpdateStudyRequest::ACTION_RESUME:
      if (state == v1::STUDY_STATE_CANCELLED) return refuse("resumed");
      if (IsEnd(state) && !HasBudgetAfter(study, request)) {
        return absl::FailedPreconditionError(
            absl::StrCat("study \"", study.study.name(),
                         "\" has used up its budget; raise n_trials or timeout_s to resume it"));
      }
      EditBudget(study, request);
      if (state != v1::STUDY_STATE_ACTIVE) SetStudyState(study, v1::STUDY_STATE_ACTIVE, "");
      break;
    case v1::UpdateStudyRequest::ACTION_CANCEL:
      if (state == v1::STUDY_STATE_CANCELLED) break;
      if (IsEnd(state)) return refuse("cancelled");
      EditBudget(study, request);
      CancelStudy(study, v1::STUDY_STATE_CANCELLED, "cancelled by a person");
      break;
    default:
      EditBudget(study, request);
      break;
  }
  EditSpace(study, call);
  Put(study);
  auto response = std::make_shared<v1::UpdateStudyResponse>();
  *response->mutable_study() = View(study);
  return response;
}

void Core::SetStudyState(StudyRecord& study, v1::StudyState state, const std::string& reason) {
  study.study.set_state(state);
  study.study.set_reason(reason);
  if (IsEnd(state)) {
    *study.study.mutable_end_time() = ToProto(now_.wall);
  } else {
    study.study.clear_end_time();
  }
  if (state == v1::STUDY_STATE_CANCELLED || state == v1::STUDY_STATE_FAILED) {
    RefuseAsks(study, absl::FailedPreconditionError(absl::StrCat("study \"", study.study.name(),
                                                                 "\" is ", ShortName(state))));
  }
  Put(study);
  Emit("study.state",
       absl::StrCat("study ", study.study.name(), " is ", ShortName(state),
                    reason.empty() ? "" : ": ", reason),
       &study, nullptr);
}

void Core::CancelStudy(StudyRecord& study, v1::StudyState end, const std::string& reason) {
  const std::vector<int64_t> ids = study.trial_ids;
  SetStudyState(study, end, reason);
  study.held.clear();
  study.requeued.clear();
  study.waiting.clear();
  for (size_t number = 0; number < ids.size(); ++number) {
    if (!IsEnd(StateOf(study, number))) StopOne(state_.trials.at(ids[number]), reason);
  }
}

// With its trials; attempts that are live are fenced. `study` is gone afterwards.
void Core::RemoveStudy(StudyRecord& study, Removal removal) {
  const int64_t study_id = study.study.study_id();
  for (int64_t trial_id : study.trial_ids) {
    const std::vector<int64_t> attempt_ids = state_.trials.RunOf(trial_id).attempt_ids;
    for (int64_t attempt_id : attempt_ids) {
      AttemptRecord& attempt = *state_.attempts.at(attempt_id);
      if (!IsEnd(attempt.attempt.state())) {
        MarkSlots(attempt, 0);
        for (const NodeRecord& node : attempt.nodes) {
          Fence(node.worker_id, attempt, "the study was deleted");
        }
        state_.live.erase(attempt_id);
      }
    }
    for (const std::string& id : state_.trial_checkpoints[trial_id]) {
      if (removal != Removal::kRestorable) out_->effects.push_back(DropCheckpointFile{id});
      state_.checkpoints.erase(id);
    }
    state_.trial_checkpoints.erase(trial_id);
    for (int64_t attempt_id : attempt_ids) state_.attempts.erase(attempt_id);
    out_->effects.push_back(PublishLog{trial_id, {}, true});
  }
  RefuseAsks(study, absl::NotFoundError("the study was deleted"));
  Emit("study.deleted", absl::StrCat("study ", study.study.name(), " was deleted"), &study,
       nullptr);
  out_->batch.push_back(vlm::core::DeleteStudy{
      study_id, study.trial_ids, removal == Removal::kByOthers, removal == Removal::kRestorable});
  out_->effects.push_back(SearchForget{study_id});
  for (int64_t trial_id : study.trial_ids) state_.trials.erase(trial_id);
  state_.study_names.erase(study.study.name());
  state_.studies.erase(study_id);
}

bool Core::HasBudgetAfter(const StudyRecord& study, const v1::UpdateStudyRequest& request) const {
  const int64_t n_trials = request.has_n_trials() ? request.n_trials() : study.study.n_trials();
  const double timeout = request.has_timeout_s() ? request.timeout_s() : study.study.timeout_s();
  const bool timed_out = timeout > 0 && study.first_attempt != absl::InfinitePast() &&
                         now_.wall >= study.first_attempt + absl::Seconds(timeout);
  return !timed_out && static_cast<int64_t>(study.trial_ids.size()) < n_trials;
}

}  // namespace vlm::core
