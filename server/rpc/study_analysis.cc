// What is computed about a whole study, on the handler's own thread: the heart only hands its
// trials over, page by page.
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "server/rpc/control_service.h"
#include "server/search/importance.h"

namespace vlm::rpc {
namespace {

constexpr absl::Duration kPageTime = absl::Seconds(10);
constexpr int kPageSize = 10'000;

absl::Status CheckEvaluator(const v1::GetImportanceRequest& request) {
  if (!v1::GetImportanceRequest::Evaluator_IsValid(request.evaluator())) {
    return absl::InvalidArgumentError(
        absl::StrCat("evaluator ", static_cast<int>(request.evaluator()), " is unknown"));
  }
  const bool quantiles = request.target_quantile() != 0 || request.region_quantile() != 0;
  if (request.evaluator() == v1::GetImportanceRequest::EVALUATOR_FANOVA && quantiles) {
    return absl::InvalidArgumentError("fANOVA explains all trials and takes no quantiles");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<v1::Trial>> ControlService::CompleteTrials(const std::string& study) {
  v1::ListTrialsRequest list;
  list.set_study(study);
  list.add_states(v1::TRIAL_STATE_COMPLETE);
  list.set_page_size(kPageSize);
  std::vector<v1::Trial> trials;
  do {
    v1::ListTrialsResponse page;
    RETURN_IF_ERROR(parts_.engine->CallInto(list, kPageTime, &page));
    for (v1::Trial& trial : *page.mutable_trials()) trials.push_back(std::move(trial));
    list.set_page_token(page.next_page_token());
  } while (!list.page_token().empty());
  return trials;
}

grpc::Status ControlService::GetImportance(Context* context,
                                           const v1::GetImportanceRequest* request,
                                           v1::GetImportanceResponse* response) {
  v1::GetStudyRequest get;
  get.set_study(request->study());
  v1::GetStudyResponse found;
  if (grpc::Status status = Pass(context, &get, &found); !status.ok()) return status;
  if (absl::Status known = CheckEvaluator(*request); !known.ok()) return ToGrpc(known);
  auto trials = CompleteTrials(found.study().name());
  if (!trials.ok()) return ToGrpc(trials.status());
  search::ImportanceOptions options;
  if (request->has_objective()) options.objective = request->objective();
  if (request->target_quantile() != 0) options.target_quantile = request->target_quantile();
  if (request->region_quantile() != 0) options.region_quantile = request->region_quantile();
  std::vector<v1::Direction> directions;
  for (int d : found.study().directions()) directions.push_back(static_cast<v1::Direction>(d));
  const bool fanova = request->evaluator() == v1::GetImportanceRequest::EVALUATOR_FANOVA;
  const auto importances = fanova
                               ? search::FanovaImportances(*trials, directions, options.objective)
                               : search::ParamImportances(*trials, directions, options);
  if (!importances.ok()) return ToGrpc(importances.status());
  *response->mutable_study() = found.study();
  response->set_trials(importances->trials);
  for (const auto& [name, value] : importances->params) {
    v1::GetImportanceResponse::Importance* one = response->add_importances();
    one->set_name(name);
    one->set_value(value);
  }
  return grpc::Status::OK;
}

}  // namespace vlm::rpc
