// Whole studies in and out: trials or an Optuna database, in pieces.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "server/rpc/control_service.h"
#include "server/storage/exchange.h"

namespace vlm::rpc {
namespace {

constexpr int64_t kLargestDatabase = int64_t{4} << 30;
constexpr size_t kPieceBytes = 1 << 20;

// A folder below the system's temporary one that goes away with the object.
class ScratchFolder {
 public:
  ScratchFolder() {
    path_ = (std::filesystem::temp_directory_path() / "vlm-study-XXXXXX").string();
    if (mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  std::string File() const { return path_ + "/study.db"; }

 private:
  std::string path_;
};

grpc::Status Invalid(const std::string& message) {
  return {grpc::StatusCode::INVALID_ARGUMENT, message};
}

// What follows the header: trials, or a file's bytes.
grpc::Status ReadParts(grpc::ServerReader<v1::ImportStudyRequest>* reader, const std::string& path,
                       std::vector<v1::Trial>* trials, bool* is_database) {
  v1::ImportStudyRequest part;
  std::ofstream file;
  int64_t bytes = 0;
  while (reader->Read(&part)) {
    if (part.has_trials() && bytes == 0) {
      for (v1::Trial& trial : *part.mutable_trials()->mutable_trials()) {
        trials->push_back(std::move(trial));
      }
    } else if (part.part_case() == v1::ImportStudyRequest::kDatabase && trials->empty()) {
      if (bytes == 0) file.open(path, std::ios::binary);
      bytes += static_cast<int64_t>(part.database().size());
      if (bytes > kLargestDatabase) return Invalid("the database has more than 4 GiB");
      if (!file.write(part.database().data(),
                      static_cast<std::streamsize>(part.database().size()))) {
        return {grpc::StatusCode::RESOURCE_EXHAUSTED,
                absl::StrCat("cannot write ", path, " on the coordinator's machine")};
      }
    } else {
      return Invalid("after the header come either trials or a database's bytes, not both");
    }
  }
  *is_database = bytes > 0;
  return grpc::Status::OK;
}

}  // namespace

grpc::Status ControlService::ImportStudy(Context* context,
                                         grpc::ServerReader<v1::ImportStudyRequest>* reader,
                                         v1::ImportStudyResponse* response) {
  v1::ImportStudyRequest first;
  if (!reader->Read(&first) || !first.has_header()) {
    return Invalid("the first message must be the header");
  }
  core::ImportCall call{first.header(), {}};
  const ScratchFolder scratch;
  bool is_database = false;
  const grpc::Status read = ReadParts(reader, scratch.File(), &call.trials, &is_database);
  if (!read.ok()) return read;
  // A caller that went away in the middle has not said everything.
  if (context->IsCancelled()) return grpc::Status::CANCELLED;
  if (is_database) {
    auto found = storage::ReadOptunaStudy(scratch.File(), call.header.source_study());
    if (!found.ok()) return ToGrpc(found.status());
    call.trials = std::move(found->trials);
    if (call.header.directions().empty()) {
      *call.header.mutable_directions() = found->study.directions();
    }
    if (call.header.metric().empty()) call.header.set_metric(found->study.metric());
    if (call.header.study().empty()) call.header.set_study(found->study.name());
  }
  return ToGrpc(parts_.engine->CallInto(std::move(call), TimeLeft(context), response));
}

grpc::Status ControlService::ExportStudy(Context* context, const v1::ExportStudyRequest* request,
                                         grpc::ServerWriter<v1::ExportStudyResponse>* writer) {
  v1::GetStudyRequest get;
  get.set_study(request->study());
  v1::GetStudyResponse found;
  if (grpc::Status status = Pass(context, &get, &found); !status.ok()) return status;
  const ScratchFolder scratch;
  const absl::Status written = parts_.store->ExportStudy(found.study().study_id(), scratch.File());
  if (!written.ok()) return ToGrpc(written);
  std::ifstream file(scratch.File(), std::ios::binary);
  std::string piece(kPieceBytes, '\0');
  while (file.read(piece.data(), kPieceBytes) || file.gcount() > 0) {
    v1::ExportStudyResponse response;
    response.set_database(piece.data(), static_cast<size_t>(file.gcount()));
    if (!writer->Write(response)) return grpc::Status::CANCELLED;
  }
  return grpc::Status::OK;
}

}  // namespace vlm::rpc
