// Bayesian optimization with Gaussian processes over the keys that all COMPLETE trials share
// (optuna/samplers/_gp): one process an objective and constraint, then the point with the largest
// expected improvement. Up to three objectives. The same method as Optuna's, not the same values.
#pragma once

#include "server/search/random_sampler.h"
#include "server/search/space_tracker.h"

namespace vlm::search {

struct GpOptions {
  size_t n_startup_trials = 10;
  size_t max_trials = 300;  // That a model is made of; 0 = all.
};
GpOptions GpOptionsOf(const v1::SamplerConfig& config);

class GpSampler final : public Sampler {
 public:
  GpSampler(const GpOptions& options, uint32_t seed)
      : options_(options), random_(seed), independent_(seed), tracker_(false, false) {}
  // INVALID_ARGUMENT: more than three objectives.
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
  const GpOptions options_;
  RandomSource random_;
  RandomSource independent_;
  SpaceTracker tracker_;
  // Each model's parameters (weights, scale, noise), where its next fit begins: the objectives',
  // then the constraints'.
  std::vector<std::vector<double>> fitted_;
};

}  // namespace vlm::search
