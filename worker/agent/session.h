// The Attach stream: hello, beats, offers and orders; dials again when it breaks.
//
// Threads: one that dials and reads, one that beats. The handler is called on the first one, except
// MakeBeat and OnAway. Methods are thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "vlm/v1/fleet.grpc.pb.h"
#include "worker/agent/connection.h"

namespace vlm::agent {

// None of these may block for long.
class SessionHandler {
 public:
  virtual ~SessionHandler() = default;
  virtual v1::Hello MakeHello() = 0;
  virtual v1::Beat MakeBeat() = 0;
  virtual void OnAttached(const v1::HelloAck& ack) = 0;
  virtual v1::OfferReply OnOffer(const v1::Offer& offer) = 0;
  virtual void OnStart(const v1::Start& start) = 0;
  virtual void OnCommand(const v1::AttemptCommand& command) = 0;
  virtual void OnFenced(const v1::Fenced& fenced) = 0;
  // The coordinator has not been heard of for longer than it allows training without it.
  virtual void OnAway(absl::Duration away) = 0;
  // The coordinator refuses this worker for good; the session has ended.
  virtual void OnRefused(const absl::Status& status) = 0;
};

class Session {
 public:
  Session(std::string address, Connection* connection, SessionHandler* handler);
  ~Session();

  // Says Goodbye and ends the stream, if there is one. True: the coordinator has taken it within
  // `timeout`.
  bool Leave(const std::string& reason, absl::Duration timeout);
  // A beat now, not at the next interval.
  void BeatNow();

 private:
  using Stream = grpc::ClientReaderWriter<v1::WorkerMessage, v1::CoordinatorMessage>;

  void Run();
  // One stream from dial to end. `attached`: it got its HelloAck.
  absl::Status Serve(bool* attached);
  void Handle(const v1::CoordinatorMessage& message);
  void Beats();
  void SendBeat() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CheckSilence() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Write(const v1::WorkerMessage& message);

  const std::string address_;
  Connection* const connection_;
  SessionHandler* const handler_;

  Mutex write_mutex_;  // After mutex_. One writer at a time.
  std::shared_ptr<Stream> stream_ ABSL_GUARDED_BY(write_mutex_);
  Mutex mutex_;
  CondVar changed_;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  v1::HelloAck terms_ ABSL_GUARDED_BY(mutex_);  // Of the last HelloAck.
  bool attached_ ABSL_GUARDED_BY(mutex_) = false;
  bool beat_now_ ABSL_GUARDED_BY(mutex_) = false;
  bool away_told_ ABSL_GUARDED_BY(mutex_) = false;
  bool leaving_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> last_end_ ABSL_GUARDED_BY(mutex_);  // Of the last stream, leaving.
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration heard_ ABSL_GUARDED_BY(mutex_);  // Monotonic time of the last sign of life.
  int64_t beat_sequence_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread reader_;
  std::thread beats_;
};

}  // namespace vlm::agent
