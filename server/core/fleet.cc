// Workers: hello, beats, answers to offers, goodbye, and what is pushed to them.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/core/core.h"

namespace vlm::core {

AttemptRecord* Core::LiveAttempt(int64_t attempt_id, int32_t epoch) {
  const auto it = state_.live.find(attempt_id);
  if (it == state_.live.end() || it->second->attempt.number() != epoch) return nullptr;
  return it->second;
}

void Core::PushTo(const std::string& worker_id, v1::CoordinatorMessage message) {
  const auto it = state_.workers.find(worker_id);
  if (it == state_.workers.end() || it->second.session == 0) return;  // Told at its next Hello.
  out_->effects.push_back(Push{it->second.session, std::move(message)});
}

void Core::Fence(const std::string& worker_id, const AttemptRecord& attempt,
                 const std::string& why) {
  v1::CoordinatorMessage message;
  message.mutable_fenced()->set_attempt_id(attempt.attempt.attempt_id());
  message.mutable_fenced()->set_epoch(attempt.attempt.number());
  message.mutable_fenced()->set_reason(why);
  PushTo(worker_id, std::move(message));
}

void Core::Command(AttemptRecord& attempt, v1::Command::Action action, const std::string& reason) {
  attempt.command.set_action(action);
  attempt.command.set_reason(reason);
  Put(attempt);  // A restarted coordinator repeats the order.
  v1::CoordinatorMessage message;
  message.mutable_command()->set_attempt_id(attempt.attempt.attempt_id());
  message.mutable_command()->set_epoch(attempt.attempt.number());
  *message.mutable_command()->mutable_command() = attempt.command;
  for (const NodeRecord& node : attempt.nodes) PushTo(node.worker_id, message);
}

// What a worker's Hello says that is no reason to refuse it becomes its record.
void Core::TakeHello(SessionId session, const v1::Hello& hello, WorkerRecord& worker) {
  worker.session = session;
  worker.session_id = hello.session_id();
  worker.last_heard = now_.monotonic;
  state_.sessions[session] = hello.worker_id();
  v1::Worker& view = worker.worker;
  view.set_worker_id(hello.worker_id());
  view.set_name(hello.name().empty() ? hello.worker_id() : hello.name());
  view.set_version(hello.version());
  view.set_address(hello.address());
  view.set_state(v1::WORKER_STATE_ATTACHED);
  if (!view.cordoned()) view.set_reason("");
  *view.mutable_slots() = hello.slots();
  *view.mutable_attach_time() = ToProto(now_.wall);
  *view.mutable_last_beat_time() = view.attach_time();
}

void Core::OnHello(SessionId session, const v1::Hello& hello) {
  const auto refuse = [&](absl::Status status) {
    out_->effects.push_back(CloseSession{session, std::move(status)});
  };
  if (hello.worker_id().empty() || hello.slots().empty()) {
    return refuse(absl::InvalidArgumentError("Hello needs a worker_id and at least one slot"));
  }
  WorkerRecord& worker = state_.workers[hello.worker_id()];
  const bool new_process = worker.session_id != hello.session_id();
  const bool silent = now_.monotonic - worker.last_heard >= options_.lease;
  if (worker.session != 0 && new_process && !silent) {
    return refuse(absl::AlreadyExistsError(
        absl::StrCat("worker ", hello.worker_id(), " (", hello.name(),
                     ") is attached already; two agents must not share a work directory")));
  }
  if (worker.session != 0) {  // The same process on a new stream, or the old one is dead.
    state_.sessions.erase(worker.session);
    out_->effects.push_back(
        CloseSession{worker.session, absl::AbortedError("replaced by a newer stream")});
  }
  TakeHello(session, hello, worker);
  std::vector<v1::Fenced> fenced;
  RenewLeases(worker, hello.leases(), &fenced);
  if (new_process) LoseUnheld(hello);
  RefreshSlots(worker);
  v1::CoordinatorMessage message;
  v1::HelloAck& ack = *message.mutable_hello_ack();
  ack.set_beat_interval_s(absl::ToDoubleSeconds(options_.beat_interval));
  ack.set_lease_s(absl::ToDoubleSeconds(options_.lease));
  ack.set_coordinator_version(options_.version);
  for (v1::Fenced& f : fenced) *ack.add_fenced() = std::move(f);
  PushTo(hello.worker_id(), std::move(message));
  RepeatOrders(hello.worker_id());
  out_->batch.push_back(PutWorker{worker.worker});
  Emit("worker.attached",
       absl::StrCat("worker ", worker.worker.name(), " attached with ", worker.worker.slots_size(),
                    " slots"),
       nullptr, nullptr, &worker);
}

// What a new process does not hold any more died with the old one. (What it never accepted is
// offered to it again.)
void Core::LoseUnheld(const v1::Hello& hello) {
  std::vector<AttemptRecord*> gone;
  for (auto& [id, attempt] : state_.live) {
    const bool held = std::any_of(hello.leases().begin(), hello.leases().end(),
                                  [id = id](const auto& l) { return l.attempt_id() == id; });
    for (const NodeRecord& node : attempt->nodes) {
      if (node.worker_id == hello.worker_id() && node.accepted && !held && !node.finished) {
        gone.push_back(attempt);
        break;
      }
    }
  }
  for (AttemptRecord* attempt : gone) {
    if (IsEnd(attempt->attempt.state())) continue;
    attempt->attempt.set_failed_worker_id(hello.worker_id());
    EndAttempt(*attempt, v1::ATTEMPT_STATE_LOST, v1::FAILURE_CLASS_INFRA,
               absl::StrCat("worker ", hello.name(), " was restarted"));
  }
}

// Orders and offers that a broken stream may have swallowed are sent again.
void Core::RepeatOrders(const std::string& worker_id) {
  for (auto& [id, attempt] : state_.live) {
    for (size_t i = 0; i < attempt->nodes.size(); ++i) {
      NodeRecord& node = attempt->nodes[i];
      if (node.worker_id != worker_id || node.finished) continue;
      v1::CoordinatorMessage again;
      if (!node.accepted) {
        TrialRecord& trial = TrialOf(*attempt);
        node.lease_expiry = std::max(node.lease_expiry, now_.monotonic + options_.lease);
        *again.mutable_offer() = MakeOffer(StudyOf(trial), trial, *attempt, i);
        PushTo(worker_id, again);
      } else if (attempt->attempt.state() >= v1::ATTEMPT_STATE_RENDEZVOUS &&
                 node.last_sequence == 0) {  // It has not said anything yet: is it started?
        *again.mutable_start() = MakeStart(*attempt);
        PushTo(worker_id, again);
      }
      if (attempt->command.action() == v1::Command::ACTION_UNSPECIFIED) continue;
      v1::CoordinatorMessage order;
      order.mutable_command()->set_attempt_id(id);
      order.mutable_command()->set_epoch(attempt->attempt.number());
      *order.mutable_command()->mutable_command() = attempt->command;
      PushTo(worker_id, order);
    }
  }
}

v1::Start Core::MakeStart(const AttemptRecord& attempt) {
  v1::Start start;
  start.set_attempt_id(attempt.attempt.attempt_id());
  start.set_epoch(attempt.attempt.number());
  start.set_rendezvous_host(attempt.rendezvous_host);
  start.set_rendezvous_port(attempt.rendezvous_port);
  return start;
}

void Core::RenewLeases(WorkerRecord& worker,
                       const google::protobuf::RepeatedPtrField<v1::HeldLease>& leases,
                       std::vector<v1::Fenced>* fenced) {
  for (const v1::HeldLease& lease : leases) {
    AttemptRecord* attempt = LiveAttempt(lease.attempt_id(), lease.epoch());
    bool ours = false;
    if (attempt != nullptr) {
      for (NodeRecord& node : attempt->nodes) {
        if (node.worker_id != worker.worker.worker_id()) continue;
        node.lease_expiry = now_.monotonic + options_.lease;
        ours = true;
      }
    }
    if (!ours) {
      v1::Fenced f;
      f.set_attempt_id(lease.attempt_id());
      f.set_epoch(lease.epoch());
      f.set_reason("the attempt no longer holds its lease");
      fenced->push_back(std::move(f));
    }
  }
}

void Core::RefreshSlots(WorkerRecord& worker) {
  for (v1::Slot& slot : *worker.worker.mutable_slots()) slot.set_attempt_id(0);
  for (const auto& [id, attempt] : state_.live) MarkSlots(*attempt, id);
}

void Core::OnBeat(WorkerRecord& worker, const v1::Beat& beat) {
  *worker.worker.mutable_last_beat_time() = ToProto(now_.wall);
  if (beat.draining() && worker.worker.state() == v1::WORKER_STATE_ATTACHED) {
    worker.worker.set_state(v1::WORKER_STATE_DRAINING);
    worker.worker.set_reason("it is about to leave");
    out_->batch.push_back(PutWorker{worker.worker});
  }
  std::vector<v1::Fenced> fenced;
  RenewLeases(worker, beat.leases(), &fenced);
  for (v1::Fenced& f : fenced) {
    v1::CoordinatorMessage message;
    *message.mutable_fenced() = std::move(f);
    PushTo(worker.worker.worker_id(), std::move(message));
  }
  v1::CoordinatorMessage ack;
  ack.mutable_beat_ack()->set_sequence(beat.sequence());
  PushTo(worker.worker.worker_id(), std::move(ack));
}

void Core::OnOfferReply(WorkerRecord& worker, const v1::OfferReply& reply) {
  AttemptRecord* attempt = LiveAttempt(reply.attempt_id(), reply.epoch());
  if (attempt == nullptr) return;
  const std::string& worker_id = worker.worker.worker_id();
  const bool asked =
      std::any_of(attempt->nodes.begin(), attempt->nodes.end(),
                  [&](const NodeRecord& node) { return node.worker_id == worker_id; });
  if (!asked) return;
  if (!reply.accepted()) {
    const bool leaving = worker.worker.state() == v1::WORKER_STATE_DRAINING;
    if (!leaving) attempt->attempt.set_failed_worker_id(worker_id);
    EndAttempt(*attempt, leaving ? v1::ATTEMPT_STATE_PREEMPTED : v1::ATTEMPT_STATE_FAILED,
               leaving ? v1::FAILURE_CLASS_PREEMPTED : v1::FAILURE_CLASS_INFRA,
               absl::StrCat("worker ", worker.worker.name(), " refused: ", reply.reason()));
    return;
  }
  if (attempt->attempt.state() != v1::ATTEMPT_STATE_OFFERED &&
      attempt->attempt.state() != v1::ATTEMPT_STATE_ACCEPTED) {
    return;  // A repeated answer.
  }
  for (NodeRecord& node : attempt->nodes) {
    if (node.worker_id == worker_id) node.accepted = true;
  }
  if (attempt->nodes.front().worker_id == worker_id) {
    attempt->rendezvous_host = reply.rendezvous_host();
    attempt->rendezvous_port = reply.rendezvous_port();
  }
  const bool all = std::all_of(attempt->nodes.begin(), attempt->nodes.end(),
                               [](const NodeRecord& node) { return node.accepted; });
  if (!all) {
    if (attempt->attempt.state() == v1::ATTEMPT_STATE_OFFERED) {
      SetAttemptState(*attempt, v1::ATTEMPT_STATE_ACCEPTED);
    }
    return;
  }
  SetAttemptState(*attempt, v1::ATTEMPT_STATE_RENDEZVOUS);
  v1::CoordinatorMessage message;
  *message.mutable_start() = MakeStart(*attempt);
  for (const NodeRecord& node : attempt->nodes) PushTo(node.worker_id, message);
}

void Core::OnGoodbye(WorkerRecord& worker, const v1::Goodbye& goodbye) {
  const std::string worker_id = worker.worker.worker_id();
  worker.worker.set_state(v1::WORKER_STATE_DRAINING);
  worker.worker.set_reason(goodbye.reason());
  out_->batch.push_back(PutWorker{worker.worker});
  for (AttemptRecord* attempt : AttemptsOn(worker_id)) {
    EndAttempt(*attempt, v1::ATTEMPT_STATE_PREEMPTED, v1::FAILURE_CLASS_PREEMPTED,
               absl::StrCat("worker ", worker.worker.name(), " left: ", goodbye.reason()));
  }
}

void Core::Handle(const SessionClosed& input) {
  const auto it = state_.sessions.find(input.session);
  if (it == state_.sessions.end()) return;
  WorkerRecord& worker = state_.workers.at(it->second);
  if (worker.session == input.session) return LoseSession(worker, "its connection broke");
  state_.sessions.erase(it);
}

// A broken stream is noticed at once; the attempts get a moment in which the worker may dial in
// again.
void Core::LoseSession(WorkerRecord& worker, const std::string& reason) {
  state_.sessions.erase(worker.session);
  worker.session = 0;
  const bool left = worker.worker.state() == v1::WORKER_STATE_DRAINING;
  worker.worker.set_state(v1::WORKER_STATE_LOST);
  if (!left) worker.worker.set_reason(reason);
  for (auto& [id, attempt] : state_.live) {
    for (NodeRecord& node : attempt->nodes) {
      if (node.worker_id != worker.worker.worker_id()) continue;
      node.lease_expiry = std::min(node.lease_expiry, now_.monotonic + options_.reconnect_grace);
    }
  }
  out_->batch.push_back(PutWorker{worker.worker});
  Emit(left ? "worker.left" : "worker.lost",
       absl::StrCat("worker ", worker.worker.name(),
                    left ? " left" : " is gone: ", left ? "" : reason),
       nullptr, nullptr, &worker);
}

// An open stream over which nothing comes any more is no worker.
void Core::EndSilentSessions() {
  for (auto& [id, worker] : state_.workers) {
    if (worker.session == 0 || now_.monotonic - worker.last_heard < options_.lease) continue;
    out_->effects.push_back(CloseSession{
        worker.session, absl::UnavailableError("no beat came for longer than a lease")});
    LoseSession(worker, "it has been silent for longer than a lease");
  }
}

}  // namespace vlm::core
