#include "server/core/core.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace vlm::core {
namespace {

absl::Status LeaseGone(const CheckUpload& upload) {
  return absl::FailedPreconditionError(absl::StrCat("attempt ", upload.attempt_id, " epoch ",
                                                    upload.epoch, " no longer holds its lease"));
}

}  // namespace

google::protobuf::Timestamp ToProto(absl::Time t) {
  google::protobuf::Timestamp out;
  out.set_seconds(absl::ToUnixSeconds(t));  // Rounds down, also before 1970.
  out.set_nanos(
      static_cast<int32_t>((t - absl::FromUnixSeconds(out.seconds())) / absl::Nanoseconds(1)));
  return out;
}

absl::Time FromProto(const google::protobuf::Timestamp& t) {
  return absl::FromUnixSeconds(t.seconds()) + absl::Nanoseconds(t.nanos());
}

Core::Core(CoreOptions options, Snapshot snapshot, Now now, Output* at_start)
    : options_(std::move(options)), start_time_(now.wall), now_(now), out_(at_start) {
  Restore(std::move(snapshot));
  state_.trials.Settle();
  out_ = nullptr;
}

Output Core::Step(Now now, std::vector<Input> inputs) {
  Output output;
  out_ = &output;
  now_ = now;
  for (const Input& input : inputs) {
    std::visit([this](const auto& value) { Handle(value); }, input);
  }
  PassTime();
  Schedule();
  state_.trials.Settle();
  out_ = nullptr;
  return output;
}

void Core::PassTime() {
  EndSilentSessions();
  ExpireLeases();
  PurgeOld();
  while (!state_.request_ages.empty() &&
         now_.wall - state_.request_ages.front().first > options_.request_memory) {
    state_.requests.erase(state_.request_ages.front().second);
    state_.request_ages.pop_front();
  }
  for (auto& [id, study] : state_.studies) FinishStudyIfDone(study);
}

absl::Duration Core::NextDeadline() const {
  absl::Duration next = NextTurn();
  for (const auto& [id, attempt] : state_.live) {
    for (const NodeRecord& node : attempt->nodes) {
      if (!node.finished) next = std::min(next, node.lease_expiry);
    }
  }
  for (const auto& [id, worker] : state_.workers) {
    if (worker.session == 0) continue;
    next = std::min(next, worker.last_heard + options_.lease);
  }
  for (const auto& [id, deleted] : state_.deleted) {
    const absl::Time due = FromProto(deleted.study.delete_time()) + options_.deleted_kept;
    next = std::min(next, now_.monotonic + std::max(absl::ZeroDuration(), due - now_.wall));
  }
  for (const auto& [id, study] : state_.studies) {
    for (int64_t trial_id : study.requeued) {
      const absl::Duration due = state_.trials.open(trial_id).not_before;
      if (due > now_.monotonic) next = std::min(next, due);
    }
    if (study.study.state() == v1::STUDY_STATE_ACTIVE && study.study.timeout_s() > 0 &&
        study.first_attempt != absl::InfinitePast()) {
      const absl::Duration left =
          study.first_attempt + absl::Seconds(study.study.timeout_s()) - now_.wall;
      if (left > absl::ZeroDuration()) next = std::min(next, now_.monotonic + left);
    }
  }
  return next;
}

void Core::Handle(const FromWorker& input) {
  if (input.message.has_hello()) {
    OnHello(input.session, input.message.hello());
    return;
  }
  const auto found = state_.sessions.find(input.session);
  if (found == state_.sessions.end()) {
    out_->effects.push_back(CloseSession{
        input.session, absl::InvalidArgumentError("the first message of a worker must be Hello")});
    return;
  }
  WorkerRecord& worker = state_.workers.at(found->second);
  worker.last_heard = now_.monotonic;
  switch (input.message.message_case()) {
    case v1::WorkerMessage::kBeat:
      OnBeat(worker, input.message.beat());
      break;
    case v1::WorkerMessage::kOfferReply:
      OnOfferReply(worker, input.message.offer_reply());
      break;
    case v1::WorkerMessage::kGoodbye:
      OnGoodbye(worker, input.message.goodbye());
      break;
    default:
      break;
  }
}

void Core::ReplyTo(Token token, Result result) {
  if (token == 0) return;
  if (result.ok()) {
    out_->effects.push_back(Reply{token, absl::OkStatus(), *std::move(result)});
  } else {
    out_->effects.push_back(Reply{token, result.status(), nullptr});
  }
}

// Runs a mutation once per request id: a repeated id gets the stored answer.
template <typename Request>
void Core::Mutate(Token token, const Request& request, const std::string& method,
                  google::protobuf::Message* prototype, const std::function<Result()>& action) {
  const std::string& id = request.request_id();
  MessagePtr kept(prototype);
  if (const auto found = state_.requests.find(id); !id.empty() && found != state_.requests.end()) {
    if (found->second.method != method || !kept->ParseFromString(found->second.response)) {
      return ReplyTo(token, absl::InvalidArgumentError(absl::StrCat(
                                "request_id ", id, " was used for ", found->second.method,
                                " already; make up a new one for each call")));
    }
    return ReplyTo(token, kept);
  }
  Result result = action();
  if (result.ok() && !id.empty()) {
    PutRequest put{id, method, (*result)->SerializeAsString()};
    state_.requests[id] = put;
    state_.request_ages.emplace_back(now_.wall, id);
    out_->batch.push_back(std::move(put));
  }
  ReplyTo(token, std::move(result));
}

void Core::Handle(const Call& call) {
  const Token t = call.token;
  struct Visitor {
    Core& c;
    Token t;
    void operator()(const SubmitCall& x) {
      c.Mutate(t, x.request, "Submit", new v1::SubmitResponse, [&] { return c.Submit(x); });
    }
    void operator()(const ImportCall& x) {
      c.Mutate(t, x.header, "ImportStudy", new v1::ImportStudyResponse,
               [&] { return c.Import(x); });
    }
    void operator()(const LookUpDeletedStudy& x) { c.ReplyTo(t, c.LookUpDeleted(x)); }
    void operator()(const RestoreCall& x) {
      c.Mutate(t, x.request, "RestoreStudy", new v1::RestoreStudyResponse,
               [&] { return c.RestoreStudy(x); });
    }
    void operator()(const UpdateCall& x) {
      c.Mutate(t, x.request, "UpdateStudy", new v1::UpdateStudyResponse,
               [&] { return c.UpdateStudy(x); });
    }
    void operator()(const v1::DeleteStudyRequest& x) {
      c.Mutate(t, x, "DeleteStudy", new v1::DeleteStudyResponse, [&] { return c.DeleteStudy(x); });
    }
    void operator()(const v1::EnqueueTrialRequest& x) {
      c.Mutate(t, x, "EnqueueTrial", new v1::EnqueueTrialResponse,
               [&] { return c.EnqueueTrial(x); });
    }
    void operator()(const v1::StopTrialRequest& x) {
      c.Mutate(t, x, "StopTrial", new v1::StopTrialResponse, [&] { return c.StopTrial(x); });
    }
    void operator()(const v1::RetryTrialRequest& x) {
      c.Mutate(t, x, "RetryTrial", new v1::RetryTrialResponse, [&] { return c.RetryTrial(x); });
    }
    void operator()(const v1::TellRequest& x) {
      c.Mutate(t, x, "Tell", new v1::TellResponse, [&] { return c.Tell(x); });
    }
    void operator()(const v1::UpdateWorkerRequest& x) {
      c.Mutate(t, x, "UpdateWorker", new v1::UpdateWorkerResponse,
               [&] { return c.UpdateWorker(x); });
    }
    void operator()(const v1::ReportValueRequest& x) {
      c.Mutate(t, x, "ReportValue", new v1::ReportValueResponse, [&] { return c.ReportValue(x); });
    }
    void operator()(const v1::AskRequest& x) { c.QueueAsk(t, x); }
    void operator()(const v1::GetStudyRequest& x) { c.ReplyTo(t, c.GetStudy(x)); }
    void operator()(const v1::ListStudiesRequest& x) { c.ReplyTo(t, c.ListStudies(x)); }
    void operator()(const v1::GetTrialRequest& x) { c.ReplyTo(t, c.GetTrial(x.trial())); }
    void operator()(const v1::ListTrialsRequest& x) { c.ReplyTo(t, c.ListTrials(x)); }
    void operator()(const v1::BestTrialsRequest& x) { c.ReplyTo(t, c.BestTrials(x)); }
    void operator()(const v1::ListWorkersRequest&) { c.ReplyTo(t, c.ListWorkers()); }
    void operator()(const v1::ListCheckpointsRequest& x) { c.ReplyTo(t, c.ListCheckpoints(x)); }
    void operator()(const v1::GetStatusRequest&) { c.ReplyTo(t, c.GetStatus()); }
    void operator()(const v1::WatchRequest& x) { c.ReplyTo(t, c.WatchStart(x)); }
    void operator()(const ResolveTrial& x) { c.ReplyTo(t, c.GetTrial(x.trial)); }
    void operator()(const FindCheckpoint& x) {
      c.ReplyTo(t, c.FindCheckpointById(x.checkpoint_id));
    }
    void operator()(const CheckpointStored& x) { c.ReplyTo(t, c.StoreCheckpoint(x)); }
    void operator()(const CheckpointDamaged& x) { c.Forget(x); }
    void operator()(const OptunaCall& x) {
      c.ReplyTo(t, std::visit([&](const auto& request) { return c.Serve(request); }, x.request));
    }
    void operator()(const CheckUpload& x) {
      const bool live = c.LiveAttempt(x.attempt_id, x.epoch) != nullptr;
      c.ReplyTo(t, live ? Result(MessagePtr(new v1::GetStatusResponse)) : Result(LeaseGone(x)));
    }
  };
  std::visit(Visitor{*this, t}, call.body);
}

void Core::Emit(const std::string& kind, const std::string& message, const StudyRecord* study,
                const TrialRecord* trial, const WorkerRecord* worker) {
  v1::Event event;
  event.set_sequence(++state_.last_event_sequence);
  *event.mutable_time() = ToProto(now_.wall);
  event.set_kind(kind);
  event.set_message(message);
  if (study != nullptr) event.set_study_id(study->study.study_id());
  if (trial != nullptr) {
    event.set_trial_id(trial->trial.trial_id());
    *event.mutable_trial() = View(*trial, false);
  } else if (study != nullptr) {
    *event.mutable_study() = View(*study);
  } else if (worker != nullptr) {
    *event.mutable_worker() = worker->worker;
  }
  out_->batch.push_back(AppendEvent{event});
  out_->effects.push_back(Publish{std::move(event)});
}

// Progress is for eyes only: it is not stored and has no sequence of its own.
void Core::EmitProgress(TrialRecord& trial) {
  if (now_.monotonic - trial.last_progress < options_.progress_interval) return;
  trial.last_progress = now_.monotonic;
  v1::Event event;
  event.set_sequence(state_.last_event_sequence);
  *event.mutable_time() = ToProto(now_.wall);
  event.set_kind("trial.progress");
  event.set_study_id(trial.trial.study_id());
  event.set_trial_id(trial.trial.trial_id());
  *event.mutable_trial() = View(trial, false);
  out_->effects.push_back(Publish{std::move(event)});
}

void Core::Put(const StudyRecord& study) {
  PutStudy put{study.study, study.spec, ""};
  if (study.first_attempt != absl::InfinitePast()) {
    put.first_attempt_time =
        absl::FormatTime(absl::RFC3339_full, study.first_attempt, absl::UTCTimeZone());
  }
  out_->batch.push_back(std::move(put));
}

void Core::Put(const TrialRecord& trial, bool state_only) {
  out_->batch.push_back(PutTrial{trial.trial, state_only});
}
void Core::Put(const AttemptRecord& attempt) {
  out_->batch.push_back(PutAttempt{attempt.attempt, attempt.command, attempt.rendezvous_host,
                                   attempt.rendezvous_port});
}

void Core::Touch(TrialRecord& trial) {
  Put(trial);
  RefreshView(StudyOf(trial), trial, true);
}

}  // namespace vlm::core
