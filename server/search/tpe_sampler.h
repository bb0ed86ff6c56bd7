// TPE with the defaults and the arithmetic of Optuna 5 for one objective
// (optuna/samplers/_tpe/sampler.py): joint sampling, constant liar, own random start-up points.
#pragma once

#include "server/search/random_sampler.h"

namespace vlm::search {

// Numbers of the trials that are good ("below") and the others, each in number order.
struct TpeSplit {
  std::vector<int64_t> below;
  std::vector<int64_t> above;
};
// `number` itself is left out; RUNNING trials count as bad ones with `constant_liar`.
TpeSplit SplitTrials(const StudyView& study, int64_t number, bool constant_liar);

class TpeSampler final : public Sampler {
 public:
  TpeSampler(const v1::SamplerConfig& config, uint32_t seed)
      : config_(config), random_(seed), startup_(seed) {}
  absl::StatusOr<InternalParams> SampleRelative(const StudyView& study, int64_t number,
                                                const Space& space) override;
  absl::StatusOr<double> SampleIndependent(const StudyView& study, int64_t number,
                                           const std::string& name,
                                           const v1::Distribution& distribution) override;
  std::string State() const override;
  absl::Status Restore(const std::string& state) override;

 private:
  bool StartingUp(const StudyView& study) const;
  InternalParams SampleFrom(const StudyView& study, int64_t number, const Space& space);

  v1::SamplerConfig config_;
  RandomSource random_;
  RandomSource startup_;
};

}  // namespace vlm::search
