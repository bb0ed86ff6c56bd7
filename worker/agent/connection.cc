#include "worker/agent/connection.h"

#include "common/clock.h"

namespace vlm::agent {

void Connection::Up(std::shared_ptr<grpc::Channel> channel) {
  MutexLock lock(mutex_);
  channel_ = std::move(channel);
  changed_.NotifyAll();
}

void Connection::Down() {
  MutexLock lock(mutex_);
  channel_ = nullptr;
}

void Connection::Stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
  channel_ = nullptr;
  changed_.NotifyAll();
}

std::shared_ptr<grpc::Channel> Connection::Wait(absl::Duration timeout) {
  const absl::Duration end = RealClock().Monotonic() + timeout;
  MutexLock lock(mutex_);
  while (channel_ == nullptr && !stopped_) {
    const absl::Duration left = end - RealClock().Monotonic();
    if (left <= absl::ZeroDuration()) break;
    changed_.WaitFor(mutex_, left);
  }
  return channel_;
}

bool Connection::IsUp(const std::shared_ptr<grpc::Channel>& channel) const {
  MutexLock lock(mutex_);
  return channel_ == channel && channel_ != nullptr;
}

bool Connection::up() const {
  MutexLock lock(mutex_);
  return channel_ != nullptr;
}

}  // namespace vlm::agent
