#include "server/storage/writer.h"

#include <cstdlib>

#include "absl/time/clock.h"
#include "common/log.h"

namespace vlm::storage {
namespace {

constexpr absl::Duration kRetryFullDisk = absl::Seconds(1);

}  // namespace

Writer::Writer(Store* store) : store_(store), thread_([this] { Run(); }) {}

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
  changed_.NotifyAll();
}

size_t Writer::Depth() {
  MutexLock lock(mutex_);
  return queue_.size();
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
    CommitOrDie(items);
    for (Item& item : items) {
      if (item.done) item.done();
    }
  }
}

void Writer::CommitOrDie(const std::deque<Item>& items) {
  std::vector<const core::Batch*> batches;
  for (const Item& item : items) {
    if (!item.batch.empty()) batches.push_back(&item.batch);
  }
  if (batches.empty()) return;
  for (int tries = 0;; ++tries) {
    const absl::Status status = store_->Commit(batches);
    if (status.ok()) {
      if (tries > 0) VLM_LOG_INFO("the disk has space again; commits go on");
      return;
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
    absl::SleepFor(kRetryFullDisk);
  }
}

}  // namespace vlm::storage
