#include "worker/agent/attempt.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/status.h"

namespace vlm::agent {
namespace {

constexpr absl::Duration kRoomLimit = absl::Seconds(1);  // Between two looks at a full spool.

absl::Duration Now() { return RealClock().Monotonic(); }

}  // namespace

Attempt::Attempt(v1::Offer offer, AttemptOptions options, AttemptParts parts)
    : offer_(std::move(offer)), options_(options), parts_(std::move(parts)) {
  {
    MutexLock lock(mutex_);
    for (int rank : offer_.ranks()) ranks_.emplace_back(rank);
  }
  thread_ = std::thread([this] { Run(); });
}

Attempt::~Attempt() {
  Fence("the agent ends");
  thread_.join();
  std::vector<std::unique_ptr<TrainerProcess>> processes;
  {
    MutexLock lock(mutex_);
    for (Rank& rank : ranks_) processes.push_back(std::move(rank.process));
  }
  processes.clear();  // Their threads call back: without the lock.
}

Attempt::Rank& Attempt::RankOf(int rank) {
  return *std::find_if(ranks_.begin(), ranks_.end(),
                       [rank](const Rank& r) { return r.end.rank == rank; });
}

bool Attempt::AllEnded() const {
  return std::all_of(ranks_.begin(), ranks_.end(),
                     [](const Rank& rank) { return rank.ended || rank.process == nullptr; });
}

bool Attempt::Over() const {
  MutexLock lock(mutex_);
  return fenced_;
}

bool Attempt::done() const {
  MutexLock lock(mutex_);
  return done_;
}

// ---- what the session brings ----

void Attempt::Start(const v1::Start& start) {
  MutexLock lock(mutex_);
  if (!start_.has_value()) start_ = start;
  changed_.NotifyAll();
}

void Attempt::Command(const v1::Command& command) {
  MutexLock lock(mutex_);
  if (command_.action() == command.action()) return;  // Said again after a reconnect.
  command_ = command;
  SendToAll(command);
  for (Rank& rank : ranks_) {
    if (!rank.kill_at.has_value()) rank.kill_at = Now() + options_.obey_grace;
  }
  changed_.NotifyAll();
}

void Attempt::Fence(const std::string& reason) {
  parts_.delivery->Drop();
  MutexLock lock(mutex_);
  if (fenced_ || done_) return;
  fenced_ = true;
  VLM_LOG_INFO(
      "lease is over; killing the ranks",
      {{"attempt", offer_.attempt_id()}, {"trial", offer_.trial_number()}, {"reason", reason}});
  for (Rank& rank : ranks_) {
    if (rank.process != nullptr) rank.process->Kill();
  }
  changed_.NotifyAll();
}

void Attempt::Drain(const std::string& reason) {
  {
    MutexLock lock(mutex_);
    draining_ = true;
  }
  v1::Command command;
  command.set_action(v1::Command::ACTION_PREEMPT);
  command.set_reason(reason);
  Command(command);
}

void Attempt::KillRanks() {
  MutexLock lock(mutex_);
  for (Rank& rank : ranks_) {
    if (rank.process != nullptr && !rank.ended) rank.process->Kill();
  }
}

void Attempt::SendToAll(const v1::Command& command) {
  if (!launched_) return;
  for (Rank& rank : ranks_) {
    // A trainer that is gone tells by its end.
    if (rank.process != nullptr && !rank.ended) (void)rank.process->Send(command);
  }
}

// ---- what the trainers bring ----

void Attempt::OnReport(int rank, v1::Report report) {
  for (v1::Checkpoint& checkpoint : *report.mutable_checkpoints()) {
    checkpoint.set_trial_id(offer_.trial_id());
    checkpoint.set_attempt_id(offer_.attempt_id());
    checkpoint.set_worker_id(parts_.worker_id);
    checkpoint.set_checkpoint_id(
        absl::StrCat("ckpt-", offer_.attempt_id(), "-", checkpoint.step()));
    // The coordinator hears of it by the upload: then it can be fetched from anywhere.
    parts_.delivery->Note(checkpoint);
    parts_.transfer->Upload(checkpoint, offer_.epoch());
  }
  report.clear_checkpoints();
  for (v1::ProfileSummary& profile : *report.mutable_profiles()) {
    profile.set_attempt_id(offer_.attempt_id());
    profile.set_worker_id(parts_.worker_id);
  }
  // Back-pressure: this thread reads the trainer's socket.
  while (!parts_.delivery->WaitForRoom(kRoomLimit)) {
  }
  MutexLock lock(mutex_);
  Rank& from = RankOf(rank);
  if (report.has_outcome()) from.end.outcome = report.outcome();
  from.builder.Add(std::move(report), Now());
  work_ = true;
  changed_.NotifyAll();
}

void Attempt::OnLines(int) {
  MutexLock lock(mutex_);
  work_ = true;
  changed_.NotifyAll();
}

void Attempt::OnClosed(int rank) {
  MutexLock lock(mutex_);
  Rank& closed = RankOf(rank);
  const absl::Duration latest = Now() + options_.exit_grace;
  closed.kill_at = std::min(closed.kill_at.value_or(latest), latest);
  changed_.NotifyAll();
}

void Attempt::OnEnd(int rank, const ExitInfo& exit) {
  MutexLock lock(mutex_);
  Rank& ended = RankOf(rank);
  ended.end.exit = exit;
  ended.end.at = Now();
  ended.ended = true;
  const bool good =
      ended.end.outcome.has_value() && ended.end.outcome->state() != v1::ATTEMPT_STATE_FAILED;
  VLM_LOG_INFO("rank ended", {{"attempt", offer_.attempt_id()},
                              {"trial", offer_.trial_number()},
                              {"rank", rank},
                              {"exit", exit.exit_code},
                              {"signal", exit.signal}});
  if (!good && !stopping_peers_ && !fenced_) StopPeers(rank);
  if (good && rank == 0) {
    // Rank 0 has the value; a peer that hangs in its teardown does not hold the slots for ever.
    stopping_peers_ = true;
    for (Rank& peer : ranks_) {
      if (!peer.kill_at.has_value()) peer.kill_at = Now() + options_.obey_grace;
    }
  }
  work_ = true;
  changed_.NotifyAll();
}

// A gang without one of its ranks waits for it for ever: the others are stopped, then killed.
void Attempt::StopPeers(int failed_rank) {
  stopping_peers_ = true;
  v1::Command stop;
  stop.set_action(v1::Command::ACTION_STOP);
  stop.set_reason(absl::StrCat("rank ", failed_rank, " has failed"));
  for (Rank& rank : ranks_) {
    if (rank.process == nullptr || rank.ended) continue;
    // A peer that ends with an outcome FAILED of its own still competes to be the cause; the others
    // are ended by us.
    (void)rank.process->Send(stop);
    const absl::Duration latest = Now() + options_.peer_grace;
    rank.kill_at = std::min(rank.kill_at.value_or(latest), latest);
  }
}

}  // namespace vlm::agent
