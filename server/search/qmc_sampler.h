// Quasi-Monte Carlo: the points of a Sobol or Halton sequence one after another, with the numbers
// of Optuna and SciPy (optuna/samplers/_qmc.py). The first trial is random; its names are the
// space.
#pragma once

#include "server/search/random_sampler.h"

namespace vlm::search {

class QmcSampler final : public Sampler {
 public:
  QmcSampler(bool halton, bool scramble, uint32_t seed)
      : halton_(halton), scramble_(scramble), seed_(seed), random_(seed) {}
  // FAILED_PRECONDITION: more names than a Sobol sequence has dimensions here.
  absl::StatusOr<InternalParams> SampleRelative(const StudyView& study, int64_t number,
                                                const Space& space) override;
  absl::StatusOr<double> SampleIndependent(const StudyView&, const Suggested&, const std::string&,
                                           const v1::Distribution& distribution) override {
    return SampleUniform(distribution, random_);
  }
  void Observe(const StudyView& study, int64_t number) override;
  std::string State() const override;
  absl::Status Restore(const std::string& state) override;

 private:
  Space Infer(const StudyView& study, int64_t number) const;
  absl::StatusOr<std::vector<double>> Point(size_t dimensions, uint64_t index) const;

  const bool halton_;
  const bool scramble_;
  const uint32_t seed_;
  RandomSource random_;
  int64_t first_ = -1;  // Lowest number of a COMPLETE or PRUNED trial.
  // Points used so far, by a fingerprint of the space.
  absl::btree_map<std::string, uint64_t> used_;
};

}  // namespace vlm::search
