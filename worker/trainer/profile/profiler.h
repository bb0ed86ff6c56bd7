// Kineto around the steps that the configuration names. For each finished window it leaves a trace
// file `<worker>.<ns>.pt.trace.json.gz` (what TensorBoard, Perfetto and chrome://tracing open) and
// hands out a summary with the top operators.
//
// Threading: the training thread; Kineto is enabled and disabled for the calling thread (autograd's
// threads inherit it). Owner: the training loop. Errors: a trace that cannot be written costs the
// file and a line in the log, never the training. The rules are those of
// torch/profiler/profiler.py.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "vlm/v1/config.pb.h"
#include "vlm/v1/study.pb.h"
#include "worker/trainer/profile/schedule.h"
#include "worker/trainer/profile/scope.h"

namespace vlm::trainer {

struct ProfilerContext {
  std::string folder;       // Where trace files go.
  std::string worker_name;  // First part of their name.
  int64_t attempt_id = 0;
  int rank = 0;
  int world_size = 1;
  std::string backend;  // "gloo" or "nccl"; of the trace's distributedInfo.
  bool cuda = false;    // Record the GPU's activity too.
};

class StepProfiler {
 public:
  StepProfiler(const v1::ProfilerConfig& config, ProfilerContext context);
  ~StepProfiler();  // Drops a window that is still open.

  // Around every step. `optimizer_step` is the number (from 1) that the step will have.
  void BeginStep(int64_t optimizer_step);
  // Returns the summary of the window that this step closed.
  std::optional<v1::ProfileSummary> EndStep(const v1::PhaseSummary& phases);
  // The end of the training: closes an open window, as leaving Python's `with profile()` does.
  std::optional<v1::ProfileSummary> Stop();

  bool recording() const { return recording_; }

 private:
  void Prepare();
  void Enable();
  std::optional<v1::ProfileSummary> Disable();

  const v1::ProfilerConfig config_;
  const ProfilerContext context_;
  int64_t index_ = 0;  // Steps of this process, from 0: N of ProfilerStep#N.
  ProfilerAction action_ = ProfilerAction::kNone;
  bool prepared_ = false;
  bool recording_ = false;
  std::unique_ptr<Scope> step_scope_;
  v1::PhaseSummary phases_;
  int64_t first_step_ = 0;
  int64_t last_step_ = 0;
  std::chrono::steady_clock::duration overhead_{};
};

}  // namespace vlm::trainer
