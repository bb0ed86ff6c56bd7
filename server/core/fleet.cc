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
  v1::CoordinatorMessage message;
  message.mutable_command()->set_attempt_id(attempt.attempt.attempt_id());
  message.mutable_command()->set_epoch(attempt.attempt.number());
  *message.mutable_command()->mutable_command() = attempt.command;
  for (const NodeRecord& node : attempt.nodes) PushTo(node.worker_id, message);
}

void Core::OnHello(SessionId session, const v1::Hello& hello) {
  const auto refuse = [&](absl::Status status) {
    out_->effects.push_back(CloseSession{session, std::move(status)});
  };
  if (hello.worker_id().empty() || hello.slots().empty()) {
    return refuse(absl::InvalidArgumentError("Hello needs a worker_id and at least one slot"));
  }
  WorkerRecord& worker = state_.workers[hello.worker_id()];
  if (worker.session != 0 && worker.session_id != hello.session_id()) {
    return refuse(absl::AlreadyExistsError(absl::StrCat(
        "worker ", hello.worker_id(), " (", hello.name(),
        ") is attached already; two agents must not share a work directory")));
  }
  if (worker.session != 0) {  // The same process on a new stream; the old one is dead.
    state_.sessions.erase(worker.session);
    out_->effects.push_back(
        CloseSession{worker.session, absl::AbortedError("replaced by a newer stream")});
  }
  const bool new_process = worker.session_id != hello.session_id();
  worker.session = session;
  worker.session_id = hello.session_id();
  state_.sessions[session] = hello.worker_id();
  v1::Worker& view = worker.worker;
  view.set_worker_id(hello.worker_id());
  view.set_name(hello.name());
  view.set_version(hello.version());
  view.set_address(hello.address());
  view.set_state(v1::WORKER_STATE_ATTACHED);
  view.set_reason("");
  *view.mutable_slots() = hello.slots();
  view.mutable_attach_time()->set_seconds(absl::ToUnixSeconds(now_.wall));
  *view.mutable_last_beat_time() = view.attach_time();
  std::vector<v1::Fenced> fenced;
  RenewLeases(worker, hello.leases(), &fenced);
  // What a new process does not hold any more died with the old one.
  std::vector<AttemptRecord*> gone;
  for (auto& [id, attempt] : state_.live) {
    for (const NodeRecord& node : attempt->nodes) {
      const bool held = std::any_of(hello.leases().begin(), hello.leases().end(),
                                    [&, a = attempt](const v1::HeldLease& lease) {
                                      return lease.attempt_id() == a->attempt.attempt_id();
                                    });
      if (node.worker_id == hello.worker_id() && !held && !node.finished && new_process) {
        gone.push_back(attempt);
        break;
      }
    }
  }
  for (AttemptRecord* attempt : gone) {
    EndAttempt(*attempt, v1::ATTEMPT_STATE_LOST, v1::FAILURE_CLASS_INFRA,
               absl::StrCat("worker ", hello.name(), " was restarted"));
  }
  RefreshSlots(worker);
  v1::CoordinatorMessage message;
  v1::HelloAck& ack = *message.mutable_hello_ack();
  ack.set_beat_interval_s(absl::ToDoubleSeconds(options_.beat_interval));
  ack.set_lease_s(absl::ToDoubleSeconds(options_.lease));
  ack.set_coordinator_version(options_.version);
  for (v1::Fenced& f : fenced) *ack.add_fenced() = std::move(f);
  PushTo(hello.worker_id(), std::move(message));
  // Orders and offers that the broken stream may have swallowed are sent again.
  for (auto& [id, attempt] : state_.live) {
    for (size_t i = 0; i < attempt->nodes.size(); ++i) {
      if (attempt->nodes[i].worker_id != hello.worker_id()) continue;
      v1::CoordinatorMessage again;
      if (!attempt->nodes[i].accepted) {
        TrialRecord& trial = TrialOf(*attempt);
        *again.mutable_offer() = MakeOffer(StudyOf(trial), trial, *attempt, i);
        PushTo(hello.worker_id(), again);
      } else if (attempt->attempt.state() == v1::ATTEMPT_STATE_RENDEZVOUS) {
        v1::Start& start = *again.mutable_start();
        start.set_attempt_id(id);
        start.set_epoch(attempt->attempt.number());
        start.set_rendezvous_host(attempt->rendezvous_host);
        start.set_rendezvous_port(attempt->rendezvous_port);
        PushTo(hello.worker_id(), again);
      }
      if (attempt->command.action() != v1::Command::ACTION_UNSPECIFIED) {
        Command(*attempt, attempt->command.action(), attempt->command.reason());
      }
    }
  }
  out_->batch.push_back(PutWorker{view});
  Emit("worker.attached",
       absl::StrCat("worker ", view.name(), " attached with ", view.slots_size(), " slots"),
       nullptr, nullptr, &worker);
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
  worker.worker.mutable_last_beat_time()->set_seconds(absl::ToUnixSeconds(now_.wall));
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
  if (!reply.accepted()) {
    EndAttempt(*attempt, v1::ATTEMPT_STATE_FAILED, v1::FAILURE_CLASS_INFRA,
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
  v1::Start& start = *message.mutable_start();
  start.set_attempt_id(reply.attempt_id());
  start.set_epoch(reply.epoch());
  start.set_rendezvous_host(attempt->rendezvous_host);
  start.set_rendezvous_port(attempt->rendezvous_port);
  for (const NodeRecord& node : attempt->nodes) PushTo(node.worker_id, message);
}

void Core::OnGoodbye(WorkerRecord& worker, const v1::Goodbye& goodbye) {
  const std::string worker_id = worker.worker.worker_id();
  worker.worker.set_state(v1::WORKER_STATE_DRAINING);
  worker.worker.set_reason(goodbye.reason());
  std::vector<AttemptRecord*> mine;
  for (auto& [id, attempt] : state_.live) {
    for (const NodeRecord& node : attempt->nodes) {
      if (node.worker_id == worker_id) {
        mine.push_back(attempt);
        break;
      }
    }
  }
  for (AttemptRecord* attempt : mine) {
    EndAttempt(*attempt, v1::ATTEMPT_STATE_PREEMPTED, v1::FAILURE_CLASS_PREEMPTED,
               absl::StrCat("worker ", worker.worker.name(), " left: ", goodbye.reason()));
  }
}

// A broken stream is noticed at once; the attempts get a moment in which the worker may dial in again.
void Core::Handle(const SessionClosed& input) {
  const auto it = state_.sessions.find(input.session);
  if (it == state_.sessions.end()) return;
  WorkerRecord& worker = state_.workers.at(it->second);
  state_.sessions.erase(it);
  if (worker.session != input.session) return;
  worker.session = 0;
  const bool left = worker.worker.state() == v1::WORKER_STATE_DRAINING;
  worker.worker.set_state(v1::WORKER_STATE_LOST);
  if (!left) worker.worker.set_reason("its connection broke");
  for (auto& [id, attempt] : state_.live) {
    for (NodeRecord& node : attempt->nodes) {
      if (node.worker_id != worker.worker.worker_id()) continue;
      node.lease_expiry =
          std::min(node.lease_expiry, now_.monotonic + options_.reconnect_grace);
    }
  }
  out_->batch.push_back(PutWorker{worker.worker});
  Emit(left ? "worker.left" : "worker.lost",
       absl::StrCat("worker ", worker.worker.name(), left ? " left" : " is gone"), nullptr, nullptr,
       &worker);
}

}  // namespace vlm::core
