#include "absl/strings/str_cat.h"
#include "server/search/percentile_pruner.h"
#include "server/search/tpe_sampler.h"

namespace vlm::search {

absl::StatusOr<std::unique_ptr<Sampler>> MakeSampler(const v1::SamplerConfig& config,
                                                     uint32_t seed) {
  if (config.name() == "random") return std::make_unique<RandomSampler>(seed);
  if (config.name().empty() || config.name() == "tpe") {
    return std::make_unique<TpeSampler>(TpeOptionsOf(config), seed);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no sampler \"", config.name(), "\"; known: tpe, random"));
}

absl::StatusOr<std::unique_ptr<Pruner>> MakePruner(const v1::PrunerConfig& config) {
  if (config.name() == "none") return std::make_unique<NopPruner>();
  if (config.name().empty() || config.name() == "median" || config.name() == "percentile") {
    v1::PrunerConfig filled = config;
    if (config.name() != "percentile") filled.set_percentile(50);
    return std::make_unique<PercentilePruner>(filled);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no pruner \"", config.name(), "\"; known: median, percentile, none"));
}

}  // namespace vlm::search
