// The writer thread: takes batches in order, commits as many as have queued up in one transaction
// (group commit), and then calls what waited for them, in order. A full disk is waited out; any
// other failure to commit ends the process, because what memory holds would no longer be what the
// file holds.
#pragma once

#include <deque>
#include <functional>
#include <optional>
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
  // Waits for the commits under way, takes the file's lock (Store::TakeLock), and says what other
  // programs have written. Another program's lock is waited out like a full disk. Nothing: given
  // up.
  std::optional<core::ForeignRows> TakeLock();
  // Waits for the commits under way.
  void LetGo();
  // No commit is under way. The next two are for such moments.
  bool AtRest();
  bool HasForeignRows() { return store_->HasForeignRows(); }
  bool HasCompany() { return store_->HasCompany(); }
  // From now on neither a full disk nor a lock is waited for.
  void GiveUpWaiting();
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
  // What to do about a failure: true to try again (after a while), false to give up.
  bool TryAgain(const absl::Status& status, int tries);
  bool Idle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return queue_.empty() && !committing_; }
  // False: given up, because the process ends while the disk is full.
  bool CommitOrDie(const std::deque<Item>& items);

  Store* store_;
  std::function<void(const absl::Status&)> on_stuck_;
  Mutex mutex_;
  CondVar changed_;  // For the writer's thread.
  CondVar rest_;     // For who waits until commits are through.
  std::deque<Item> queue_ ABSL_GUARDED_BY(mutex_);
  bool committing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool giving_up_ ABSL_GUARDED_BY(mutex_) = false;
  bool dead_ ABSL_GUARDED_BY(mutex_) = false;  // The thread has given up.
  absl::Status health_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace vlm::storage
