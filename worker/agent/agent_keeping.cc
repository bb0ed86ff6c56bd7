// What the agent does beside serving offers: it delivers what an earlier process left, buries what
// has ended, and leaves.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/log.h"
#include "worker/agent/agent.h"

namespace vlm::agent {
namespace {

constexpr int64_t kMiB = 1 << 20;
constexpr absl::Duration kGoodbyeLimit = absl::Seconds(5);

}  // namespace

// ---- what an earlier process left ----

void Agent::RecoverSpools() {
  for (const std::string& path : dir_.LeftSpools()) RecoverSpool(path);
}

// Its trainers died with the earlier process. What they had reported is delivered, and their end.
void Agent::RecoverSpool(const std::string& path) {
  auto spool = Spool::Recover(path, options_.spool_mb * kMiB);
  if (!spool.ok()) {
    VLM_LOG_ERROR("a spool file is set aside", {{"error", spool.status().message()}});
    (void)rename(path.c_str(), absl::StrCat(path, ".damaged").c_str());
    return;
  }
  if (!(*spool)->damage().empty()) {
    VLM_LOG_ERROR("a spool file is damaged", {{"error", (*spool)->damage()}});
  }
  const v1::HeldLease lease = (*spool)->lease();
  const bool complete = (*spool)->HasOutcome();
  const std::vector<v1::Report> notes = (*spool)->notes();
  auto delivery = std::make_shared<Delivery>(*std::move(spool), dir_.worker_id(),
                                             [this] { reporter_->Wake(); });
  if (!complete) {
    v1::Report last;
    v1::Outcome& outcome = *last.mutable_outcome();
    outcome.set_state(v1::ATTEMPT_STATE_FAILED);
    outcome.set_failure_class(v1::FAILURE_CLASS_INFRA);
    outcome.set_reason(absl::StrCat("worker ", options_.name,
                                    " was restarted; the attempt's ranks ended with it"));
    delivery->AppendOutcome(std::move(last));
  }
  VLM_LOG_INFO("delivering what an earlier process left",
               {{"attempt", lease.attempt_id()}, {"batches", delivery->spool().last_sequence()}});
  for (const v1::Report& note : notes) {
    for (const v1::Checkpoint& checkpoint : note.checkpoints()) {
      transfer_->Upload(checkpoint, lease.epoch());
    }
  }
  if (notes.empty()) delivery->OpenGate();
  {
    MutexLock lock(mutex_);
    entries_[lease.attempt_id()] = Entry{delivery, nullptr, {}, false};
  }
  reporter_->Add(delivery);
}

// ---- the housekeeper ----

void Agent::Housekeep() {
  while (true) {
    while (BuryOne()) {
    }
    absl::flat_hash_set<int64_t> busy;
    bool clean = false;
    {
      MutexLock lock(mutex_);
      if (stop_) return;
      for (const auto& [id, entry] : entries_) busy.insert(id);
      std::swap(clean, clean_);
    }
    if (clean) dir_.CleanAttempts(options_.keep_attempts, options_.keep_mb * kMiB, busy);
    // Checkpoints of an earlier process: their outcome waits for the upload.
    std::vector<std::shared_ptr<Delivery>> left;
    {
      MutexLock lock(mutex_);
      for (const auto& [id, entry] : entries_) {
        if (entry.attempt == nullptr && !entry.delivered) left.push_back(entry.delivery);
      }
    }
    for (const auto& delivery : left) {
      const auto over = [this, &delivery] {
        MutexLock lock(mutex_);
        return stop_ || delivery->dropped();
      };
      (void)transfer_->WaitUploaded(delivery->lease().attempt_id(), AttemptOptions().upload_limit,
                                    over);
      delivery->OpenGate();
    }
    MutexLock lock(mutex_);
    const bool buried = std::any_of(entries_.begin(), entries_.end(), [](const auto& item) {
      return item.second.delivered && (!item.second.attempt || item.second.attempt->done());
    });
    if (!buried && !stop_) changed_.Wait(mutex_);
  }
}

// An attempt that has ended and is delivered leaves the table, its spool the disk.
bool Agent::BuryOne() {
  Entry entry;
  {
    MutexLock lock(mutex_);
    const auto it = std::find_if(entries_.begin(), entries_.end(), [](const auto& item) {
      return item.second.delivered && (!item.second.attempt || item.second.attempt->done());
    });
    if (it == entries_.end()) return false;
    entry = std::move(it->second);
    entries_.erase(it);
    clean_ = true;
  }
  entry.delivery->spool().Remove();
  entry.attempt.reset();
  return true;
}

// ---- leaving ----

void Agent::Drain(const std::string& reason, const std::function<bool()>& hurry) {
  {
    MutexLock lock(mutex_);
    draining_ = true;
  }
  session_->BeatNow();
  for (const auto& attempt : Attempts()) attempt->Drain(reason);
  const absl::Duration end = RealClock().Monotonic() + absl::Seconds(options_.drain_grace_s);
  bool killed = false;
  while (true) {
    bool all = true;
    for (const auto& attempt : Attempts()) all = all && attempt->done();
    if (all) break;
    if (!killed && (RealClock().Monotonic() >= end || hurry())) {
      killed = true;
      for (const auto& attempt : Attempts()) attempt->KillRanks();
    }
    if (RealClock().Monotonic() >= end + kGoodbyeLimit) break;
    MutexLock lock(mutex_);
    changed_.WaitFor(mutex_, absl::Milliseconds(100));
  }
  // Points that were reported belong to the trial before the lease is given back.
  const absl::Duration last = RealClock().Monotonic() + kGoodbyeLimit;
  std::vector<std::shared_ptr<Delivery>> deliveries;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, entry] : entries_) deliveries.push_back(entry.delivery);
  }
  for (const auto& delivery : deliveries) {
    if (connection_.up()) (void)delivery->WaitDelivered(last - RealClock().Monotonic());
  }
  // Without a coordinator the spools stay: the next agent here delivers them.
  if (!session_->Leave(reason, kGoodbyeLimit)) return;
  for (const auto& delivery : deliveries) delivery->spool().Remove();
}

}  // namespace vlm::agent
