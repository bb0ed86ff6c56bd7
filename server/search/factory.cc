#include "absl/strings/str_cat.h"
#include "server/search/brute_force_sampler.h"
#include "server/search/cmaes_sampler.h"
#include "server/search/gp_sampler.h"
#include "server/search/grid_sampler.h"
#include "server/search/nsga2_sampler.h"
#include "server/search/partial_fixed_sampler.h"
#include "server/search/qmc_sampler.h"
#include "server/search/random_sampler.h"
#include "server/search/tpe_sampler.h"

namespace vlm::search {
namespace {

absl::StatusOr<std::unique_ptr<Sampler>> MakeBase(const v1::SamplerConfig& config, uint32_t seed) {
  if (config.name() == "random") return std::make_unique<RandomSampler>(seed);
  if (config.name() == "qmc") {
    return std::make_unique<QmcSampler>(config.qmc_type() == "halton", config.scramble(), seed);
  }
  if (config.name() == "nsga2" || config.name() == "nsga3") {
    return std::make_unique<Nsga2Sampler>(Nsga2OptionsOf(config), seed);
  }
  if (config.name() == "cmaes") {
    return std::make_unique<CmaesSampler>(CmaesOptionsOf(config), seed);
  }
  if (config.name() == "gp") return std::make_unique<GpSampler>(GpOptionsOf(config), seed);
  if (config.name() == "grid") return std::make_unique<GridSampler>(seed);
  if (config.name() == "brute_force") {
    return std::make_unique<BruteForceSampler>(seed, config.avoid_premature_stop());
  }
  if (config.name().empty() || config.name() == "tpe") {
    return std::make_unique<TpeSampler>(TpeOptionsOf(config), seed);
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no sampler \"", config.name(),
                   "\"; known: tpe, random, grid, brute_force, qmc, nsga2, nsga3, cmaes, gp"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Sampler>> MakeSampler(const v1::SamplerConfig& config,
                                                     uint32_t seed) {
  auto base = MakeBase(config, seed);
  if (!base.ok() || config.fixed().empty()) return base;
  absl::btree_map<std::string, v1::ParamValue> fixed;
  for (const v1::FixedValue& value : config.fixed()) fixed[value.name()] = value.value();
  return std::make_unique<PartialFixedSampler>(*std::move(base), std::move(fixed));
}

}  // namespace vlm::search
