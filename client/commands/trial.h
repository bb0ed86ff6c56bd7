// What several command files need about trials.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "client/cli.h"

namespace vlm::client {

// Name of the trial's study.
absl::StatusOr<std::string> StudyNameOf(Session& session, const v1::Trial& trial);
void AddTrialLogs(Cli& cli, CLI::App* group);

}  // namespace vlm::client
