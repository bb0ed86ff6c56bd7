// This node's part of one attempt: it accepts the offer, fetches the checkpoint to go on from,
// launches its ranks on the start signal, gathers what they report, passes orders on, sees to it
// that all end, and says how.
//
//   accepted -> (Start) -> launched -> [stopping] -> all ranks ended -> uploads -> outcome -> done
//
// Threads: one of its own runs that line. The trainers' threads bring reports and ends, the
// session's thread brings Start, orders and fences; none of these waits for anything but the
// spool's room. No rank outlives the object. Lock order: mutex_ before anything of Delivery, never
// the reverse.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "vlm/v1/fleet.pb.h"
#include "worker/agent/batch_builder.h"
#include "worker/agent/checkpoint_transfer.h"
#include "worker/agent/delivery.h"
#include "worker/agent/outcome.h"
#include "worker/agent/rendezvous.h"
#include "worker/agent/spare_pool.h"

namespace vlm::agent {

struct AttemptOptions {
  absl::Duration peer_grace = absl::Seconds(5);      // STOP to SIGKILL after another rank failed.
  absl::Duration obey_grace = absl::Seconds(60);     // An order of the coordinator to SIGKILL.
  absl::Duration exit_grace = absl::Seconds(10);     // Closed socket to SIGKILL.
  absl::Duration upload_limit = absl::Seconds(120);  // Of waiting for uploads before the outcome.
  absl::Duration download_limit = absl::Seconds(120);
  absl::Duration warm_limit = absl::Seconds(180);  // For a trainer to get ready.
};

struct AttemptParts {
  SparePool* pool = nullptr;
  CheckpointTransfer* transfer = nullptr;
  std::shared_ptr<Delivery> delivery;
  std::vector<v1::Slot> slots;  // Of the worker.
  std::string work_dir;         // The attempt's own folder.
  std::string worker_id;
  std::string worker_name;
  std::optional<ListenSocket> listen;  // Node 0 of a gang.
  std::function<void()> on_done;       // The outcome is spooled, or the lease was lost: all ended.
};

class Attempt final : public TrainerListener {
 public:
  Attempt(v1::Offer offer, AttemptOptions options, AttemptParts parts);
  // Kills what still runs.
  ~Attempt() override;

  void Start(const v1::Start& start);
  void Command(const v1::Command& command);
  // Kills the ranks at once and writes nothing more.
  void Fence(const std::string& reason);
  // As Command(PREEMPT), but an outcome PREEMPTED is kept back: the Goodbye that follows says it.
  void Drain(const std::string& reason);
  // SIGKILL for what has not ended.
  void KillRanks();
  bool done() const;
  const v1::Offer& offer() const { return offer_; }
  int listen_port() const { return parts_.listen.has_value() ? parts_.listen->port() : 0; }

  void OnReport(int rank, v1::Report report) override;
  void OnLines(int rank) override;
  void OnClosed(int rank) override;
  void OnEnd(int rank, const ExitInfo& exit) override;

 private:
  struct Rank {
    explicit Rank(int r) : builder(r) { end.rank = r; }
    std::unique_ptr<TrainerProcess> process;
    BatchBuilder builder;
    RankEnd end;
    bool ended = false;
    std::optional<absl::Duration> kill_at;  // Monotonic.
  };

  void Run();
  bool WaitForStart();
  // The path to go on from, empty from scratch; an error ends the attempt.
  absl::StatusOr<std::string> FetchCheckpoint();
  absl::Status LaunchRanks(const std::string& resume_from);
  absl::Status LaunchRank(size_t index, const std::string& resume_from);
  v1::Launch MakeLaunch(size_t index, const std::string& resume_from) const;
  void Supervise();
  void Flush(bool all);
  absl::Status Spool(v1::Report report);
  absl::Duration KillOverdue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void StopPeers(int failed_rank) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendToAll(const v1::Command& command) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndWith(v1::Outcome outcome);
  void Finish(v1::Outcome outcome);
  Rank& RankOf(int rank) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool AllEnded() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Over() const;  // Fenced: nothing matters any more.
  void Say(const std::string& text);

  // Constant after construction.
  const v1::Offer offer_;
  const AttemptOptions options_;
  AttemptParts parts_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<Rank> ranks_ ABSL_GUARDED_BY(mutex_);
  std::optional<v1::Start> start_ ABSL_GUARDED_BY(mutex_);
  v1::Command command_ ABSL_GUARDED_BY(mutex_);  // The last order.
  std::vector<v1::LogLine> own_lines_ ABSL_GUARDED_BY(mutex_);
  absl::Status spool_error_ ABSL_GUARDED_BY(mutex_);
  bool launched_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_peers_ ABSL_GUARDED_BY(mutex_) = false;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool fenced_ ABSL_GUARDED_BY(mutex_) = false;
  bool work_ ABSL_GUARDED_BY(mutex_) = false;  // The thread has something to look at.
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace vlm::agent
