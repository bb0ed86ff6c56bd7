// optuna.StorageService: hands each request to the engine as it is. Callback handlers, because
// Optuna's clients set no deadline and there may be more of them than threads.
#pragma once

#include "optuna/storage.grpc.pb.h"
#include "server/engine.h"

namespace vlm::rpc {

class OptunaService final : public optuna::StorageService::CallbackService {
 public:
  // Borrows the engine.
  explicit OptunaService(server::Engine* engine) : engine_(engine) {}

#define VLM_OPTUNA_RPC(Method)                                             \
  grpc::ServerUnaryReactor* Method(grpc::CallbackServerContext* context,   \
                                   const optuna::Method##Request* request, \
                                   optuna::Method##Reply* reply) override;
  VLM_OPTUNA_RPC(CreateNewStudy)
  VLM_OPTUNA_RPC(DeleteStudy)
  VLM_OPTUNA_RPC(SetStudyUserAttribute)
  VLM_OPTUNA_RPC(SetStudySystemAttribute)
  VLM_OPTUNA_RPC(GetStudyIdFromName)
  VLM_OPTUNA_RPC(GetStudyNameFromId)
  VLM_OPTUNA_RPC(GetStudyDirections)
  VLM_OPTUNA_RPC(GetStudyUserAttributes)
  VLM_OPTUNA_RPC(GetStudySystemAttributes)
  VLM_OPTUNA_RPC(GetAllStudies)
  VLM_OPTUNA_RPC(CreateNewTrial)
  VLM_OPTUNA_RPC(SetTrialParameter)
  VLM_OPTUNA_RPC(GetTrialIdFromStudyIdTrialNumber)
  VLM_OPTUNA_RPC(SetTrialStateValues)
  VLM_OPTUNA_RPC(SetTrialIntermediateValue)
  VLM_OPTUNA_RPC(SetTrialUserAttribute)
  VLM_OPTUNA_RPC(SetTrialSystemAttribute)
  VLM_OPTUNA_RPC(GetTrial)
  VLM_OPTUNA_RPC(GetTrials)
#undef VLM_OPTUNA_RPC

 private:
  template <typename Request, typename Reply>
  grpc::ServerUnaryReactor* Pass(const Request& request, Reply* reply);

  server::Engine* engine_;
};

}  // namespace vlm::rpc
