#include "client/follow/watcher.h"

#include <algorithm>

namespace vlm::client {
namespace {

constexpr absl::Duration kPause = absl::Milliseconds(100);
constexpr absl::Duration kPiece = absl::Milliseconds(500);

// Whether the same watch may work a moment later.
bool MayHeal(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::RESOURCE_EXHAUSTED ||
         code == grpc::StatusCode::INTERNAL || code == grpc::StatusCode::OK ||
         code == grpc::StatusCode::OUT_OF_RANGE || code == grpc::StatusCode::UNKNOWN;
}

}  // namespace

Watcher::Watcher(Session& session, ControlStub* stub, std::string study, absl::Duration patience)
    : session_(session),
      stub_(stub),
      study_(std::move(study)),
      patience_(patience),
      thread_([this] { Run(); }) {}

Watcher::~Watcher() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    if (context_ != nullptr) context_->TryCancel();
    changed_.NotifyAll();
  }
  thread_.join();
}

Watcher::News Watcher::Next(absl::Duration wait) {
  const absl::Time end = absl::Now() + wait;
  MutexLock lock(mutex_);
  while (events_.empty() && !over_ && absl::Now() < end) {
    changed_.WaitFor(mutex_, end - absl::Now());
  }
  News news;
  news.events.swap(events_);
  news.reconnecting = reconnecting_;
  news.over = over_ && news.events.empty();
  news.status = status_;
  return news;
}

grpc::Status Watcher::ReadStream() {
  auto context = session_.StreamContext();
  v1::WatchRequest request;
  request.set_study(study_);
  {
    MutexLock lock(mutex_);
    if (ending_) return grpc::Status::CANCELLED;
    context_ = context.get();
    request.set_sequence(sequence_);
  }
  const auto reader = stub_->Watch(context.get(), request);
  v1::WatchResponse response;
  while (reader->Read(&response)) {
    away_since_ = absl::InfiniteFuture();
    MutexLock lock(mutex_);
    reconnecting_ = false;
    sequence_ = std::max(sequence_, response.sequence());
    events_.insert(events_.end(), response.events().begin(), response.events().end());
    changed_.NotifyAll();
  }
  const grpc::Status status = reader->Finish();
  MutexLock lock(mutex_);
  context_ = nullptr;
  if (status.error_code() == grpc::StatusCode::OUT_OF_RANGE) sequence_ = 0;
  return status;
}

bool Watcher::Pause(absl::Duration time) {
  const absl::Time end = absl::Now() + time;
  MutexLock lock(mutex_);
  while (!ending_ && absl::Now() < end) changed_.WaitFor(mutex_, end - absl::Now());
  return !ending_;
}

void Watcher::Finish(absl::Status status) {
  MutexLock lock(mutex_);
  over_ = true;
  status_ = std::move(status);
  changed_.NotifyAll();
}

// Waits for the coordinator in small pieces, so that the destructor does not wait long.
bool Watcher::Reachable() {
  while (absl::Now() - away_since_ <= patience_) {
    if (session_.WaitForCoordinator(kPiece)) return true;
    MutexLock lock(mutex_);
    if (ending_) return false;
  }
  return false;
}

void Watcher::Run() {
  away_since_ = absl::InfiniteFuture();
  while (true) {
    const grpc::Status status = ReadStream();
    if (away_since_ == absl::InfiniteFuture()) away_since_ = absl::Now();
    if (!MayHeal(status.error_code())) return Finish(session_.Explain(status));
    {
      MutexLock lock(mutex_);
      reconnecting_ = status.error_code() == grpc::StatusCode::UNAVAILABLE;
      changed_.NotifyAll();
    }
    if (!Pause(kPause)) return;
    if (!Reachable()) return Finish(session_.Explain(status));
  }
}

}  // namespace vlm::client
