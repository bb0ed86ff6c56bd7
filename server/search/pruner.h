// Pruners: one pure question to a study's history. Source of the rules: Optuna 5 (see each file).
// What a pruner must remember it asks to have stored with the trial, so that a restarted
// coordinator, or Optuna on the same file, goes on from there.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "server/search/sampler.h"

namespace vlm::search {

struct PruneDecision {
  bool prune = false;
  // System attributes of the judged trial to store in the transaction of its report: key, JSON.
  std::vector<std::pair<std::string, std::string>> attributes;
};

// Thread-safe (no state).
class Pruner {
 public:
  virtual ~Pruner() = default;
  // Whether trial `number` should stop after its newest report. Does not prune without reports,
  // or when too little is known. All but the pareto pruner leave several objectives alone.
  virtual PruneDecision Judge(const StudyView& study, int64_t number) const = 0;
};

// INVALID_ARGUMENT names an unknown pruner and lists the known ones, or an option out of range.
absl::StatusOr<std::unique_ptr<Pruner>> MakePruner(const v1::PrunerConfig& config);

// Takes what a trial's system attributes (JSON texts) say to pruners into its view: completed
// rungs, the resource found, vectors of intermediate values. Texts that are not what their key
// promises are left out.
void ReadAttributes(const google::protobuf::Map<std::string, std::string>& attributes,
                    TrialView* view);

// Keys of system attributes. Those without "vlm:" are Optuna's own.
inline constexpr char kRungPrefix[] = "completed_rung_";
inline constexpr char kResource[] = "vlm:pruner_resource";
inline constexpr char kVectorPrefix[] = "vlm:intermediate:";

// A number as JSON the way Python writes it: shortest digits, NaN, Infinity, -Infinity.
std::string JsonNumber(double value);
// The way back; false if `text` is no number (or NaN: no attribute here may be).
bool ParseJsonNumber(const std::string& text, double* value);
// A list of numbers, such as "[0.5, Infinity]".
std::string JsonNumbers(const std::vector<double>& values);
bool ParseJsonNumbers(const std::string& text, std::vector<double>* values);

}  // namespace vlm::search
