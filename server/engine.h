// Runs the heart: one thread takes all queued inputs, steps them, hands the rows to the writer, and
// after the commit releases replies, pushes and events in order. A reply therefore means durable.
// From the first step to the last commit of a busy time it has the file's write lock, so that
// memory and file cannot part; in between it looks for what other programs have written.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "absl/container/flat_hash_map.h"
#include "common/clock.h"
#include "common/mutex.h"
#include "server/core/core.h"
#include "server/search_thread.h"
#include "server/storage/writer.h"

namespace vlm::server {

using MessagePtr = std::shared_ptr<google::protobuf::Message>;

// Where effects for the outside go. Called on the writer's thread, in commit order; must not block.
class EffectSink {
 public:
  virtual ~EffectSink() = default;
  virtual void OnPush(core::SessionId session, v1::CoordinatorMessage message) = 0;
  virtual void OnClose(core::SessionId session, absl::Status status) = 0;
  virtual void OnAck(core::Token stream, v1::ReportAck ack) = 0;
  virtual void OnEvent(const v1::Event& event) = 0;
  virtual void OnLog(const core::PublishLog& log) = 0;
  virtual void OnDropCheckpoint(const std::string& checkpoint_id) = 0;
};

// Thread-safe.
class Engine {
 public:
  using Callback = std::function<void(absl::StatusOr<MessagePtr>)>;

  // Borrows store, sink and clock. Starts stepping at once.
  Engine(storage::Store* store, core::Snapshot snapshot, core::CoreOptions options,
         EffectSink* sink, const Clock& clock);
  ~Engine();  // Steps and commits what is queued, then ends its threads.

  void Post(core::Input input);
  // `done` runs on the writer's thread, or at once: RESOURCE_EXHAUSTED, the disk is full and
  // nothing was done. DEADLINE_EXCEEDED: it became full meanwhile, the outcome is not known.
  void CallAsync(core::CallBody body, Callback done);
  // The same, blocking; DEADLINE_EXCEEDED also after `timeout`.
  absl::StatusOr<MessagePtr> Call(core::CallBody body, absl::Duration timeout);
  // The same with the concrete answer.
  template <typename Response>
  absl::Status CallInto(core::CallBody body, absl::Duration timeout, Response* response) {
    auto result = Call(std::move(body), timeout);
    if (!result.ok()) return result.status();
    *response = static_cast<const Response&>(**result);
    return absl::OkStatus();
  }

 private:
  void Run();
  bool Ending();
  bool AwaitWork();
  bool TakeLock(std::vector<core::Input>* inputs);
  void Release(core::Output output);
  void Deliver(core::Effect effect);
  void FailCalls(const absl::Status& why);

  EffectSink* sink_;
  const Clock& clock_;
  storage::Writer writer_;
  SearchThread search_;
  std::unique_ptr<core::Core> core_;
  // The file's write lock, of the engine's thread only.
  bool has_lock_ = false;
  absl::Duration lock_time_;  // Monotonic; when it was taken, or company was last looked for.

  Mutex mutex_;
  CondVar changed_;
  std::vector<core::Input> queue_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  Mutex calls_mutex_;
  absl::flat_hash_map<core::Token, Callback> calls_ ABSL_GUARDED_BY(calls_mutex_);
  std::atomic<core::Token> next_token_{1};
  std::thread thread_;
};

}  // namespace vlm::server
