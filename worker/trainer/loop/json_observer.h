// A standalone run's observer: one JSON object a step on stdout, messages on stderr.
#pragma once

#include <atomic>
#include <cstdio>
#include <string>

#include "worker/trainer/loop/observer.h"

namespace vlm::trainer {

// {"step": 1, "total": 100, "loss": 2.3, "lr": 0.001, "grad_norm": 1.2, "samples_per_s": 80.1,
//  "tokens_per_s": 2000.5, "wall_ms": 12.5, "phase_ms": {"data_wait": 0.1, ...}, "val_loss": 2.2}
// val_loss at validations only; a value that is NaN or infinite is written as null.
std::string StepJson(const StepRecord& record);

class JsonObserver : public Observer {
 public:
  // Ranks other than 0 print nothing but notes. `stop` turns true on Ctrl-C.
  JsonObserver(std::FILE* out, int rank, const std::atomic<bool>* stop)
      : out_(out), rank_(rank), stop_(stop) {}

  void OnStart(int64_t first, int64_t total, int64_t skipped_rows, int64_t cut_captions) override;
  void OnStep(const StepRecord& record) override;
  void OnProfile(const v1::ProfileSummary& profile) override;
  void OnCheckpoint(const v1::Checkpoint& checkpoint) override;
  void OnNote(const std::string& text) override;
  v1::Command::Action Pending() override;

 private:
  std::FILE* const out_;
  const int rank_;
  const std::atomic<bool>* const stop_;
};

}  // namespace vlm::trainer
