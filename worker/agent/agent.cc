#include "worker/agent/agent.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/log.h"
#include "common/status.h"
#include "worker/agent/machine.h"
#include "worker/agent/slots.h"

#ifndef VLM_VERSION
#define VLM_VERSION "0.1.0"
#endif

namespace vlm::agent {
namespace {

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kDiskReserve = 64 * kMiB;  // Offers are refused below.

}  // namespace

absl::StatusOr<std::unique_ptr<Agent>> Agent::Start(
    AgentOptions options, std::function<void()> on_attached,
    std::function<void(const absl::Status&)> on_refused) {
  const SlotOptions slot_options{options.slots, options.threads_per_slot, options.device};
  ASSIGN_OR_RETURN(std::vector<v1::Slot> slots, MakeSlots(ReadMachine(), slot_options));
  ASSIGN_OR_RETURN(WorkDir dir, WorkDir::Open(options.work_dir));
  std::unique_ptr<Agent> agent(new Agent(std::move(options), std::move(dir), std::move(slots),
                                         std::move(on_attached), std::move(on_refused)));
  agent->RecoverSpools();
  agent->session_ =
      std::make_unique<Session>(agent->options_.coordinator, &agent->connection_, agent.get());
  return agent;
}

Agent::Agent(AgentOptions options, WorkDir dir, std::vector<v1::Slot> slots,
             std::function<void()> on_attached, std::function<void(const absl::Status&)> on_refused)
    : options_(std::move(options)),
      dir_(std::move(dir)),
      slots_(std::move(slots)),
      session_id_(NewUuid()),
      on_attached_(std::move(on_attached)),
      on_refused_(std::move(on_refused)) {
  TrainerCommand command;
  command.argv = {options_.trainer};
  command.env = {{"OMP_NUM_THREADS", absl::StrCat(slots_.front().threads())}};
  const int warm = options_.warm < 0 ? static_cast<int>(slots_.size()) : options_.warm;
  pool_ = std::make_unique<SparePool>(std::move(command), warm);
  transfer_ = std::make_unique<CheckpointTransfer>(&connection_, dir_.worker_id());
  reporter_ = std::make_unique<Reporter>(
      &connection_, [this](int64_t id, Delivery::Progress progress) { OnDelivered(id, progress); });
  housekeeper_ = std::thread([this] { Housekeep(); });
}

Agent::~Agent() {
  connection_.Stop();
  session_.reset();
  for (const auto& attempt : Attempts()) attempt->Fence("the agent ends");
  pool_->Stop();
  {
    MutexLock lock(mutex_);
    stop_ = true;
    changed_.NotifyAll();
  }
  housekeeper_.join();
  reporter_.reset();
  absl::btree_map<int64_t, Entry> rest;
  {
    MutexLock lock(mutex_);
    rest = std::move(entries_);
    entries_.clear();
  }
  rest.clear();  // Joins the attempts' threads.
  transfer_.reset();
  pool_.reset();
}

// ---- the session ----

std::vector<v1::HeldLease> Agent::Leases() {
  std::vector<v1::HeldLease> leases;
  MutexLock lock(mutex_);
  for (const auto& [id, entry] : entries_) {
    if (!entry.delivered) leases.push_back(entry.delivery->lease());
  }
  return leases;
}

v1::Hello Agent::MakeHello() {
  v1::Hello hello;
  hello.set_worker_id(dir_.worker_id());
  hello.set_name(options_.name);
  hello.set_version(VLM_VERSION);
  hello.set_address(options_.address);
  hello.set_session_id(session_id_);
  for (const v1::Slot& slot : slots_) *hello.add_slots() = slot;
  for (v1::HeldLease& lease : Leases()) *hello.add_leases() = std::move(lease);
  return hello;
}

v1::Beat Agent::MakeBeat() {
  v1::Beat beat;
  for (v1::HeldLease& lease : Leases()) *beat.add_leases() = std::move(lease);
  beat.set_free_memory_bytes(FreeMemoryBytes());
  beat.set_free_disk_bytes(FreeDiskBytes(dir_.path()));
  beat.set_load_average(LoadAverage());
  MutexLock lock(mutex_);
  beat.set_draining(draining_);
  return beat;
}

void Agent::OnAttached(const v1::HelloAck& ack) {
  VLM_LOG_INFO("attached", {{"coordinator", options_.coordinator},
                            {"worker", options_.name},
                            {"version", ack.coordinator_version()},
                            {"lease_s", ack.lease_s()}});
  reporter_->Wake();
  {
    MutexLock lock(mutex_);
    if (told_attached_) return;
    told_attached_ = true;
  }
  on_attached_();
}

absl::Status Agent::CheckOffer(const v1::Offer& offer) const {
  if (offer.ranks_size() == 0 || offer.ranks_size() != offer.slots_size()) {
    return absl::InvalidArgumentError("the offer names no ranks, or not a slot for each");
  }
  for (int slot : offer.slots()) {
    if (slot < 0 || static_cast<size_t>(slot) >= slots_.size()) {
      return absl::InvalidArgumentError(absl::StrCat("there is no slot ", slot));
    }
  }
  {
    MutexLock lock(mutex_);
    if (draining_) return absl::UnavailableError("the worker is leaving");
  }
  if (const int64_t left = FreeDiskBytes(dir_.path()); left < kDiskReserve) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the disk of ", dir_.path(), " is full (", left / kMiB, " MiB left)"));
  }
  return pool_->Health();
}

absl::Status Agent::Accept(const v1::Offer& offer, v1::OfferReply* reply) {
  RETURN_IF_ERROR(CheckOffer(offer));
  const int64_t id = offer.attempt_id();
  AttemptParts parts;
  parts.pool = pool_.get();
  parts.transfer = transfer_.get();
  parts.slots = slots_;
  parts.worker_id = dir_.worker_id();
  parts.worker_name = options_.name;
  parts.on_done = [this] {
    MutexLock lock(mutex_);
    changed_.NotifyAll();
  };
  if (offer.node() == 0 && offer.world_size() > 1) {
    ASSIGN_OR_RETURN(ListenSocket listen, ListenSocket::Open(options_.address));
    reply->set_rendezvous_host(options_.address);
    reply->set_rendezvous_port(listen.port());
    parts.listen.emplace(std::move(listen));
  }
  ASSIGN_OR_RETURN(parts.work_dir, dir_.MakeAttemptFolder(id));
  v1::HeldLease lease;
  lease.set_attempt_id(id);
  lease.set_epoch(offer.epoch());
  lease.set_node(offer.node());
  *lease.mutable_slots() = offer.slots();
  ASSIGN_OR_RETURN(auto spool, Spool::Create(dir_.SpoolPath(id, offer.epoch()), lease,
                                             options_.spool_mb * kMiB));
  parts.delivery =
      std::make_shared<Delivery>(std::move(spool), dir_.worker_id(), [this] { reporter_->Wake(); });
  reply->set_accepted(true);
  MutexLock lock(mutex_);
  Entry& entry = entries_[id];
  entry.delivery = parts.delivery;
  entry.reply = *reply;
  reporter_->Add(parts.delivery);
  entry.attempt = std::make_shared<Attempt>(offer, AttemptOptions{}, std::move(parts));
  return absl::OkStatus();
}

v1::OfferReply Agent::OnOffer(const v1::Offer& offer) {
  v1::OfferReply reply;
  reply.set_attempt_id(offer.attempt_id());
  reply.set_epoch(offer.epoch());
  {
    MutexLock lock(mutex_);
    const auto it = entries_.find(offer.attempt_id());
    if (it != entries_.end() && it->second.reply.epoch() == offer.epoch()) {
      return it->second.reply;  // Offered again after a reconnect.
    }
    if (it != entries_.end()) {
      reply.set_reason("the worker still holds an attempt of this number");
      return reply;
    }
  }
  const absl::Status accepted = Accept(offer, &reply);
  if (!accepted.ok()) {
    reply.set_reason(std::string(accepted.message()));
    VLM_LOG_WARNING("offer refused",
                    {{"attempt", offer.attempt_id()}, {"reason", accepted.message()}});
  }
  return reply;
}

std::shared_ptr<Attempt> Agent::Find(int64_t attempt_id, int32_t epoch) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(attempt_id);
  if (it == entries_.end() || it->second.delivery->lease().epoch() != epoch) return nullptr;
  return it->second.attempt;
}

std::vector<std::shared_ptr<Attempt>> Agent::Attempts() {
  std::vector<std::shared_ptr<Attempt>> attempts;
  MutexLock lock(mutex_);
  for (const auto& [id, entry] : entries_) {
    if (entry.attempt != nullptr) attempts.push_back(entry.attempt);
  }
  return attempts;
}

void Agent::OnStart(const v1::Start& start) {
  if (const auto attempt = Find(start.attempt_id(), start.epoch())) attempt->Start(start);
}

void Agent::OnCommand(const v1::AttemptCommand& command) {
  if (const auto attempt = Find(command.attempt_id(), command.epoch())) {
    attempt->Command(command.command());
  }
}

void Agent::OnFenced(const v1::Fenced& fenced) {
  {
    MutexLock lock(mutex_);
    const auto it = entries_.find(fenced.attempt_id());
    if (it == entries_.end() || it->second.delivery->lease().epoch() != fenced.epoch()) return;
  }
  reporter_->Remove(fenced.attempt_id());
  End(fenced.attempt_id(), fenced.reason());
}

void Agent::OnAway(absl::Duration away) {
  for (const auto& attempt : Attempts()) {
    attempt->Fence(absl::StrCat("the coordinator has been away for ", absl::FormatDuration(away)));
    reporter_->Remove(attempt->offer().attempt_id());
    End(attempt->offer().attempt_id(), "");
  }
}

void Agent::OnRefused(const absl::Status& status) {
  for (const auto& attempt : Attempts()) attempt->Fence("the coordinator refused this worker");
  on_refused_(status);
}

void Agent::OnDelivered(int64_t attempt_id, Delivery::Progress progress) {
  End(attempt_id, progress == Delivery::Progress::kFenced ? "its epoch is stale" : "");
}

// Nothing is sent for it any more.
void Agent::End(int64_t attempt_id, const std::string& fence_reason) {
  std::shared_ptr<Attempt> attempt;
  {
    MutexLock lock(mutex_);
    const auto it = entries_.find(attempt_id);
    if (it == entries_.end()) return;
    it->second.delivered = true;
    it->second.delivery->Drop();
    attempt = it->second.attempt;
    changed_.NotifyAll();
  }
  if (attempt != nullptr && !fence_reason.empty()) attempt->Fence(fence_reason);
  transfer_->Cancel(attempt_id);
}

}  // namespace vlm::agent
