// `study export|import|clone`, added to the group "study".
#pragma once

#include "client/cli.h"

namespace vlm::client {

void AddStudyExchange(Cli& cli, CLI::App* group);

}  // namespace vlm::client
