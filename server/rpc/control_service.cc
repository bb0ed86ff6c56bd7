#include "server/rpc/control_service.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "common/channel.h"
#include "common/config/config.h"
#include "server/rpc/lttb.h"
#include "server/storage/seeds.h"

namespace vlm::rpc {
namespace {

constexpr absl::Duration kLongestCall = absl::Seconds(30);
constexpr absl::Duration kStatusTime = absl::Seconds(5);
constexpr int kLogTail = 20;

int64_t ResidentBytes() {
  int64_t pages = 0;
  int64_t resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

v1::ValidateResponse ToValidateResponse(const config::LoadResult& loaded) {
  v1::ValidateResponse response;
  for (const v1::ConfigIssue& issue : loaded.issues) *response.add_issues() = issue;
  if (loaded.ok()) *response.mutable_spec() = loaded.spec;
  return response;
}

}  // namespace

absl::Duration ControlService::TimeLeft(const grpc::ServerContextBase* context) {
  const absl::Time deadline = absl::FromChrono(context->deadline());
  return std::clamp(deadline - absl::Now(), absl::Milliseconds(1), kLongestCall);
}

template <typename Request, typename Response>
grpc::ServerUnaryReactor* ControlService::PassAsync(AsyncContext* context, const Request* request,
                                                    Response* response) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  parts_.engine->CallAsync(*request, [reactor, response](auto result) {
    if (result.ok()) response->Swap(static_cast<Response*>(result->get()));
    reactor->Finish(ToGrpc(result.status()));
  });
  return reactor;
}

grpc::Status ControlService::Submit(Context* context, const v1::SubmitRequest* request,
                                    v1::SubmitResponse* response) {
  const config::LoadResult loaded =
      config::Load(request->config_text(), request->config_path(),
                   {request->overrides().begin(), request->overrides().end()}, request->strict());
  if (!loaded.ok()) {
    const auto errors = std::count_if(loaded.issues.begin(), loaded.issues.end(),
                                      [](const auto& issue) { return !issue.warning(); });
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                        absl::StrCat("the configuration has ", errors, " errors; the first: ",
                                     config::FormatIssue(*std::find_if(
                                         loaded.issues.begin(), loaded.issues.end(),
                                         [](const auto& issue) { return !issue.warning(); }))),
                        ToValidateResponse(loaded).SerializeAsString());
  }
  core::SubmitCall call{*request, loaded.spec, loaded.issues};
  auto seeds = storage::ReadSeeds(loaded.spec);
  if (!seeds.ok()) return ToGrpc(seeds.status());
  call.seeds = *std::move(seeds);
  return ToGrpc(parts_.engine->CallInto(std::move(call), TimeLeft(context), response));
}

grpc::Status ControlService::Validate(Context*, const v1::ValidateRequest* request,
                                      v1::ValidateResponse* response) {
  *response = ToValidateResponse(
      config::Load(request->config_text(), request->config_path(),
                   {request->overrides().begin(), request->overrides().end()}, request->strict()));
  return grpc::Status::OK;
}

#define VLM_PASS(Method)                                                                    \
  grpc::Status ControlService::Method(Context* context, const v1::Method##Request* request, \
                                      v1::Method##Response* response) {                     \
    return Pass(context, request, response);                                                \
  }
VLM_PASS(GetStudy)
VLM_PASS(ListStudies)
VLM_PASS(DeleteStudy)
VLM_PASS(ListTrials)
VLM_PASS(EnqueueTrial)
VLM_PASS(StopTrial)
VLM_PASS(RetryTrial)
VLM_PASS(BestTrials)
VLM_PASS(ListWorkers)
VLM_PASS(UpdateWorker)
VLM_PASS(ListCheckpoints)
#undef VLM_PASS

#define VLM_PASS_ASYNC(Method)                                                                     \
  grpc::ServerUnaryReactor* ControlService::Method(                                                \
      AsyncContext* context, const v1::Method##Request* request, v1::Method##Response* response) { \
    return PassAsync(context, request, response);                                                  \
  }
VLM_PASS_ASYNC(Ask)
VLM_PASS_ASYNC(Tell)
VLM_PASS_ASYNC(ReportValue)
#undef VLM_PASS_ASYNC

absl::StatusOr<int64_t> ControlService::TrialId(const std::string& name) {
  v1::GetTrialResponse found;
  const absl::Status status =
      parts_.engine->CallInto(core::ResolveTrial{name}, kLongestCall, &found);
  if (!status.ok()) return status;
  return found.trial().trial_id();
}

grpc::Status ControlService::ReadMetrics(Context*, const v1::ReadMetricsRequest* request,
                                         v1::ReadMetricsResponse* response) {
  const auto trial_id = TrialId(request->trial());
  if (!trial_id.ok()) return ToGrpc(trial_id.status());
  auto series = parts_.store->ReadSeries(
      *trial_id, {request->names().begin(), request->names().end()}, request->from_step());
  if (!series.ok()) return ToGrpc(series.status());
  for (v1::Series& one : *series) {
    Thin(&one, request->max_points());
    *response->add_series() = std::move(one);
  }
  return grpc::Status::OK;
}

grpc::Status ControlService::GetProfile(Context*, const v1::GetProfileRequest* request,
                                        v1::GetProfileResponse* response) {
  const auto trial_id = TrialId(request->trial());
  if (!trial_id.ok()) return ToGrpc(trial_id.status());
  auto profiles = parts_.store->ReadProfiles(*trial_id);
  if (!profiles.ok()) return ToGrpc(profiles.status());
  *response = *std::move(profiles);
  return grpc::Status::OK;
}

absl::StatusOr<v1::GetStatusResponse> ControlService::Status() {
  v1::GetStatusResponse response;
  const absl::Status status =
      parts_.engine->CallInto(v1::GetStatusRequest(), kStatusTime, &response);
  if (!status.ok()) return status;
  response.set_rss_bytes(ResidentBytes());
  response.set_database_bytes(parts_.store->FileBytes());
  response.set_pid(getpid());
  response.set_http_address(parts_.http_address);
  return response;
}

grpc::Status ControlService::GetStatus(Context*, const v1::GetStatusRequest*,
                                       v1::GetStatusResponse* response) {
  auto status = Status();
  if (!status.ok()) return ToGrpc(status.status());
  *response = *std::move(status);
  return grpc::Status::OK;
}

// The heart keeps a few lines of what it has seen itself; after a restart the file has them.
grpc::Status ControlService::GetTrial(Context* context, const v1::GetTrialRequest* request,
                                      v1::GetTrialResponse* response) {
  const grpc::Status status = Pass(context, request, response);
  if (!status.ok() || response->trial().last_log_lines_size() > 0) return status;
  auto lines = parts_.store->ReadLogs(response->trial().trial_id(), 0, kLogTail);
  if (!lines.ok()) return ToGrpc(lines.status());
  for (v1::LogLine& line : *lines) {
    response->mutable_trial()->add_last_log_lines(std::move(*line.mutable_text()));
  }
  return status;
}

}  // namespace vlm::rpc
