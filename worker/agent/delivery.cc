#include "worker/agent/delivery.h"

#include <algorithm>

#include "common/clock.h"
#include "common/log.h"
#include "common/status.h"

namespace vlm::agent {

Delivery::Delivery(std::unique_ptr<Spool> spool, std::string worker_id, std::function<void()> wake)
    : spool_(std::move(spool)), worker_id_(std::move(worker_id)), wake_(std::move(wake)) {
  MutexLock lock(mutex_);
  sent_ = spool_->acked_sequence();
}

absl::Status Delivery::Append(v1::Report report) {
  if (dropped()) return absl::CancelledError("the lease is lost");
  RETURN_IF_ERROR(spool_->Append(std::move(report)).status());
  wake_();
  return absl::OkStatus();
}

void Delivery::AppendOutcome(v1::Report report) {
  (void)spool_->Append(std::move(report), /*must=*/true);
  if (const absl::Status status = spool_->Sync(); !status.ok()) {
    VLM_LOG_ERROR("an outcome is not safe on disk", {{"error", status.message()}});
  }
  wake_();
}

void Delivery::Note(const v1::Checkpoint& checkpoint) {
  v1::Report note;
  *note.add_checkpoints() = checkpoint;
  if (const absl::Status status = spool_->AppendNote(std::move(note)); !status.ok()) {
    VLM_LOG_WARNING("a checkpoint would be forgotten by a restart",
                    {{"checkpoint", checkpoint.checkpoint_id()}, {"error", status.message()}});
  }
}

void Delivery::OpenGate() {
  {
    MutexLock lock(mutex_);
    gate_open_ = true;
  }
  wake_();
}

bool Delivery::WaitForRoom(absl::Duration timeout) {
  const absl::Duration end = RealClock().Monotonic() + timeout;
  MutexLock lock(mutex_);
  while (!dropped_ && spool_->Full()) {
    const absl::Duration left = end - RealClock().Monotonic();
    if (left <= absl::ZeroDuration()) return false;
    changed_.WaitFor(mutex_, left);
  }
  return true;
}

void Delivery::Drop() {
  MutexLock lock(mutex_);
  dropped_ = true;
  changed_.NotifyAll();
}

bool Delivery::dropped() const {
  MutexLock lock(mutex_);
  return dropped_;
}

bool Delivery::OutcomeWaits() const { return spool_->HasOutcome() && !gate_open_; }

bool Delivery::Delivered() const {
  MutexLock lock(mutex_);
  return dropped_ || spool_->acked_sequence() >= spool_->last_sequence() - (OutcomeWaits() ? 1 : 0);
}

bool Delivery::WaitDelivered(absl::Duration timeout) {
  const absl::Duration end = RealClock().Monotonic() + timeout;
  while (!Delivered()) {
    const absl::Duration left = end - RealClock().Monotonic();
    if (left <= absl::ZeroDuration()) return false;
    MutexLock lock(mutex_);
    changed_.WaitFor(mutex_, std::min(left, absl::Milliseconds(50)));
  }
  return true;
}

std::optional<v1::ReportBatch> Delivery::NextToSend(int64_t window) {
  MutexLock lock(mutex_);
  if (dropped_ || sent_ - spool_->acked_sequence() >= window) return std::nullopt;
  if (OutcomeWaits() && sent_ + 1 >= spool_->last_sequence()) return std::nullopt;
  if (const absl::Status synced = spool_->Sync(); !synced.ok()) {
    // A failed fsync may have thrown pages away: what is in the file cannot be relied on after a
    // crash, but what is read back below is still whole. Say so and go on.
    VLM_LOG_ERROR("a spool file cannot be synced", {{"error", synced.message()}});
  }
  absl::StatusOr<std::optional<v1::Report>> report = spool_->ReadAfter(sent_);
  if (!report.ok()) {
    VLM_LOG_ERROR(
        "batches are lost: the spool cannot be read back",
        {{"attempt", spool_->lease().attempt_id()}, {"error", report.status().message()}});
    dropped_ = true;
    changed_.NotifyAll();
    return std::nullopt;
  }
  if (!report->has_value()) return std::nullopt;
  v1::ReportBatch batch;
  batch.set_worker_id(worker_id_);
  batch.set_attempt_id(spool_->lease().attempt_id());
  batch.set_epoch(spool_->lease().epoch());
  batch.set_node(spool_->lease().node());
  sent_ = (*report)->sequence();
  *batch.mutable_report() = **std::move(report);
  return batch;
}

void Delivery::Rewind() {
  MutexLock lock(mutex_);
  sent_ = spool_->acked_sequence();
}

Delivery::Progress Delivery::OnAck(const v1::ReportAck& ack) {
  MutexLock lock(mutex_);
  if (ack.fenced()) {
    dropped_ = true;
    changed_.NotifyAll();
    return Progress::kFenced;
  }
  const int64_t before = spool_->acked_sequence();
  if (ack.sequence() < before) {
    // What it had acknowledged it no longer has: a coordinator that was put back to an older state.
    VLM_LOG_ERROR("the coordinator forgot acknowledged batches; the attempt cannot go on",
                  {{"attempt", ack.attempt_id()}, {"had", before}, {"has", ack.sequence()}});
    dropped_ = true;
    changed_.NotifyAll();
    return Progress::kFenced;
  }
  spool_->Acknowledge(ack.sequence());
  sent_ = std::max(sent_, spool_->acked_sequence());
  changed_.NotifyAll();
  const bool all = spool_->HasOutcome() && spool_->acked_sequence() == spool_->last_sequence();
  return all ? Progress::kDone : Progress::kMore;
}

v1::HeldLease Delivery::lease() const {
  v1::HeldLease lease = spool_->lease();
  lease.set_last_acked_sequence(spool_->acked_sequence());
  return lease;
}

}  // namespace vlm::agent
