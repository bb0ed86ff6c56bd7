// `study edit`, added to the group "study".
#pragma once

#include "client/cli.h"

namespace vlm::client {

void AddStudyEdit(Cli& cli, CLI::App* group);

}  // namespace vlm::client
