#include "server/storage/writer.h"

#include <cstdlib>

#include "common/log.h"

namespace vlm::storage {
namespace {

constexpr absl::Duration kRetryFullDisk = absl::Seconds(1);

}  // namespace

Writer::Writer(Store* store, std::function<void(const absl::Status&)> on_stuck)
    : store_(store), on_stuck_(std::move(on_stuck)), thread_([this] { Run(); }) {}

Writer::~Writer() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void Writer::Enqueue(core::Batch batch, std::function<void()> done) {
  MutexLock lock(mutex_);
  queue_.push_back({std::move(batch), std::move(done)});
  if (queue_.size() == 1) changed_.NotifyOne();
}

size_t Writer::Depth() {
  MutexLock lock(mutex_);
  return queue_.size();
}

absl::Status Writer::Health() {
  MutexLock lock(mutex_);
  return health_;
}

void Writer::Run() {
  while (true) {
    std::deque<Item> items;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !ending_) changed_.Wait(mutex_);
      if (queue_.empty()) return;
      items.swap(queue_);
    }
    if (!CommitOrDie(items)) return;
    for (Item& item : items) {
      if (item.done) item.done();
    }
  }
}

bool Writer::CommitOrDie(const std::deque<Item>& items) {
  std::vector<const core::Batch*> batches;
  for (const Item& item : items) {
    if (!item.batch.empty()) batches.push_back(&item.batch);
  }
  if (batches.empty()) return true;
  for (int tries = 0;; ++tries) {
    const absl::Status status = store_->Commit(batches);
    {
      MutexLock lock(mutex_);
      health_ = status;
      // Whoever ends the process does not wait for a disk that stays full: nothing of this was
      // acknowledged.
      if (!status.ok() && ending_) return false;
    }
    if (status.ok()) {
      if (tries > 0) VLM_LOG_INFO("the disk has space again; commits go on");
      return true;
    }
    if (status.code() != absl::StatusCode::kResourceExhausted &&
        status.code() != absl::StatusCode::kUnavailable) {
      VLM_LOG_ERROR("cannot commit; ending so that no answer promises what is not stored",
                    {{"error", std::string(status.message())}});
      std::_Exit(EXIT_FAILURE);
    }
    if (tries % 10 == 0) {
      VLM_LOG_ERROR("cannot commit yet; answers wait, trying again every second",
                    {{"error", std::string(status.message())}});
    }
    if (on_stuck_) on_stuck_(status);
    MutexLock lock(mutex_);
    if (!ending_) changed_.WaitFor(mutex_, kRetryFullDisk);
  }
}

}  // namespace vlm::storage
