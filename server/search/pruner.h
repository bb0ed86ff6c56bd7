// Pruners: one pure question. Source of the rules: Optuna 5 (see each file).
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "server/search/sampler.h"

namespace vlm::search {

// Thread-safe (no state).
class Pruner {
 public:
  virtual ~Pruner() = default;
  // Whether trial `number` should stop after its newest report. False without reports, with several
  // objectives, or when too little is known. NaN rule: only NaN reported so far means prune.
  virtual bool ShouldPrune(const StudyView& study, int64_t number) const = 0;
};

// INVALID_ARGUMENT names an unknown pruner and lists the known ones.
absl::StatusOr<std::unique_ptr<Pruner>> MakePruner(const v1::PrunerConfig& config);

}  // namespace vlm::search
