// Who listens to what: sessions of workers, report streams, watchers and log followers. The engine
// delivers here after each commit. Thread-safe; nothing in it blocks.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "common/mutex.h"
#include "server/engine.h"

namespace vlm::rpc {

// A listener's end of a stream. The functions are called under the hub's lock.
struct WorkerEnd {
  std::function<void(v1::CoordinatorMessage)> send;
  std::function<void(absl::Status)> close;
};
struct ReportEnd {
  std::function<void(v1::ReportAck)> send;
  std::function<void(absl::Status)> close;
};
struct WatchEnd {
  int64_t study_id = 0;  // 0 = everything.
  std::function<bool(v1::WatchResponse)> send;
  std::function<void(absl::Status)> close;
};
struct LogEnd {
  int64_t trial_id = 0;
  std::function<void(const core::PublishLog&)> send;
  std::function<void(absl::Status)> close;
};

class Hub final : public server::EffectSink {
 public:
  explicit Hub(std::function<void(const std::string&)> drop_checkpoint)
      : drop_checkpoint_(std::move(drop_checkpoint)) {}

  // Events of an earlier process, oldest first, so that its watchers can resume. Call before any
  // other use.
  void Preload(std::vector<v1::Event> events);
  uint64_t NewId() { return next_id_++; }
  void Add(uint64_t id, WorkerEnd end);
  void Add(uint64_t id, ReportEnd end);
  void Add(uint64_t id, LogEnd end);
  // Registers and replays events after `sequence` (>= 0) that are kept; with -1 none. False, and
  // not registered: the sequence is older than what is kept.
  bool AddWatch(uint64_t id, WatchEnd end, int64_t sequence);
  void Remove(uint64_t id);
  // Ends every stream; later ones are refused by the server's shutdown.
  void CloseAll(const absl::Status& status);

  void OnPush(core::SessionId session, v1::CoordinatorMessage message) override;
  void OnClose(core::SessionId session, absl::Status status) override;
  void OnAck(core::Token stream, v1::ReportAck ack) override;
  void OnEvent(const v1::Event& event) override;
  void OnLog(const core::PublishLog& log) override;
  void OnDropCheckpoint(const std::string& checkpoint_id) override {
    drop_checkpoint_(checkpoint_id);
  }

 private:
  std::function<void(const std::string&)> drop_checkpoint_;
  std::atomic<uint64_t> next_id_{1};
  Mutex mutex_;
  absl::btree_map<uint64_t, WorkerEnd> workers_ ABSL_GUARDED_BY(mutex_);
  absl::btree_map<uint64_t, ReportEnd> reports_ ABSL_GUARDED_BY(mutex_);
  absl::btree_map<uint64_t, WatchEnd> watches_ ABSL_GUARDED_BY(mutex_);
  absl::btree_map<uint64_t, LogEnd> logs_ ABSL_GUARDED_BY(mutex_);
  std::deque<v1::Event> kept_ ABSL_GUARDED_BY(mutex_);  // Newest durable events.
  int64_t last_sequence_ ABSL_GUARDED_BY(mutex_) = -1;
};

}  // namespace vlm::rpc
