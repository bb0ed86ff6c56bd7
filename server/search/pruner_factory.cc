#include "absl/strings/str_cat.h"
#include "server/search/halving_pruner.h"
#include "server/search/hyperband_pruner.h"
#include "server/search/pareto_pruner.h"
#include "server/search/percentile_pruner.h"
#include "server/search/simple_pruners.h"
#include "server/search/wilcoxon_pruner.h"

namespace vlm::search {
namespace {

absl::Status CheckFactor(const v1::PrunerConfig& config) {
  if (config.reduction_factor() >= 2) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("pruner ", config.name(), ": reduction_factor ",
                                                 config.reduction_factor(), " is below 2"));
}

absl::Status CheckResource(const v1::PrunerConfig& config) {
  if (config.min_resource() < 1) {
    return absl::InvalidArgumentError(absl::StrCat("pruner ", config.name(), ": min_resource ",
                                                   config.min_resource(), " is below 1 step"));
  }
  return CheckFactor(config);
}

absl::StatusOr<std::unique_ptr<Pruner>> MakePatient(const v1::PrunerConfig& config) {
  if (config.patience() < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("pruner patient: patience ", config.patience(), " is negative"));
  }
  std::unique_ptr<Pruner> wrapped;
  if (!config.wrapped().empty()) {
    if (config.wrapped() == "patient") {
      return absl::InvalidArgumentError("pruner patient: cannot wrap itself");
    }
    v1::PrunerConfig inner = config;
    inner.set_name(config.wrapped());
    auto made = MakePruner(inner);
    if (!made.ok()) return made.status();
    wrapped = *std::move(made);
  }
  return std::make_unique<PatientPruner>(config, std::move(wrapped));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Pruner>> MakePruner(const v1::PrunerConfig& config) {
  const std::string& name = config.name();
  absl::Status usable;
  if (name == "none") return std::make_unique<NopPruner>();
  if (name.empty() || name == "median" || name == "percentile") {
    v1::PrunerConfig filled = config;
    if (name != "percentile") filled.set_percentile(50);
    return std::make_unique<PercentilePruner>(filled);
  }
  if (name == "successive_halving") {
    usable = config.has_min_resource() ? CheckResource(config) : CheckFactor(config);
    if (usable.ok()) return std::make_unique<HalvingPruner>(config);
  } else if (name == "hyperband") {
    usable = CheckResource(config);
    if (usable.ok()) return std::make_unique<HyperbandPruner>(config);
  } else if (name == "patient") {
    return MakePatient(config);
  } else if (name == "threshold") {
    return std::make_unique<ThresholdPruner>(config);
  } else if (name == "wilcoxon") {
    return std::make_unique<WilcoxonPruner>(config);
  } else if (name == "pareto") {
    usable = CheckFactor(config);
    if (usable.ok()) return std::make_unique<ParetoPruner>(config);
  } else {
    usable = absl::InvalidArgumentError(
        absl::StrCat("no pruner \"", name,
                     "\"; known: median, percentile, successive_halving, hyperband, patient, "
                     "threshold, wilcoxon, pareto, none"));
  }
  return usable;
}

}  // namespace vlm::search
