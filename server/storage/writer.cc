#include "server/storage/writer.h"

#include <cstdlib>

#include "common/log.h"
#include "common/thread_name.h"

namespace vlm::storage {
namespace {

constexpr absl::Duration kRetry = absl::Seconds(1);

}  // namespace

Writer::Writer(Store* store, std::function<void(const absl::Status&)> on_stuck)
    : store_(store), on_stuck_(std::move(on_stuck)), thread_([this] { Run(); }) {}

Writer::~Writer() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    giving_up_ = true;
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

std::optional<core::ForeignRows> Writer::TakeLock() {
  for (int tries = 0;; ++tries) {
    {
      MutexLock lock(mutex_);
      while (!Idle() && !dead_) rest_.Wait(mutex_);
      if (dead_) return std::nullopt;
    }
    auto rows = store_->TakeLock();
    {
      MutexLock lock(mutex_);
      health_ = rows.status();
    }
    if (rows.ok()) return *std::move(rows);
    if (!TryAgain(rows.status(), tries)) return std::nullopt;
  }
}

void Writer::LetGo() {
  MutexLock lock(mutex_);
  while (!Idle() && !dead_) rest_.Wait(mutex_);
  store_->LetGo();
}

bool Writer::AtRest() {
  MutexLock lock(mutex_);
  return Idle();
}

void Writer::GiveUpWaiting() {
  MutexLock lock(mutex_);
  giving_up_ = true;
  changed_.NotifyAll();
}

void Writer::Run() {
  NameThread("writer");
  while (true) {
    std::deque<Item> items;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !ending_) changed_.Wait(mutex_);
      if (queue_.empty()) return;
      items.swap(queue_);
      committing_ = true;
    }
    const bool done = CommitOrDie(items);
    {
      MutexLock lock(mutex_);
      committing_ = false;
      dead_ = !done;
      rest_.NotifyAll();
    }
    if (!done) return;
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
    }
    if (status.ok()) {
      if (tries > 0) VLM_LOG_INFO("commits go on");
      return true;
    }
    if (!TryAgain(status, tries)) return false;
  }
}

bool Writer::TryAgain(const absl::Status& status, int tries) {
  {
    MutexLock lock(mutex_);
    // Whoever ends the process does not wait for a disk that stays full: nothing of this was
    // acknowledged.
    if (giving_up_) return false;
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
  if (!giving_up_) changed_.WaitFor(mutex_, kRetry);
  return true;
}

}  // namespace vlm::storage
