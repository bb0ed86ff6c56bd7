// Internal: which keys of section study.pruner each pruner takes, and their defaults.
#pragma once

#include <string>
#include <vector>

#include "common/config/keys.h"

namespace vlm::config {

const std::vector<std::string>& PrunerNames();
// Pruners that can judge trials of a study with several objectives.
const std::vector<std::string>& PrunersOfSeveralObjectives();
// The default of a key ("n_warmup_steps") for this pruner, and for the one that it wraps; "" =
// none. Null: the pruner does not take the key.
const char* PrunerDefault(const v1::PrunerConfig& pruner, const std::string& option);
// Whether ToYaml writes the key: false for options of other pruners.
bool PrunerKeyIsUsed(absl::string_view key, const v1::StudySpec& spec);

}  // namespace vlm::config
