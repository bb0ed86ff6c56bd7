// vlm.v1.Control: thin handlers that hand requests to the engine. Sync for unary calls, callback
// reactors for Watch and TailLogs.
#pragma once

#include <functional>

#include "common/channel.h"
#include "server/rpc/hub.h"
#include "server/task_thread.h"
#include "vlm/v1/control.grpc.pb.h"

namespace vlm::rpc {

struct ControlParts {
  server::Engine* engine = nullptr;
  Hub* hub = nullptr;
  storage::Store* store = nullptr;
  server::TaskThread* reader = nullptr;  // Runs store reads for streams.
  std::string http_address;
  std::string data_dir;
};

using ControlStreams = v1::Control::WithCallbackMethod_Watch<
    v1::Control::WithCallbackMethod_TailLogs<v1::Control::Service>>;
// What programs that train elsewhere call thousands of times a second: no thread waits for it.
using ControlBase = v1::Control::WithCallbackMethod_Ask<v1::Control::WithCallbackMethod_Tell<
    v1::Control::WithCallbackMethod_ReportValue<ControlStreams>>>;

class ControlService final : public ControlBase {
 public:
  explicit ControlService(ControlParts parts) : parts_(std::move(parts)) {}

  using Context = grpc::ServerContext;
  grpc::Status Submit(Context*, const v1::SubmitRequest*, v1::SubmitResponse*) override;
  grpc::Status Validate(Context*, const v1::ValidateRequest*, v1::ValidateResponse*) override;
  grpc::Status GetStudy(Context*, const v1::GetStudyRequest*, v1::GetStudyResponse*) override;
  grpc::Status ListStudies(Context*, const v1::ListStudiesRequest*,
                           v1::ListStudiesResponse*) override;
  grpc::Status UpdateStudy(Context*, const v1::UpdateStudyRequest*,
                           v1::UpdateStudyResponse*) override;
  grpc::Status DeleteStudy(Context*, const v1::DeleteStudyRequest*,
                           v1::DeleteStudyResponse*) override;
  grpc::Status GetTrial(Context*, const v1::GetTrialRequest*, v1::GetTrialResponse*) override;
  grpc::Status ListTrials(Context*, const v1::ListTrialsRequest*, v1::ListTrialsResponse*) override;
  grpc::Status EnqueueTrial(Context*, const v1::EnqueueTrialRequest*,
                            v1::EnqueueTrialResponse*) override;
  grpc::Status StopTrial(Context*, const v1::StopTrialRequest*, v1::StopTrialResponse*) override;
  grpc::Status RetryTrial(Context*, const v1::RetryTrialRequest*, v1::RetryTrialResponse*) override;
  grpc::Status BestTrials(Context*, const v1::BestTrialsRequest*, v1::BestTrialsResponse*) override;
  grpc::Status RestoreStudy(Context*, const v1::RestoreStudyRequest*,
                            v1::RestoreStudyResponse*) override;
  grpc::Status ImportStudy(Context*, grpc::ServerReader<v1::ImportStudyRequest>*,
                           v1::ImportStudyResponse*) override;
  grpc::Status ExportStudy(Context*, const v1::ExportStudyRequest*,
                           grpc::ServerWriter<v1::ExportStudyResponse>*) override;
  grpc::Status GetImportance(Context*, const v1::GetImportanceRequest*,
                             v1::GetImportanceResponse*) override;
  using AsyncContext = grpc::CallbackServerContext;
  grpc::ServerUnaryReactor* Ask(AsyncContext*, const v1::AskRequest*, v1::AskResponse*) override;
  grpc::ServerUnaryReactor* Tell(AsyncContext*, const v1::TellRequest*, v1::TellResponse*) override;
  grpc::ServerUnaryReactor* ReportValue(AsyncContext*, const v1::ReportValueRequest*,
                                        v1::ReportValueResponse*) override;
  grpc::Status UpdateWorker(Context*, const v1::UpdateWorkerRequest*,
                            v1::UpdateWorkerResponse*) override;
  grpc::Status ListWorkers(Context*, const v1::ListWorkersRequest*,
                           v1::ListWorkersResponse*) override;
  grpc::Status ReadMetrics(Context*, const v1::ReadMetricsRequest*,
                           v1::ReadMetricsResponse*) override;
  grpc::Status GetProfile(Context*, const v1::GetProfileRequest*, v1::GetProfileResponse*) override;
  grpc::Status Backup(Context*, const v1::BackupRequest*,
                      grpc::ServerWriter<v1::BackupResponse>*) override;
  grpc::Status CheckStore(Context*, const v1::CheckStoreRequest*,
                          grpc::ServerWriter<v1::CheckStoreResponse>*) override;
  grpc::Status ListCheckpoints(Context*, const v1::ListCheckpointsRequest*,
                               v1::ListCheckpointsResponse*) override;
  grpc::Status GetStatus(Context*, const v1::GetStatusRequest*, v1::GetStatusResponse*) override;

  // GetStatus for the HTTP port.
  absl::StatusOr<v1::GetStatusResponse> Status();

  grpc::ServerWriteReactor<v1::WatchResponse>* Watch(grpc::CallbackServerContext*,
                                                     const v1::WatchRequest*) override;
  grpc::ServerWriteReactor<v1::TailLogsResponse>* TailLogs(grpc::CallbackServerContext*,
                                                           const v1::TailLogsRequest*) override;

 private:
  template <typename Request, typename Response>
  grpc::Status Pass(Context* context, const Request* request, Response* response) {
    return ToGrpc(parts_.engine->CallInto(*request, TimeLeft(context), response));
  }
  template <typename Request, typename Response>
  grpc::ServerUnaryReactor* PassAsync(AsyncContext* context, const Request* request,
                                      Response* response);
  // Until the caller's deadline, but not for ever.
  static absl::Duration TimeLeft(const grpc::ServerContextBase* context);
  absl::StatusOr<std::vector<v1::Trial>> CompleteTrials(const std::string& study);
  absl::StatusOr<int64_t> TrialId(const std::string& name);

  ControlParts parts_;
};

}  // namespace vlm::rpc
