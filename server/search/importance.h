// Which parameters mattered: PED-ANOVA, Optuna 5's default evaluator, and fANOVA.
//
// S. Watanabe, A. Bansal, F. Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance
// in Arbitrary Subspaces" (arXiv 2304.10255); parameters that only some trials have, or whose range
// changed, are split into regimes as in arXiv 2601.20800 (theorem 4.2). Constants are those of
// optuna/importance/_ped_anova, so that both give the same numbers.
//
// F. Hutter, H. Hoos, K. Leyton-Brown, "An Efficient Approach for Assessing Hyperparameter
// Importance" (ICML 2014) on 64 trees, as optuna/importance/_fanova. Trees grow at random, so that
// its numbers are Optuna's about as much as Optuna's of two seeds are. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "vlm/v1/study.pb.h"

namespace vlm::search {

struct ImportanceOptions {
  // From 0. Unset: the objective of a study with one; with several, being near the Pareto front.
  std::optional<int> objective;
  double target_quantile = 0.1;  // The best trials: 0 < target < region.
  double region_quantile = 1;    // The trials they are compared with; at most 1.
};

// In order of importance.
struct Importances {
  std::vector<std::pair<std::string, double>> params;  // Largest first; sum 1; equal ones by name.
  int64_t trials = 0;                                  // That were looked at.
};

// Looks at COMPLETE trials with finite values only. INVALID_ARGUMENT: a quantile or objective out
// of range; FAILED_PRECONDITION: fewer than two such trials.
absl::StatusOr<Importances> ParamImportances(const std::vector<v1::Trial>& trials,
                                             const std::vector<v1::Direction>& directions,
                                             const ImportanceOptions& options);

// The same for fANOVA, which explains the value itself, over parameters that all those trials have
// from one range. FAILED_PRECONDITION also: all values are equal.
absl::StatusOr<Importances> FanovaImportances(const std::vector<v1::Trial>& trials,
                                              const std::vector<v1::Direction>& directions,
                                              std::optional<int> objective);

// What both begin and end with.
absl::StatusOr<std::vector<const v1::Trial*>> TrialsToExplain(
    const std::vector<v1::Trial>& trials, const std::vector<v1::Direction>& directions,
    std::optional<int> objective);
Importances Normalized(Importances importances);

}  // namespace vlm::search
