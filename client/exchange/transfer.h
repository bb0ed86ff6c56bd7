// Files, and the streams that carry studies to and from the coordinator.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/session.h"

namespace vlm::client {

// INVALID_ARGUMENT: it cannot be read. "-" is the standard input.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path);
// Written aside and moved into place. UNAVAILABLE: it cannot be written.
absl::Status WriteWholeFile(const std::string& path, const std::string& text);

// Both send everything or nothing is added; errors are those of ImportStudy.
absl::StatusOr<v1::ImportStudyResponse> SendTrials(Session& session,
                                                   const v1::ImportStudyRequest::Header& header,
                                                   const std::vector<v1::Trial>& trials);
// INVALID_ARGUMENT also: the file is no SQLite database, or a log beside it holds changes that are
// not in it yet.
absl::StatusOr<v1::ImportStudyResponse> SendDatabase(Session& session,
                                                     const v1::ImportStudyRequest::Header& header,
                                                     const std::string& path);
// The study as an Optuna database of its own.
absl::Status SaveDatabase(Session& session, const std::string& study, const std::string& path);

}  // namespace vlm::client
