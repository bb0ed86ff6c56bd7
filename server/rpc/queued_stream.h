// A callback reactor with a bounded queue of outgoing messages. Send and Close never block.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <optional>

#include "common/mutex.h"
#include "grpcpp/grpcpp.h"

namespace vlm::rpc {

// Base is grpc::ServerWriteReactor<Out> or grpc::ServerBidiReactor<In, Out>. gRPC owns one
// reference (Keep ... Drop in OnDone of the derived class); whoever may still send holds another,
// so that a stream that its reader gave up is not touched after its end. Thread-safe.
template <typename Base, typename Out>
class QueuedStream : public Base {
 public:
  explicit QueuedStream(size_t limit) : limit_(limit) {}
  // Call once, before the stream is handed to gRPC.
  void Keep(std::shared_ptr<void> self) { self_ = std::move(self); }

  // False when the queue is full (messages or bytes): the reader is too slow; the stream ends with
  // RESOURCE_EXHAUSTED.
  bool Send(Out message) {
    MutexLock lock(mutex_);
    if (finish_ || finished_) return true;
    const size_t bytes = message.ByteSizeLong();
    if (queue_.size() >= limit_ || (!queue_.empty() && bytes_ + bytes > kMostBytes)) {
      finish_ = grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED,
                             "this reader is too slow; resume from its last position");
      queue_.resize(1);  // The message being written has to stay.
      MaybeFinish();
      return false;
    }
    bytes_ += bytes;
    queue_.push_back(std::move(message));
    if (queue_.size() == 1) Base::StartWrite(&queue_.front());
    return true;
  }
  // Ends the stream after what is queued.
  void Close(grpc::Status status) {
    MutexLock lock(mutex_);
    if (!finish_) finish_ = std::move(status);
    MaybeFinish();
  }
  // Whether the end has been given to gRPC; OnDone has run or will.
  bool Finished() {
    MutexLock lock(mutex_);
    return finished_;
  }
  void OnWriteDone(bool ok) override {
    MutexLock lock(mutex_);
    bytes_ -= std::min(bytes_, queue_.front().ByteSizeLong());
    queue_.pop_front();
    if (!ok) {
      queue_.clear();
      if (!finish_) finish_ = grpc::Status::CANCELLED;
    }
    if (!queue_.empty()) {
      Base::StartWrite(&queue_.front());
    } else {
      MaybeFinish();
      if (!finished_) OnDrained();
    }
  }
  void OnCancel() override { Close(grpc::Status::CANCELLED); }

 protected:
  // Everything queued has been written. Called under the lock: only hands work on.
  virtual void OnDrained() {}
  // Runs `start` (a StartRead) unless the stream has ended.
  template <typename F>
  void WhileOpen(const F& start) {
    MutexLock lock(mutex_);
    if (!finished_) start();
  }
  // The last statement of OnDone: the object may be gone afterwards.
  void Drop() { const std::shared_ptr<void> last = std::move(self_); }

 private:
  void MaybeFinish() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!finish_ || finished_ || !queue_.empty()) return;
    finished_ = true;
    Base::Finish(*finish_);
  }

  static constexpr size_t kMostBytes = 16 << 20;
  const size_t limit_;
  std::shared_ptr<void> self_;
  Mutex mutex_;
  std::deque<Out> queue_ ABSL_GUARDED_BY(mutex_);
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<grpc::Status> finish_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace vlm::rpc
