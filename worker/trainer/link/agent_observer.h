// Turns what a training tells into batches for the agent: points of every step, rates and phases of
// windows of at least a second, validations at once. Owner: the training thread.
#pragma once

#include <chrono>
#include <string>

#include "worker/trainer/link/agent_link.h"
#include "worker/trainer/loop/observer.h"

namespace vlm::trainer {

class AgentObserver : public Observer {
 public:
  // `link` must outlive this. Ranks other than 0 send phases and profiles only.
  AgentObserver(AgentLink* link, int rank) : link_(link), rank_(rank) {}

  void OnStart(int64_t first, int64_t total, int64_t skipped_rows, int64_t cut_captions) override;
  void OnStep(const StepRecord& record) override;
  void OnProfile(const v1::ProfileSummary& profile) override;
  void OnCheckpoint(const v1::Checkpoint& checkpoint) override;
  void OnNote(const std::string& text) override;
  v1::Command::Action Pending() override { return link_->pending(); }

  // Sends the window that is still open. Call before AgentLink::Finish.
  void Flush();

  static constexpr double kWindowMs = 1000;

 private:
  using Clock = std::chrono::steady_clock;
  void LogFirstStep(const StepRecord& record);
  void CloseWindow(v1::Report* report);

  AgentLink* const link_;
  const int rank_;
  const Clock::time_point begin_ = Clock::now();
  Clock::time_point started_ = begin_;  // Set-up was done.
  bool first_step_ = true;
  v1::PhaseSummary window_;
  int64_t window_samples_ = 0;  // Over all ranks.
  int64_t window_tokens_ = 0;
};

}  // namespace vlm::trainer
