// Warm trainers: started ahead, loaded and waiting, so that a granted trial starts within
// milliseconds. Also the one place where trainers are started at all, because that has to happen on
// a thread that lives as long as the agent (see Spawn).
//
// A trainer that cannot be started, or ends before its hello, breaks the pool: it tries again after
// 1 s doubling to 60 s, says why in the log once per try, and offers are refused with that reason
// until one is warm again. Methods are thread-safe.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "worker/agent/trainer_process.h"

namespace vlm::agent {

class SparePool {
 public:
  // Keeps `spares` warm; 0 = trainers are started when they are needed.
  SparePool(TrainerCommand command, int spares);
  ~SparePool();

  // A warm trainer: a spare, or the next one that becomes warm. UNAVAILABLE: none can be started
  // (with the reason). DEADLINE_EXCEEDED. CANCELLED after Stop.
  absl::StatusOr<std::unique_ptr<TrainerProcess>> Take(absl::Duration timeout);
  // Ok, or why no trainer can be started at present.
  absl::Status Health() const;
  int warm() const;
  // Ends the spares; nothing is started any more.
  void Stop();

 private:
  void Run();
  void Notice();
  void SortOut() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WaitForChange() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Gives the lock back while the process is started.
  void StartOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Break(const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const TrainerCommand command_;
  const int spares_;
  mutable Mutex mutex_;
  CondVar changed_;
  std::vector<std::unique_ptr<TrainerProcess>> processes_ ABSL_GUARDED_BY(mutex_);  // Unused ones.
  std::vector<std::unique_ptr<TrainerProcess>> dead_ ABSL_GUARDED_BY(mutex_);
  int wanted_ ABSL_GUARDED_BY(mutex_) = 0;  // Callers in Take.
  absl::Status health_ ABSL_GUARDED_BY(mutex_);
  absl::Duration retry_at_ ABSL_GUARDED_BY(mutex_);
  absl::Duration backoff_ ABSL_GUARDED_BY(mutex_);
  bool noticed_ ABSL_GUARDED_BY(mutex_) = false;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace vlm::agent
