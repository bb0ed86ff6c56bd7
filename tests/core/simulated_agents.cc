// What the workers of the simulation do.
#include "absl/strings/str_cat.h"
#include "tests/core/simulation.h"

namespace vlm::core {

void Simulation::Attach(Agent& agent) {
  agent.session = next_session_++;
  v1::WorkerMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_worker_id(agent.id);
  hello.set_name(agent.id);
  hello.set_session_id(std::to_string(agent.process));
  for (int i = 0; i < agent.slots; ++i) {
    hello.add_slots()->set_index(i);
    hello.mutable_slots(i)->set_kind(v1::SLOT_KIND_CPU);
  }
  for (auto& [id, job] : agent.jobs) {
    v1::HeldLease* lease = hello.add_leases();
    lease->set_attempt_id(id);
    lease->set_epoch(job.offer.epoch());
  }
  Step({FromWorker{agent.session, message}});
}

void Simulation::ReadInbox(Agent& agent) {
  for (const v1::CoordinatorMessage& message : std::exchange(inbox_[agent.session], {})) {
    if (message.has_offer()) {
      const v1::Offer& offer = message.offer();
      v1::WorkerMessage reply;
      reply.mutable_offer_reply()->set_attempt_id(offer.attempt_id());
      reply.mutable_offer_reply()->set_epoch(offer.epoch());
      reply.mutable_offer_reply()->set_accepted(!Chance(10));
      if (reply.offer_reply().accepted()) agent.jobs[offer.attempt_id()].offer = offer;
      Step({FromWorker{agent.session, reply}});
    } else if (message.has_start()) {
      const auto job = agent.jobs.find(message.start().attempt_id());
      if (job != agent.jobs.end()) job->second.started = true;
    } else if (message.has_command()) {
      const auto job = agent.jobs.find(message.command().attempt_id());
      if (job != agent.jobs.end()) job->second.order = message.command().command().action();
    } else if (message.has_fenced()) {
      agent.jobs.erase(message.fenced().attempt_id());
    } else if (message.has_hello_ack()) {
      for (const auto& fenced : message.hello_ack().fenced()) agent.jobs.erase(fenced.attempt_id());
    }
  }
}

// One batch of a running job: points, or its end; sometimes an old one again, or one too early.
void Simulation::Train(Agent& agent, Agent::Job& job) {
  if (Chance(20) && !job.spool.empty()) {
    return SendBatch(job.spool[static_cast<size_t>(Draw(static_cast<int>(job.spool.size())))]);
  }
  if (job.ended) return;
  v1::ReportBatch batch;
  batch.set_worker_id(agent.id);
  batch.set_attempt_id(job.offer.attempt_id());
  batch.set_epoch(job.offer.epoch());
  batch.set_node(job.offer.node());
  v1::Report& report = *batch.mutable_report();
  report.set_sequence(job.next_sequence++);
  const int64_t step = report.sequence() * 10;
  report.set_last_step(step);
  const int kind = Draw(100);
  if (job.order != v1::Command::ACTION_UNSPECIFIED) {
    report.mutable_outcome()->set_state(
        job.order == v1::Command::ACTION_PRUNE     ? v1::ATTEMPT_STATE_PRUNED
        : job.order == v1::Command::ACTION_PREEMPT ? v1::ATTEMPT_STATE_PREEMPTED
                                                   : v1::ATTEMPT_STATE_STOPPED);
  } else if (kind < 15) {
    report.mutable_outcome()->set_state(v1::ATTEMPT_STATE_SUCCEEDED);
    report.mutable_outcome()->add_values(kind == 0 ? NAN : 0.1 * Draw(10));
  } else if (kind < 22) {
    report.mutable_outcome()->set_state(v1::ATTEMPT_STATE_FAILED);
    report.mutable_outcome()->set_failure_class(static_cast<v1::FailureClass>(1 + Draw(6)));
  } else {
    v1::IntermediateValue* value = report.add_validations();
    value->set_step(step);
    value->set_value(kind == 30 ? NAN : 0.1 * Draw(10));
    if (Chance(20)) report.add_checkpoints()->set_step(step);
  }
  job.ended = report.has_outcome();
  job.spool.push_back(batch);
  if (Chance(10)) return;  // Lost on the way; it is replayed later.
  SendBatch(batch);
}

void Simulation::ActAsAgent(Agent& agent) {
  if (Chance(2)) {  // The agent dies; its jobs die with it.
    agent.jobs.clear();
    ++agent.process;
    if (agent.session != 0) Step({SessionClosed{std::exchange(agent.session, 0)}});
    return;
  }
  if (agent.session == 0) {
    if (Chance(60)) Attach(agent);
    return;
  }
  if (Chance(3)) return Step({SessionClosed{std::exchange(agent.session, 0)}});
  ReadInbox(agent);
  if (agent.session == 0) return;
  v1::WorkerMessage beat;
  for (auto& [id, job] : agent.jobs) {
    beat.mutable_beat()->add_leases()->set_attempt_id(id);
    beat.mutable_beat()->mutable_leases()->rbegin()->set_epoch(job.offer.epoch());
  }
  beat.mutable_beat();
  Step({FromWorker{agent.session, beat}});
  std::vector<int64_t> ids;
  for (auto& [id, job] : agent.jobs) ids.push_back(id);
  for (int64_t id : ids) {
    const auto job = agent.jobs.find(id);
    if (job == agent.jobs.end() || !job->second.started) continue;
    Train(agent, job->second);
    // Whoever has lost a batch replays from the last acknowledged one.
    if (Chance(30)) {
      for (const v1::ReportBatch& batch : job->second.spool) SendBatch(batch);
    }
  }
}

}  // namespace vlm::core
