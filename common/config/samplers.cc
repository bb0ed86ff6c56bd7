// Which samplers there are and which options each of them takes.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/config/keys.h"
#include "common/config/reader.h"

namespace vlm::config {
namespace {

struct SamplerOptions {
  const char* sampler;
  std::vector<std::string> options;
};

const std::vector<SamplerOptions>& Samplers() {
  static const auto& samplers = *new std::vector<SamplerOptions>{
      {"tpe",
       {"n_startup_trials", "n_ei_candidates", "multivariate", "constant_liar", "group",
        "max_above"}},
      {"random", {}},
  };
  return samplers;
}

const std::vector<std::string>* OptionsOf(absl::string_view sampler) {
  for (const SamplerOptions& known : Samplers()) {
    if (sampler == known.sampler) return &known.options;
  }
  return nullptr;
}

}  // namespace

std::vector<std::string> SamplerNames() {
  std::vector<std::string> names;
  for (const SamplerOptions& known : Samplers()) names.emplace_back(known.sampler);
  return names;
}

bool KeyIsUsed(absl::string_view key, const v1::StudySpec& spec) {
  absl::string_view option = key;
  if (!absl::ConsumePrefix(&option, "study.sampler.") || option == "name") return true;
  const std::vector<std::string>* options = OptionsOf(spec.sampler().name());
  return options == nullptr ||
         std::find(options->begin(), options->end(), option) != options->end();
}

void Reader::CheckSampler() {
  const v1::SamplerConfig& sampler = result_->spec.sampler();
  const std::vector<std::string>* options = OptionsOf(sampler.name());
  if (options == nullptr) return;  // Its name has been found wrong already.
  for (const auto& [name, mark] : seen_) {
    if (KeyIsUsed(name, result_->spec)) continue;
    IssueAt(mark, name, absl::StrCat("is not used by the sampler ", sampler.name()),
            options->empty()
                ? "remove it"
                : absl::StrCat("remove it; that sampler takes ", absl::StrJoin(*options, ", ")));
  }
  if (sampler.group() && sampler.has_multivariate() && !sampler.multivariate()) {
    IssueAt(seen_["study.sampler.group"], "study.sampler.group",
            "samples names jointly, which multivariate: false forbids", "remove one of the two");
  }
}

}  // namespace vlm::config
