#include "server/rpc/optuna_service.h"

#include <memory>
#include <utility>

#include "common/channel.h"
#include "common/mutex.h"

namespace vlm::rpc {
namespace {

// One call. It ends once: with the engine's answer, or when the client or the server gives it up;
// an answer that comes after that is dropped.
template <typename Reply>
class UnaryCall final : public grpc::ServerUnaryReactor {
 public:
  explicit UnaryCall(Reply* reply) : gate_(std::make_shared<Gate>()), reply_(reply) {
    MutexLock lock(gate_->mutex);
    gate_->call = this;
  }

  server::Engine::Callback Answer() const {
    return [gate = gate_](absl::StatusOr<server::MessagePtr> result) {
      UnaryCall* call = Take(*gate);
      if (call == nullptr) return;
      if (result.ok()) call->reply_->Swap(static_cast<Reply*>(result->get()));
      call->Finish(ToGrpc(result.status()));
    };
  }
  void OnCancel() override {
    UnaryCall* call = Take(*gate_);
    if (call != nullptr) call->Finish(grpc::Status::CANCELLED);
  }
  void OnDone() override { delete this; }

 private:
  struct Gate {
    Mutex mutex;
    UnaryCall* call ABSL_GUARDED_BY(mutex) = nullptr;
  };
  static UnaryCall* Take(Gate& gate) {
    MutexLock lock(gate.mutex);
    return std::exchange(gate.call, nullptr);
  }

  std::shared_ptr<Gate> gate_;
  Reply* reply_;
};

}  // namespace

template <typename Request, typename Reply>
grpc::ServerUnaryReactor* OptunaService::Pass(const Request& request, Reply* reply) {
  auto* call = new UnaryCall<Reply>(reply);
  engine_->CallAsync(core::OptunaCall{request}, call->Answer());
  return call;
}

#define VLM_OPTUNA_RPC(Method)                                                            \
  grpc::ServerUnaryReactor* OptunaService::Method(grpc::CallbackServerContext*,           \
                                                  const optuna::Method##Request* request, \
                                                  optuna::Method##Reply* reply) {         \
    return Pass(*request, reply);                                                         \
  }
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

}  // namespace vlm::rpc
