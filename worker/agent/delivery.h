// An attempt's batches on their way to the coordinator: the spool plus how far it has been sent.
// Outlives the attempt's processes, and the agent: an agent that starts again finds the spool and
// goes on delivering. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "common/mutex.h"
#include "vlm/v1/fleet.pb.h"
#include "worker/agent/spool.h"

namespace vlm::agent {

class Delivery {
 public:
  // `wake` tells the reporter that there may be something to send; it must not call back.
  Delivery(std::unique_ptr<Spool> spool, std::string worker_id, std::function<void()> wake);

  // ---- the attempt's side ----

  // Spools a batch. RESOURCE_EXHAUSTED: full, see WaitForRoom. CANCELLED: dropped.
  absl::Status Append(v1::Report report);
  // Spools the end of this node's ranks, whatever the disk says. It is sent after OpenGate.
  void AppendOutcome(v1::Report report);
  // Keeps a checkpoint that is to be uploaded in mind over restarts.
  void Note(const v1::Checkpoint& checkpoint);
  // Lets the outcome out: its checkpoints are with the coordinator.
  void OpenGate();
  // Waits until the spool takes batches again; false when the time ran out. True also when dropped.
  bool WaitForRoom(absl::Duration timeout);
  // Nothing more is sent: the lease is lost.
  void Drop();
  bool dropped() const;
  // Whether every batch is acknowledged, the outcome aside if it is held back.
  bool Delivered() const;
  bool WaitDelivered(absl::Duration timeout);

  // ---- the reporter's side ----

  enum class Progress { kMore, kDone, kFenced };
  // The next batch to write, already durable here. At most `window` are unacknowledged at a time.
  std::optional<v1::ReportBatch> NextToSend(int64_t window);
  // A new stream: send again from the last acknowledgement.
  void Rewind();
  Progress OnAck(const v1::ReportAck& ack);

  v1::HeldLease lease() const;
  Spool& spool() { return *spool_; }

 private:
  bool OutcomeWaits() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::unique_ptr<Spool> spool_;
  const std::string worker_id_;
  const std::function<void()> wake_;
  mutable Mutex mutex_;
  CondVar changed_;
  int64_t sent_ ABSL_GUARDED_BY(mutex_) = 0;
  bool gate_open_ ABSL_GUARDED_BY(mutex_) = false;
  bool dropped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace vlm::agent
