// All combinations of a finite space, each once, in Optuna's shuffled order
// (optuna/samplers/_grid.py with every value of each range). OUT_OF_RANGE when all have been tried
// or are running. Unlike Optuna's it does not repeat a combination that a person has enqueued.
#pragma once

#include "absl/container/flat_hash_map.h"
#include "server/search/random_source.h"
#include "server/search/sampler.h"

namespace vlm::search {

class GridSampler final : public Sampler {
 public:
  // FAILED_PRECONDITION: a range without end, or a grid of more than kMaxGrid combinations.
  static constexpr size_t kMaxGrid = 10'000'000;

  explicit GridSampler(uint32_t seed) : random_(seed) {}
  absl::StatusOr<InternalParams> SampleRelative(const StudyView& study, int64_t number,
                                                const Space& space) override;
  absl::StatusOr<double> SampleIndependent(const StudyView& study, const Suggested& suggested,
                                           const std::string& name,
                                           const v1::Distribution& distribution) override;
  void Observe(const StudyView& study, int64_t number) override;
  std::string State() const override { return random_.State(); }
  absl::Status Restore(const std::string& state) override;

 private:
  struct Axis {
    std::string name;
    std::vector<double> values;
  };
  absl::Status Build(const StudyView& study, const Space& space);
  void Take(const TrialView& trial);
  InternalParams At(size_t shuffled) const;

  RandomSource random_;  // Has shuffled once the grid is built.
  bool built_ = false;
  bool restored_ = false;
  std::vector<Axis> axes_;       // By name.
  std::vector<uint32_t> order_;  // Place in the shuffled order -> combination, last name fastest.
  std::vector<uint32_t> place_of_;  // Combination -> place.
  std::vector<bool> taken_;         // By place.
  size_t left_ = 0;
};

}  // namespace vlm::search
