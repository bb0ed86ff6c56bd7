// Reads a watch on a thread of its own and survives restarts of the coordinator: it opens the
// stream again after the last sequence, or from the present state if that is no longer kept.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/session.h"
#include "common/mutex.h"

namespace vlm::client {

// Next and its results belong to one thread.
class Watcher {
 public:
  struct News {
    std::vector<v1::Event> events;
    bool reconnecting = false;  // The coordinator is away since the last call or longer.
    bool over = false;          // No more will come; `status` says why.
    absl::Status status;
  };

  // Borrows the session. `study` is its whole name. Gives up with UNAVAILABLE when the coordinator
  // was away for `patience`.
  Watcher(Session& session, ControlStub* stub, std::string study, absl::Duration patience);
  ~Watcher();  // Cancels the stream.

  // What came in; waits up to `wait` for something.
  News Next(absl::Duration wait);

 private:
  void Run();
  grpc::Status ReadStream();
  bool Pause(absl::Duration time);  // False: ending.
  bool Reachable();
  void Finish(absl::Status status);

  Session& session_;
  ControlStub* stub_;
  const std::string study_;
  const absl::Duration patience_;

  Mutex mutex_;
  CondVar changed_;
  std::vector<v1::Event> events_ ABSL_GUARDED_BY(mutex_);
  int64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  bool reconnecting_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  absl::Time away_since_;  // Of the thread.
  std::thread thread_;
};

}  // namespace vlm::client
