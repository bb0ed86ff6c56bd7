// What a training tells the outside, and the orders it takes. Implemented for the agent's socket
// (link/agent_observer.h) and for standalone runs (loop/json_observer.h). All calls but
// TakeCommand's counterpart come from the training thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "vlm/v1/study.pb.h"
#include "vlm/v1/trainer.pb.h"

namespace vlm::trainer {

// One optimizer step. Only rank 0's carries loss and validation.
struct StepRecord {
  int64_t step = 0;   // Steps done, from 1.
  int64_t total = 0;  // Steps that the job means to run.
  double loss = 0;    // Mean over the global batch; may be NaN or infinite.
  double lr = 0;
  double grad_norm = 0;        // Before clipping.
  v1::PhaseSummary phases;     // A window of this one step, of this rank.
  int64_t global_samples = 0;  // Over all ranks.
  int64_t global_tokens = 0;
  std::optional<double> val_loss;  // At validations.
  std::optional<double> metric;    // At validations: the study's metric.
};

class Observer {
 public:
  virtual ~Observer() = default;

  // Once, before the first step. `first` is the number of steps done already (a resumed run).
  virtual void OnStart(int64_t first, int64_t total, int64_t skipped_rows,
                       int64_t cut_captions) = 0;
  virtual void OnStep(const StepRecord& record) = 0;
  virtual void OnProfile(const v1::ProfileSummary& profile) = 0;
  virtual void OnCheckpoint(const v1::Checkpoint& checkpoint) = 0;
  // A sentence for people, such as why the CPU is used.
  virtual void OnNote(const std::string& text) = 0;

  // The newest order, or ACTION_UNSPECIFIED. Asked at every step boundary.
  virtual v1::Command::Action Pending() = 0;
};

}  // namespace vlm::trainer
