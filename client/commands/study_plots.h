// `plot parallel|slice|contour|importance|pareto|edf`, added to the group "plot".
#pragma once

#include "client/cli.h"

namespace vlm::client {

void AddStudyPlots(Cli& cli, CLI::App* group);

}  // namespace vlm::client
