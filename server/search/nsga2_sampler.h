// NSGA-II and NSGA-III with the draws of Optuna 5 (optuna/samplers/nsgaii, _nsgaiii): a generation
// is bred from the elite of the one before by uniform crossover; keys that mutate are drawn anew.
// Any number of objectives, constraints by constrained domination. Equal seeds give Optuna's
// values.
#pragma once

#include <map>
#include <optional>

#include "server/search/pareto.h"
#include "server/search/random_sampler.h"
#include "server/search/space_tracker.h"

namespace vlm::search {

struct Nsga2Options {
  size_t population_size = 50;
  double crossover_prob = 0.9;
  double swapping_prob = 0.5;
  std::optional<double> mutation_prob;  // Unset: 1 / number of names.
  bool niches = false;                  // NSGA-III: reference lines in the place of crowding.
  size_t divisions = 3;                 // Of the edges of the reference points' simplex.
  LossRows reference_points;            // Empty: made up.
};
Nsga2Options Nsga2OptionsOf(const v1::SamplerConfig& config);

class Nsga2Sampler final : public Sampler {
 public:
  Nsga2Sampler(const Nsga2Options& options, uint32_t seed)
      : options_(options), random_(seed), startup_(seed), tracker_(false, false) {}
  absl::StatusOr<InternalParams> SampleRelative(const StudyView& study, int64_t number,
                                                const Space& space) override;
  absl::StatusOr<double> SampleIndependent(const StudyView&, const Suggested&, const std::string&,
                                           const v1::Distribution& distribution) override {
    return SampleUniform(distribution, startup_);
  }
  void Observe(const StudyView& study, int64_t number) override {
    tracker_.Observe((*study.trials)[static_cast<size_t>(number)]);
  }
  std::string State() const override;
  absl::Status Restore(const std::string& state) override;

 private:
  using Numbers = std::vector<int64_t>;

  int64_t NextGeneration(const StudyView& study);
  Numbers Population(const StudyView& study, int64_t generation) const;
  // In order of rank and crowding the first time, by number later, as Optuna's cache has it.
  Numbers Parents(const StudyView& study, int64_t generation);
  Numbers Elite(const StudyView& study, const Numbers& population);
  int64_t Tournament(const StudyView& study, const Numbers& parents, bool constrained);
  InternalParams Cross(const StudyView& study, const Numbers& parents, const Space& space);

  Nsga2Options options_;  // Reference points are filled in when they are first needed.
  RandomSource random_;
  RandomSource startup_;
  SpaceTracker tracker_;
  // Of the newest generations only; older ones are not looked at any more.
  std::map<int64_t, int64_t> generation_of_;  // By number.
  std::map<int64_t, Numbers> parents_;        // By generation; ascending.
};

}  // namespace vlm::search
