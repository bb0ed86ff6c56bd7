// Uniform sampling with Optuna's transform (optuna/_transform.py, RandomSampler).
#pragma once

#include "server/search/random_source.h"
#include "server/search/sampler.h"

namespace vlm::search {

// One internal value: one draw for a number, as many draws as choices for a category.
double SampleUniform(const v1::Distribution& distribution, RandomSource& random);

// The internal value at a place in [0, 1) of the range, as Optuna scales it (a category by equal
// parts).
double AtQuantile(const v1::Distribution& distribution, double place);

// A number in the scale in which Optuna draws it (logarithmic or not), and from there back into its
// range, rounded and clipped. REQUIRES: not categorical.
double ToScale(const v1::Distribution& distribution, double value);
double FromScale(const v1::Distribution& distribution, double scaled);

// The place in [0, 1] of a number in its range: what AtQuantile takes.
double QuantileOf(const v1::Distribution& distribution, double value);

class RandomSampler final : public Sampler {
 public:
  explicit RandomSampler(uint32_t seed) : random_(seed) {}
  absl::StatusOr<InternalParams> SampleRelative(const StudyView&, int64_t, const Space&) override {
    return InternalParams{};
  }
  absl::StatusOr<double> SampleIndependent(const StudyView&, const Suggested&, const std::string&,
                                           const v1::Distribution& distribution) override {
    return SampleUniform(distribution, random_);
  }
  std::string State() const override { return random_.State(); }
  absl::Status Restore(const std::string& state) override {
    if (random_.Restore(state)) return absl::OkStatus();
    return absl::DataLossError("not the state of a random sampler");
  }

 private:
  RandomSource random_;
};

}  // namespace vlm::search
