// CMA-ES over the numeric keys that all COMPLETE trials share (optuna/samplers/_cmaes.py);
// categories are drawn uniformly. One objective. The same distribution as Optuna's, not the same
// values: its eigenvectors come from LAPACK, whose signs and order are its own.
#pragma once

#include <map>
#include <optional>

#include "server/search/cma_es.h"
#include "server/search/random_sampler.h"
#include "server/search/space_tracker.h"

namespace vlm::search {

struct CmaesOptions {
  size_t n_startup_trials = 1;
  size_t population_size = 0;
  double sigma0 = 0;  // 0 = a sixth of the range.
  bool separable = false;
  bool margin = false;  // Discrete keys keep a least probability of changing.
  // Begins from the best of what there is then, and not before there are 10 trials.
  bool warm_start = false;
};
CmaesOptions CmaesOptionsOf(const v1::SamplerConfig& config);

class CmaesSampler final : public Sampler {
 public:
  CmaesSampler(const CmaesOptions& options, uint32_t seed)
      : options_(options), random_(seed), independent_(seed), tracker_(false, false) {}
  // INVALID_ARGUMENT: several objectives.
  absl::StatusOr<InternalParams> SampleRelative(const StudyView& study, int64_t number,
                                                const Space& space) override;
  absl::StatusOr<double> SampleIndependent(const StudyView&, const Suggested&, const std::string&,
                                           const v1::Distribution& distribution) override {
    return SampleUniform(distribution, independent_);
  }
  void Observe(const StudyView& study, int64_t number) override;
  std::string State() const override;
  absl::Status Restore(const std::string& state) override;

 private:
  // A trial that was drawn from the present generation.
  struct Drawn {
    int64_t generation = 0;
    std::vector<double> x;  // As drawn; with margin only, where it is not the trial's place.
  };

  void MakeOptimizer(const StudyView& study, const Space& space);
  void MakeOptimizer(CmaEs::Options options);
  std::vector<double> PlaceOf(const TrialView& trial, const Space& space) const;
  void TellIfFull(const StudyView& study, const Space& space);

  const CmaesOptions options_;
  RandomSource random_;
  RandomSource independent_;
  SpaceTracker tracker_;
  std::vector<bool> complete_;  // By number.
  size_t completed_ = 0;
  std::optional<CmaEs> optimizer_;
  std::map<int64_t, Drawn> drawn_;  // By number; of the present generation.
};

}  // namespace vlm::search
