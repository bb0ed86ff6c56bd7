#include "worker/trainer/checkpoint/keeper.h"

#include <unistd.h>

#include <algorithm>

namespace vlm::trainer {

bool CheckpointKeeper::DueBySteps(int64_t step) const {
  return config_.every_steps() > 0 && step % config_.every_steps() == 0;
}

bool CheckpointKeeper::DueByTime(Clock::time_point now) const {
  return config_.every_seconds() > 0 &&
         std::chrono::duration<double>(now - last_).count() >= config_.every_seconds();
}

void CheckpointKeeper::Wrote(const std::string& path, Clock::time_point now) {
  last_ = now;
  files_.erase(std::remove(files_.begin(), files_.end(), path), files_.end());
  files_.push_back(path);
  const size_t keep = static_cast<size_t>(std::max(1, config_.keep()));
  while (files_.size() > keep) {
    unlink(files_.front().c_str());
    files_.pop_front();
  }
}

}  // namespace vlm::trainer
