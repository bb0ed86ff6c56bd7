#include "absl/strings/str_cat.h"
#include "server/search/random_sampler.h"
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

}  // namespace vlm::search
