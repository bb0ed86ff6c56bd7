#include "client/exchange/transfer.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace vlm::client {
namespace {

constexpr size_t kPieceBytes = 1 << 20;
constexpr size_t kTrialBytes = 8 << 20;  // Of trials in one message, about.
constexpr char kSqliteHeader[] = "SQLite format 3";

using Send = std::function<bool(const v1::ImportStudyRequest&)>;

absl::StatusOr<v1::ImportStudyResponse> Import(Session& session,
                                               const v1::ImportStudyRequest::Header& header,
                                               const std::function<void(const Send&)>& parts) {
  ASSIGN_OR_RETURN(ControlStub * stub, session.Control());
  const auto context = session.StreamContext();
  v1::ImportStudyResponse response;
  auto writer = stub->ImportStudy(context.get(), &response);
  v1::ImportStudyRequest first;
  *first.mutable_header() = header;
  // A refusal ends the stream early; Finish says why.
  if (writer->Write(first)) {
    parts([&](const v1::ImportStudyRequest& part) { return writer->Write(part); });
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  if (!status.ok()) return session.Explain(status);
  return response;
}

absl::Status CheckDatabase(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::InvalidArgumentError(absl::StrCat("cannot read ", path));
  std::string start(sizeof(kSqliteHeader), '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  if (!absl::StartsWith(start, kSqliteHeader)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is no SQLite database"));
  }
  std::error_code none;
  const auto log = std::filesystem::file_size(path + "-wal", none);
  if (!none && log > 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        path,
        "-wal holds changes that are not in the database yet: another program has it open. "
        "Close that, or copy it with: sqlite3 ",
        path, " \".backup copy.db\""));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ReadWholeFile(const std::string& path) {
  std::stringstream text;
  if (path == "-") {
    text << std::cin.rdbuf();
    return text.str();
  }
  std::ifstream file(path, std::ios::binary);
  if (!file || !(text << file.rdbuf())) {
    return absl::InvalidArgumentError(absl::StrCat("cannot read ", path, ", or it is empty"));
  }
  return text.str();
}

absl::Status WriteWholeFile(const std::string& path, const std::string& text) {
  const std::string aside = absl::StrCat(path, ".part", getpid());
  std::ofstream file(aside, std::ios::binary);
  file << text;
  file.close();
  if (!file || std::rename(aside.c_str(), path.c_str()) != 0) {
    const int error = errno;
    std::remove(aside.c_str());
    return absl::UnavailableError(absl::StrCat("cannot write ", path, ": ", std::strerror(error)));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::ImportStudyResponse> SendTrials(Session& session,
                                                   const v1::ImportStudyRequest::Header& header,
                                                   const std::vector<v1::Trial>& trials) {
  return Import(session, header, [&](const Send& send) {
    v1::ImportStudyRequest part;
    size_t bytes = 0;
    for (const v1::Trial& trial : trials) {
      *part.mutable_trials()->add_trials() = trial;
      bytes += trial.ByteSizeLong();
      if (bytes < kTrialBytes) continue;
      if (!send(part)) return;
      part.Clear();
      bytes = 0;
    }
    if (part.has_trials()) send(part);
  });
}

absl::StatusOr<v1::ImportStudyResponse> SendDatabase(Session& session,
                                                     const v1::ImportStudyRequest::Header& header,
                                                     const std::string& path) {
  RETURN_IF_ERROR(CheckDatabase(path));
  return Import(session, header, [&](const Send& send) {
    std::ifstream file(path, std::ios::binary);
    std::string piece(kPieceBytes, '\0');
    while (file.read(piece.data(), kPieceBytes) || file.gcount() > 0) {
      v1::ImportStudyRequest part;
      part.set_database(piece.data(), static_cast<size_t>(file.gcount()));
      if (!send(part)) return;
    }
  });
}

absl::Status SaveDatabase(Session& session, const std::string& study, const std::string& path) {
  ASSIGN_OR_RETURN(ControlStub * stub, session.Control());
  const auto context = session.StreamContext();
  v1::ExportStudyRequest request;
  request.set_study(study);
  auto reader = stub->ExportStudy(context.get(), request);
  v1::ExportStudyResponse piece;
  std::string bytes;
  while (reader->Read(&piece)) bytes += piece.database();
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return session.Explain(status);
  return WriteWholeFile(path, bytes);
}

}  // namespace vlm::client
