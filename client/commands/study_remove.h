// `study delete|restore`, added to the group "study".
#pragma once

#include "client/cli.h"

namespace vlm::client {

void AddStudyRemove(Cli& cli, CLI::App* group);

}  // namespace vlm::client
