// The agent: owns the session, the spares, the deliveries and this node's attempts, and connects
// them. One per process.
//
// Threads: callbacks come from the session's two threads, the reporter's and the attempts'; a
// housekeeper of its own buries what has ended. mutex_ guards the table of attempts only and is
// never held across a wait; it comes before the locks of the parts.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "worker/agent/attempt.h"
#include "worker/agent/checkpoint_transfer.h"
#include "worker/agent/connection.h"
#include "worker/agent/options.h"
#include "worker/agent/reporter.h"
#include "worker/agent/session.h"
#include "worker/agent/spare_pool.h"
#include "worker/agent/work_dir.h"

namespace vlm::agent {

class Agent final : public SessionHandler {
 public:
  // `on_attached` is called once, at the first HelloAck; `on_refused` when the coordinator wants no
  // more of this worker. Errors of WorkDir::Open and MakeSlots.
  static absl::StatusOr<std::unique_ptr<Agent>> Start(
      AgentOptions options, std::function<void()> on_attached,
      std::function<void(const absl::Status&)> on_refused);
  // Kills what still runs.
  ~Agent() override;

  // Takes nothing new, has every rank write a checkpoint and end, says Goodbye. Ranks that are not
  // through within the grace, or when `hurry` says true, are killed.
  void Drain(const std::string& reason, const std::function<bool()>& hurry);
  size_t slots() const { return slots_.size(); }

 private:
  struct Entry {
    std::shared_ptr<Delivery> delivery;
    std::shared_ptr<Attempt> attempt;  // Null for one that an earlier process left.
    v1::OfferReply reply;              // To be repeated.
    bool delivered = false;            // Nothing is left to send, or it was refused.
  };

  Agent(AgentOptions options, WorkDir dir, std::vector<v1::Slot> slots,
        std::function<void()> on_attached, std::function<void(const absl::Status&)> on_refused);
  void RecoverSpools();
  void RecoverSpool(const std::string& path);

  v1::Hello MakeHello() override;
  v1::Beat MakeBeat() override;
  void OnAttached(const v1::HelloAck& ack) override;
  v1::OfferReply OnOffer(const v1::Offer& offer) override;
  void OnStart(const v1::Start& start) override;
  void OnCommand(const v1::AttemptCommand& command) override;
  void OnFenced(const v1::Fenced& fenced) override;
  void OnAway(absl::Duration away) override;
  void OnRefused(const absl::Status& status) override;

  absl::Status CheckOffer(const v1::Offer& offer) const;
  absl::Status Accept(const v1::Offer& offer, v1::OfferReply* reply);
  void OnDelivered(int64_t attempt_id, Delivery::Progress progress);
  void End(int64_t attempt_id, const std::string& fence_reason);
  std::shared_ptr<Attempt> Find(int64_t attempt_id, int32_t epoch);
  std::vector<std::shared_ptr<Attempt>> Attempts();
  std::vector<v1::HeldLease> Leases();
  void Housekeep();
  bool BuryOne();

  // Constant after construction.
  const AgentOptions options_;
  const WorkDir dir_;
  const std::vector<v1::Slot> slots_;
  const std::string session_id_;
  const std::function<void()> on_attached_;
  const std::function<void(const absl::Status&)> on_refused_;

  mutable Mutex mutex_;
  CondVar changed_;
  absl::btree_map<int64_t, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  bool told_attached_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool clean_ ABSL_GUARDED_BY(mutex_) = true;  // Old folders are to be looked at.
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;

  Connection connection_;
  std::unique_ptr<SparePool> pool_;
  std::unique_ptr<CheckpointTransfer> transfer_;
  std::unique_ptr<Reporter> reporter_;
  std::thread housekeeper_;
  std::unique_ptr<Session> session_;
};

}  // namespace vlm::agent
