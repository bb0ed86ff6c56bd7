// `study importance`, added to the group "study".
#pragma once

#include "client/cli.h"

namespace vlm::client {

void AddStudyAnalysis(Cli& cli, CLI::App* group);

// --evaluator, here and of the picture.
void AddEvaluator(CLI::App* command, std::string* evaluator);
v1::GetImportanceRequest::Evaluator EvaluatorOf(const std::string& name);

}  // namespace vlm::client
