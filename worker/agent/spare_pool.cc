#include "worker/agent/spare_pool.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/log.h"

namespace vlm::agent {
namespace {

constexpr absl::Duration kFirstBackoff = absl::Seconds(1);
constexpr absl::Duration kLongestBackoff = absl::Seconds(60);
// A spare that dies younger than this would be respawned in a loop.
constexpr absl::Duration kStable = absl::Seconds(10);
constexpr absl::Duration kLongestStart = absl::Seconds(120);  // Until its hello.

}  // namespace

SparePool::SparePool(TrainerCommand command, int spares)
    : command_(std::move(command)), spares_(spares) {
  thread_ = std::thread([this] { Run(); });
}

SparePool::~SparePool() {
  Stop();
  thread_.join();
}

void SparePool::Stop() {
  MutexLock lock(mutex_);
  stop_ = true;
  changed_.NotifyAll();
}

absl::StatusOr<std::unique_ptr<TrainerProcess>> SparePool::Take(absl::Duration timeout) {
  const absl::Duration end = RealClock().Monotonic() + timeout;
  MutexLock lock(mutex_);
  ++wanted_;
  changed_.NotifyAll();
  while (true) {
    const absl::Duration left = end - RealClock().Monotonic();
    const auto warm = std::find_if(processes_.begin(), processes_.end(),
                                   [](const auto& process) { return process->warm(); });
    if (warm != processes_.end() && !stop_) {
      --wanted_;
      std::unique_ptr<TrainerProcess> taken = std::move(*warm);
      processes_.erase(warm);
      changed_.NotifyAll();
      return taken;
    }
    if (stop_ || !health_.ok() || left <= absl::ZeroDuration()) {
      --wanted_;
      if (stop_) return absl::CancelledError("the agent stops");
      if (!health_.ok()) return health_;
      return absl::DeadlineExceededError(absl::StrCat(
          command_.argv.front(), " did not get ready within ", absl::FormatDuration(timeout)));
    }
    changed_.WaitFor(mutex_, left);
  }
}

absl::Status SparePool::Health() const {
  MutexLock lock(mutex_);
  return health_;
}

int SparePool::warm() const {
  MutexLock lock(mutex_);
  return static_cast<int>(std::count_if(processes_.begin(), processes_.end(),
                                        [](const auto& process) { return process->warm(); }));
}

void SparePool::Notice() {
  MutexLock lock(mutex_);
  noticed_ = true;
  changed_.NotifyAll();
}

void SparePool::Break(const absl::Status& why) {
  backoff_ =
      backoff_ == absl::ZeroDuration() ? kFirstBackoff : std::min(kLongestBackoff, backoff_ * 2);
  retry_at_ = RealClock().Monotonic() + backoff_;
  health_ = absl::UnavailableError(absl::StrCat("the trainer cannot be started: ", why.message()));
  VLM_LOG_ERROR("the trainer cannot be started",
                {{"error", why.message()}, {"retry_after", absl::FormatDuration(backoff_)}});
  changed_.NotifyAll();
}

// Buries the dead and learns from the living.
void SparePool::SortOut() {
  for (auto it = processes_.begin(); it != processes_.end();) {
    if ((*it)->ended()) {
      const std::string reason = (*it)->EndReason();
      if ((*it)->age() < kStable) {
        Break(absl::UnavailableError(reason));
      } else {
        VLM_LOG_WARNING("a spare trainer died and is replaced", {{"reason", reason}});
      }
      dead_.push_back(std::move(*it));
      it = processes_.erase(it);
      continue;
    }
    if ((*it)->warm()) {
      health_ = absl::OkStatus();
      backoff_ = absl::ZeroDuration();
    }
    ++it;
  }
}

void SparePool::StartOne() {
  mutex_.Unlock();
  auto started = TrainerProcess::Start(command_, [this] { Notice(); });
  mutex_.Lock();
  if (started.ok()) {
    processes_.push_back(*std::move(started));
  } else {
    Break(started.status());
  }
}

void SparePool::WaitForChange() {
  if (health_.ok() && std::all_of(processes_.begin(), processes_.end(),
                                  [](const auto& process) { return process->warm(); })) {
    changed_.Wait(mutex_);
    return;
  }
  // Something is starting, or to be tried again.
  absl::Duration wait = absl::Seconds(1);
  if (processes_.empty()) wait = retry_at_ - RealClock().Monotonic();
  if (wait > absl::ZeroDuration()) changed_.WaitFor(mutex_, wait);
  for (const auto& process : processes_) {
    if (!process->warm() && process->age() > kLongestStart) process->Kill();
  }
}

void SparePool::Run() {
  MutexLock lock(mutex_);
  while (!stop_) {
    noticed_ = false;
    SortOut();
    const bool may_start = health_.ok() || RealClock().Monotonic() >= retry_at_;
    // A broken pool tries with one process at a time.
    const int target = health_.ok() ? spares_ + wanted_ : 1;
    if (may_start && static_cast<int>(processes_.size()) < target) {
      StartOne();
      changed_.NotifyAll();
      continue;
    }
    if (!dead_.empty()) {
      auto dead = std::move(dead_);
      dead_.clear();
      mutex_.Unlock();
      dead.clear();
      mutex_.Lock();
      continue;
    }
    if (noticed_) {
      changed_.NotifyAll();
      continue;
    }
    WaitForChange();
  }
  auto rest = std::move(processes_);
  processes_.clear();
  mutex_.Unlock();
  rest.clear();
  mutex_.Lock();
}

}  // namespace vlm::agent
