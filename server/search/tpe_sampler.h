// TPE with the defaults and the arithmetic of Optuna 5 (optuna/samplers/_tpe/sampler.py): joint or
// independent sampling, groups, constant liar, constraints, several objectives. Equal seeds give
// equal choices. Histories are kept up to date, so a suggestion costs no walk over the trials.
#pragma once

#include <map>
#include <optional>

#include "server/search/parzen.h"
#include "server/search/random_sampler.h"
#include "server/search/space_tracker.h"
#include "server/search/tpe_history.h"

namespace vlm::search {

struct TpeOptions {
  size_t n_startup_trials = 10;
  size_t n_ei_candidates = 24;
  std::optional<bool> multivariate;  // Unset: with one objective, or with `group`.
  bool group = false;
  bool constant_liar = true;
  size_t max_above = 0;  // Newest trials that the density of the bad ones is made of; 0 = all.
  Argsort sort = Argsort::kStable;
};
TpeOptions TpeOptionsOf(const v1::SamplerConfig& config);

class TpeSampler final : public Sampler {
 public:
  TpeSampler(const TpeOptions& options, uint32_t seed)
      : options_(options),
        random_(seed),
        startup_(seed),
        history_(options.constant_liar, options.max_above),
        tracker_(true, options.group) {}
  absl::StatusOr<InternalParams> SampleRelative(const StudyView& study, int64_t number,
                                                const Space& space) override;
  absl::StatusOr<double> SampleIndependent(const StudyView& study, const Suggested& suggested,
                                           const std::string& name,
                                           const v1::Distribution& distribution) override;
  void Observe(const StudyView& study, int64_t number) override;
  std::string State() const override;
  absl::Status Restore(const std::string& state) override;

 private:
  // The two densities over a space, and up to where they know the history.
  struct Model {
    Space space;
    ParzenEstimator below;
    ParzenEstimator above;
    uint64_t changes = 0;
    bool filled = false;
  };

  bool StartingUp() const { return history_.finished() < options_.n_startup_trials; }
  bool Joint(const StudyView& study) const;
  InternalParams SampleFrom(const StudyView& study, int64_t number, const Space& space);
  Model& ModelOf(const StudyView& study, const Space& space);
  void Update(const StudyView& study, Model& model);
  bool Read(const StudyView& study, int64_t number, const Space& space,
            std::vector<double>* row) const;

  const TpeOptions options_;
  RandomSource random_;
  RandomSource startup_;
  TpeHistory history_;
  SpaceTracker tracker_;
  std::map<std::string, std::unique_ptr<Model>> models_;  // By names and ranges.
  // Relative samples of trials that run: other trials count them before they are all suggested.
  std::map<int64_t, InternalParams> relative_;
};

}  // namespace vlm::search
