// The writer thread: takes batches in order, commits as many as have queued up in one transaction
// (group commit), and then calls what waited for them, in order. A full disk is waited out; any
// other failure to commit ends the process, because what memory holds would no longer be what the
// file holds.
#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "common/mutex.h"
#include "server/storage/store.h"

namespace vlm::storage {

// Thread-safe. Borrows the store.
class Writer {
 public:
  // `on_stuck` is called on the writer's thread whenever a commit fails for a reason that may pass.
  explicit Writer(Store* store, std::function<void(const absl::Status&)> on_stuck = {});
  ~Writer();  // Commits what is queued, then ends the thread.

  // `done` runs on the writer's thread after the commit. An empty batch keeps its place in the
  // order and costs no transaction of its own.
  void Enqueue(core::Batch batch, std::function<void()> done);
  // Batches that wait; for back-pressure.
  size_t Depth();
  // Not ok while commits fail for a reason that may pass (a full disk, a foreign lock).
  absl::Status Health();

 private:
  struct Item {
    core::Batch batch;
    std::function<void()> done;
  };
  void Run();
  // False: given up, because the process ends while the disk is full.
  bool CommitOrDie(const std::deque<Item>& items);

  Store* store_;
  std::function<void(const absl::Status&)> on_stuck_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<Item> queue_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status health_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace vlm::storage
