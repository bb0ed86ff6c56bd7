// Completion scripts made out of the command tree, so they never lack a command or a flag.
#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"

namespace vlm::client {

// `shell` is bash, zsh or fish; INVALID_ARGUMENT otherwise.
absl::StatusOr<std::string> CompletionScript(const CLI::App& root, const std::string& shell);

}  // namespace vlm::client
