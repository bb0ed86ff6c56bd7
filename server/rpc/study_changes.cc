// Changes of studies that need more than the heart: a configuration to check, a row to read.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "server/rpc/control_service.h"

namespace vlm::rpc {

// A new range is read and checked within the whole configuration, as at submit.
grpc::Status ControlService::UpdateStudy(Context* context, const v1::UpdateStudyRequest* request,
                                         v1::UpdateStudyResponse* response) {
  core::UpdateCall call{*request, {}};
  if (!request->search_space().empty()) {
    v1::GetStudyRequest get;
    get.set_study(request->study());
    v1::GetStudyResponse found;
    if (grpc::Status status = Pass(context, &get, &found); !status.ok()) return status;
    if (!found.spec().hyperparameter_tuning()) {
      return {grpc::StatusCode::FAILED_PRECONDITION,
              absl::StrCat("study \"", found.study().name(), "\" searches nothing here")};
    }
    std::vector<std::string> overrides;
    for (const std::string& range : request->search_space()) {
      overrides.push_back(absl::StrCat("study.search_space.", range));
    }
    config::LoadResult loaded =
        config::Load(config::ToYaml(found.spec()), found.spec().source_path(), overrides);
    const auto wrong = std::find_if(loaded.issues.begin(), loaded.issues.end(),
                                    [](const auto& issue) { return !issue.warning(); });
    if (wrong != loaded.issues.end()) {
      return {grpc::StatusCode::INVALID_ARGUMENT,
              absl::StrCat(
                  wrong->key(), ": ", wrong->message(),
                  wrong->suggestion().empty() ? "" : absl::StrCat(" (", wrong->suggestion(), ")"))};
    }
    call.spec = std::move(loaded.spec);
  }
  return ToGrpc(parts_.engine->CallInto(std::move(call), TimeLeft(context), response));
}

// The heart knows which study is meant, the store what it was.
grpc::Status ControlService::RestoreStudy(Context* context, const v1::RestoreStudyRequest* request,
                                          v1::RestoreStudyResponse* response) {
  v1::DeleteStudyResponse found;
  const absl::Status known = parts_.engine->CallInto(
      core::LookUpDeletedStudy{request->request_id(), request->study()}, TimeLeft(context), &found);
  if (!known.ok()) return ToGrpc(known);
  core::RestoreCall call{*request, {}};
  if (found.study_id() != 0) {
    auto whole = parts_.store->ReadDeletedStudy(found.study_id());
    if (!whole.ok()) return ToGrpc(whole.status());
    call.whole = *std::move(whole);
  }
  return ToGrpc(parts_.engine->CallInto(std::move(call), TimeLeft(context), response));
}

}  // namespace vlm::rpc
