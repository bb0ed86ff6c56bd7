// `trial enqueue`, added to the group "trial".
#pragma once

#include "client/cli.h"

namespace vlm::client {

void AddTrialEnqueue(Cli& cli, CLI::App* group);

// A value out of a person's text, of the kind that the range asks for. INVALID_ARGUMENT names what
// the range takes; whether a number lies inside it is the coordinator's to say.
absl::StatusOr<v1::ParamValue> ParseParamText(const v1::Distribution& distribution,
                                              const std::string& text);

}  // namespace vlm::client
