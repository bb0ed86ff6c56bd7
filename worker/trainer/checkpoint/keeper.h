// When a checkpoint is due and which old ones go. Not thread-safe. Owner: the training loop.
#pragma once

#include <chrono>
#include <deque>
#include <string>

#include "vlm/v1/config.pb.h"

namespace vlm::trainer {

class CheckpointKeeper {
 public:
  using Clock = std::chrono::steady_clock;
  CheckpointKeeper(const v1::CheckpointConfig& config, Clock::time_point now)
      : config_(config), last_(now) {}

  // By steps: the same answer on every rank.
  bool DueBySteps(int64_t step) const;
  // By seconds: rank 0 decides and tells the others.
  bool DueByTime(Clock::time_point now) const;

  // Notes a new file and removes the oldest beyond `keep` (at least the new one stays). Only files
  // that were noted here are ever removed.
  void Wrote(const std::string& path, Clock::time_point now);

 private:
  const v1::CheckpointConfig config_;
  Clock::time_point last_;
  std::deque<std::string> files_;
};

}  // namespace vlm::trainer
