// A thread that runs closures in order. Thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <thread>

#include "common/mutex.h"

namespace vlm::server {

class TaskThread {
 public:
  explicit TaskThread(const char* name);  // As NameThread takes it.
  ~TaskThread();                          // Runs what is queued, then ends.
  void Post(std::function<void()> task);

 private:
  void Run();
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> tasks_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace vlm::server
