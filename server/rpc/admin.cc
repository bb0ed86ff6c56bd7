// What an operator asks for: copies of the data directory and a look at all of it.
#include "absl/time/clock.h"
#include "server/rpc/control_service.h"
#include "server/storage/backup.h"
#include "server/storage/check.h"

namespace vlm::rpc {
namespace {

constexpr absl::Duration kProgress = absl::Milliseconds(100);

}  // namespace

grpc::Status ControlService::Backup(Context* context, const v1::BackupRequest* request,
                                    grpc::ServerWriter<v1::BackupResponse>* writer) {
  absl::Time next = absl::InfinitePast();
  v1::BackupResponse last;
  const absl::Status done =
      storage::BackUp(parts_.data_dir, request->directory(), !request->no_checkpoints(),
                      [&](const storage::BackupProgress& progress) {
                        if (context->IsCancelled()) return false;
                        last.set_file(progress.file);
                        last.set_done_bytes(progress.done_bytes);
                        last.set_total_bytes(progress.total_bytes);
                        if (absl::Now() < next) return true;
                        next = absl::Now() + kProgress;
                        return writer->Write(last);
                      });
  if (!done.ok()) return ToGrpc(done);
  last.clear_file();
  last.set_directory(request->directory());
  writer->Write(last);
  return grpc::Status::OK;
}

grpc::Status ControlService::CheckStore(Context* context, const v1::CheckStoreRequest* request,
                                        grpc::ServerWriter<v1::CheckStoreResponse>* writer) {
  int64_t checked = 0;
  const auto say = [&](v1::CheckStoreResponse::Severity severity, const std::string& subject,
                       const std::string& message) {
    v1::CheckStoreResponse response;
    response.set_severity(severity);
    response.set_subject(subject);
    response.set_message(message);
    response.set_checked(checked);
    return writer->Write(response) && !context->IsCancelled();
  };
  storage::CheckSink sink;
  sink.finding = [&](const storage::Finding& finding) {
    say(finding.damage ? v1::CheckStoreResponse::SEVERITY_DAMAGE
                       : v1::CheckStoreResponse::SEVERITY_NOTE,
        finding.subject, finding.message);
  };
  sink.progress = [&](int64_t count) {
    checked = count;
    return say(v1::CheckStoreResponse::SEVERITY_UNSPECIFIED, "", "");
  };
  return ToGrpc(storage::CheckDataDir(parts_.data_dir, !request->no_checkpoints(), sink));
}

}  // namespace vlm::rpc
