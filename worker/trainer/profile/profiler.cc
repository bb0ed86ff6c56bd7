#include "worker/trainer/profile/profiler.h"

#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/log.h"
#include "torch/csrc/autograd/profiler_kineto.h"
#include "torch/csrc/profiler/kineto_shim.h"
#include "torch/csrc/profiler/orchestration/observer.h"
#include "worker/trainer/cuda/plugin.h"
#include "worker/trainer/profile/operators.h"
#include "worker/trainer/profile/phases.h"
#include "worker/trainer/profile/trace_file.h"

namespace vlm::trainer {
namespace {

namespace autograd = torch::autograd::profiler;
using Clock = std::chrono::steady_clock;
using torch::profiler::impl::ActivityType;

constexpr size_t kTopOperators = 100;

torch::profiler::impl::ProfilerConfig KinetoConfig(const v1::ProfilerConfig& config) {
  return torch::profiler::impl::ProfilerConfig(torch::profiler::impl::ProfilerState::KINETO,
                                               config.record_shapes(), config.profile_memory(),
                                               /*with_stack=*/false, config.with_flops());
}

std::set<ActivityType> Activities(bool cuda) {
  std::set<ActivityType> activities{ActivityType::CPU};
  if (cuda) activities.insert(ActivityType::CUDA);
  return activities;
}

std::vector<TraceEvent> EventsOf(const autograd::ProfilerResult& result) {
  std::vector<TraceEvent> events;
  events.reserve(result.events().size());
  for (const autograd::KinetoEvent& kineto : result.events()) {
    if (kineto.isHiddenEvent()) continue;
    TraceEvent event;
    event.name = kineto.name();
    event.start_ns = kineto.startNs();
    event.end_ns = kineto.endNs();
    event.thread = kineto.startThreadId();
    event.on_device = kineto.deviceType() != c10::DeviceType::CPU;
    event.async = kineto.isAsync() || kineto.startThreadId() != kineto.endThreadId();
    event.correlation = kineto.correlationId();
    event.linked = kineto.linkedCorrelationId();
    event.bytes = kineto.nBytes();
    event.flops = kineto.flops();
    events.push_back(std::move(event));
  }
  return events;
}

}  // namespace

StepProfiler::StepProfiler(const v1::ProfilerConfig& config, ProfilerContext context)
    : config_(config), context_(std::move(context)) {}

StepProfiler::~StepProfiler() {
  step_scope_.reset();
  try {
    if (prepared_ && !recording_) {
      autograd::enableProfiler(KinetoConfig(config_), Activities(context_.cuda));
      recording_ = true;
    }
    if (recording_) autograd::disableProfiler();
  } catch (const std::exception& error) {
    VLM_LOG_WARNING("the profiler did not stop", {{"error", error.what()}});
  }
}

void StepProfiler::Prepare() {
  autograd::prepareProfiler(KinetoConfig(config_), Activities(context_.cuda));
  prepared_ = true;
}

void StepProfiler::Enable() {
  if (!prepared_) Prepare();
  autograd::enableProfiler(KinetoConfig(config_), Activities(context_.cuda));
  recording_ = true;
  phases_.Clear();
  const std::pair<const char*, bool> flags[] = {{"profile_memory", config_.profile_memory()},
                                                {"record_shapes", config_.record_shapes()},
                                                {"with_flops", config_.with_flops()}};
  for (const auto& [name, on] : flags) {
    if (on) autograd::addMetadataJson(name, "1");
  }
  if (context_.world_size > 1) {
    autograd::addMetadataJson(
        "distributedInfo",
        absl::StrFormat(R"({"backend": "%s", "rank": %d, "world_size": %d, "pg_count": 1})",
                        context_.backend, context_.rank, context_.world_size));
  }
}

void StepProfiler::BeginStep(int64_t optimizer_step) {
  const ProfilerAction next = ActionAt(config_, index_);
  const Clock::time_point begin = Clock::now();
  const bool record = next == ProfilerAction::kRecord || next == ProfilerAction::kRecordAndSave;
  if (next == ProfilerAction::kWarmup && !prepared_) Prepare();
  if (record && !recording_) {
    Enable();
    first_step_ = optimizer_step;
  }
  action_ = next;
  last_step_ = optimizer_step;
  if (next != ProfilerAction::kNone) overhead_ += Clock::now() - begin;
  step_scope_ = std::make_unique<Scope>(absl::StrCat("ProfilerStep#", index_));
}

std::optional<v1::ProfileSummary> StepProfiler::EndStep(const v1::PhaseSummary& phases) {
  step_scope_.reset();
  ++index_;
  if (!recording_) return std::nullopt;
  AddPhases(phases, &phases_);
  if (action_ != ProfilerAction::kRecordAndSave) return std::nullopt;
  return Disable();
}

std::optional<v1::ProfileSummary> StepProfiler::Stop() {
  step_scope_.reset();
  if (!recording_) return std::nullopt;
  return Disable();
}

std::optional<v1::ProfileSummary> StepProfiler::Disable() {
  const Clock::time_point begin = Clock::now();
  if (context_.cuda) CudaPlugin::Get().Synchronize(torch::Device(torch::kCUDA));
  const std::unique_ptr<autograd::ProfilerResult> result = autograd::disableProfiler();
  recording_ = prepared_ = false;
  v1::ProfileSummary summary;
  summary.set_attempt_id(context_.attempt_id);
  summary.set_rank(context_.rank);
  summary.set_first_step(first_step_);
  summary.set_last_step(last_step_);
  std::vector<TraceEvent> events = EventsOf(*result);
  summary.set_event_count(static_cast<int64_t>(events.size()));
  for (v1::OperatorSummary& row : SummarizeOperators(std::move(events), kTopOperators)) {
    *summary.add_operators() = std::move(row);
  }
  *summary.mutable_phases() = phases_;
  const int64_t now_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                             std::chrono::system_clock::now().time_since_epoch())
                             .count();
  const std::string name = absl::StrCat(context_.worker_name, ".", now_ns, ".pt.trace.json");
  const std::string path = absl::StrCat(context_.folder, "/", name);
  result->save(path);
  const absl::StatusOr<int64_t> bytes = GzipTrace(path, path + ".gz");
  if (bytes.ok()) {
    summary.set_trace_file(path + ".gz");
    summary.set_trace_bytes(*bytes);
  } else {
    VLM_LOG_WARNING("trace not kept", {{"reason", bytes.status().message()}});
  }
  overhead_ += Clock::now() - begin;
  summary.set_overhead_ms(std::chrono::duration<double, std::milli>(overhead_).count());
  overhead_ = {};
  return summary;
}

}  // namespace vlm::trainer
