#include "server/rpc/hub.h"

#include <algorithm>

namespace vlm::rpc {
namespace {

constexpr size_t kKeptEvents = 5'000;

}  // namespace

void Hub::Preload(std::vector<v1::Event> events) {
  MutexLock lock(mutex_);
  for (v1::Event& event : events) kept_.push_back(std::move(event));
  if (!kept_.empty()) last_sequence_ = kept_.back().sequence();
}

void Hub::Add(uint64_t id, WorkerEnd end) {
  MutexLock lock(mutex_);
  workers_[id] = std::move(end);
}

void Hub::Add(uint64_t id, ReportEnd end) {
  MutexLock lock(mutex_);
  reports_[id] = std::move(end);
}

void Hub::Add(uint64_t id, LogEnd end) {
  MutexLock lock(mutex_);
  logs_[id] = std::move(end);
}

bool Hub::AddWatch(uint64_t id, WatchEnd end, int64_t sequence) {
  MutexLock lock(mutex_);
  if (sequence >= 0) {
    const int64_t oldest = kept_.empty() ? last_sequence_ + 1 : kept_.front().sequence();
    if (sequence + 1 < oldest || sequence > std::max<int64_t>(0, last_sequence_)) return false;
    v1::WatchResponse response;
    for (const v1::Event& event : kept_) {
      if (event.sequence() <= sequence) continue;
      if (end.study_id != 0 && event.study_id() != end.study_id) continue;
      *response.add_events() = event;
      response.set_sequence(event.sequence());
    }
    if (response.events_size() > 0) end.send(std::move(response));
  }
  watches_[id] = std::move(end);
  return true;
}

void Hub::Remove(uint64_t id) {
  MutexLock lock(mutex_);
  workers_.erase(id);
  reports_.erase(id);
  watches_.erase(id);
  logs_.erase(id);
}

void Hub::CloseAll(const absl::Status& status) {
  MutexLock lock(mutex_);
  for (auto& [id, end] : workers_) end.close(status);
  for (auto& [id, end] : reports_) end.close(status);
  for (auto& [id, end] : watches_) end.close(status);
  for (auto& [id, end] : logs_) end.close(status);
}

void Hub::OnPush(core::SessionId session, v1::CoordinatorMessage message) {
  MutexLock lock(mutex_);
  if (const auto it = workers_.find(session); it != workers_.end()) {
    it->second.send(std::move(message));
  }
}

void Hub::OnClose(core::SessionId session, absl::Status status) {
  MutexLock lock(mutex_);
  if (const auto it = workers_.find(session); it != workers_.end()) {
    it->second.close(std::move(status));
  }
}

void Hub::OnAck(core::Token stream, v1::ReportAck ack) {
  MutexLock lock(mutex_);
  if (const auto it = reports_.find(stream); it != reports_.end()) it->second.send(std::move(ack));
}

void Hub::OnEvent(const v1::Event& event) {
  MutexLock lock(mutex_);
  if (event.sequence() > last_sequence_) {  // Durable: progress repeats the last sequence.
    last_sequence_ = event.sequence();
    kept_.push_back(event);
    if (kept_.size() > kKeptEvents) kept_.pop_front();
  }
  for (auto& [id, end] : watches_) {
    if (end.study_id != 0 && event.study_id() != end.study_id) continue;
    v1::WatchResponse response;
    *response.add_events() = event;
    response.set_sequence(event.sequence());
    end.send(std::move(response));
  }
}

void Hub::OnLog(const core::PublishLog& log) {
  MutexLock lock(mutex_);
  for (auto& [id, end] : logs_) {
    if (end.trial_id == log.trial_id) end.send(log);
  }
}

}  // namespace vlm::rpc
