#include "server/search/tpe_sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "google/protobuf/util/message_differencer.h"
#include "server/search/parzen.h"

namespace vlm::search {
namespace {

using google::protobuf::util::MessageDifferencer;

bool IsFinished(const TrialView& trial) {
  return trial.state == v1::TRIAL_STATE_COMPLETE || trial.state == v1::TRIAL_STATE_PRUNED;
}

bool SingleValued(const v1::Distribution& d) {
  if (d.has_categorical_distribution()) return d.categorical_distribution().choices_size() <= 1;
  if (d.has_int_distribution()) return d.int_distribution().low() == d.int_distribution().high();
  return d.float_distribution().low() == d.float_distribution().high();
}

// Names that every finished trial drew from an equal range, sorted.
Space Intersection(const StudyView& study, const Space& space) {
  Space out;
  for (const v1::SearchParam& searched : space) {
    if (SingleValued(searched.distribution())) continue;
    const bool everywhere =
        std::all_of(study.trials->begin(), study.trials->end(), [&](const TrialView& trial) {
          if (!IsFinished(trial)) return true;
          for (size_t i = 0; i < trial.params.size(); ++i) {
            if (trial.params[i].first == searched.name()) {
              return MessageDifferencer::Equals(trial.distributions[i], searched.distribution());
            }
          }
          return false;
        });
    if (everywhere) out.push_back(searched);
  }
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return a.name() < b.name(); });
  return out;
}

// Observations of the trials that have every name of the space.
std::vector<std::vector<double>> Observe(const StudyView& study, const Space& space,
                                         const std::vector<int64_t>& numbers) {
  std::vector<std::vector<double>> out;
  for (int64_t number : numbers) {
    const TrialView& trial = (*study.trials)[static_cast<size_t>(number)];
    std::vector<double> row;
    for (const v1::SearchParam& searched : space) {
      for (const auto& [name, value] : trial.params) {
        if (name == searched.name()) row.push_back(value);
      }
    }
    if (row.size() == space.size()) out.push_back(std::move(row));
  }
  return out;
}

}  // namespace

bool TpeSampler::StartingUp(const StudyView& study) const {
  const auto finished = std::count_if(study.trials->begin(), study.trials->end(), IsFinished);
  return finished < config_.n_startup_trials();
}

InternalParams TpeSampler::SampleFrom(const StudyView& study, int64_t number, const Space& space) {
  const TpeSplit split = SplitTrials(study, number, config_.constant_liar());
  const ParzenEstimator below(space, Observe(study, space, split.below));
  const ParzenEstimator above(space, Observe(study, space, split.above));
  const auto candidates =
      below.Sample(random_, static_cast<size_t>(std::max<int64_t>(1, config_.n_ei_candidates())));
  size_t best = 0;
  double highest = -std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < candidates.size(); ++i) {
    const double gain = below.LogDensity(candidates[i]) - above.LogDensity(candidates[i]);
    if (gain > highest) {
      highest = gain;
      best = i;
    }
  }
  InternalParams out;
  for (size_t j = 0; j < space.size(); ++j) out[space[j].name()] = candidates[best][j];
  return out;
}

absl::StatusOr<InternalParams> TpeSampler::SampleRelative(const StudyView& study, int64_t number,
                                                          const Space& space) {
  const bool joint = config_.has_multivariate() ? config_.multivariate() : true;
  if (!joint || StartingUp(study)) return InternalParams{};
  const Space common = Intersection(study, space);
  if (common.empty()) return InternalParams{};
  return SampleFrom(study, number, common);
}

absl::StatusOr<double> TpeSampler::SampleIndependent(const StudyView& study, int64_t number,
                                                     const std::string& name,
                                                     const v1::Distribution& distribution) {
  if (SingleValued(distribution)) {
    if (distribution.has_categorical_distribution()) return 0.0;
    return distribution.has_int_distribution()
               ? static_cast<double>(distribution.int_distribution().low())
               : distribution.float_distribution().low();
  }
  if (StartingUp(study)) return SampleUniform(distribution, startup_);
  v1::SearchParam one;
  one.set_name(name);
  *one.mutable_distribution() = distribution;
  return SampleFrom(study, number, {one}).at(name);
}

std::string TpeSampler::State() const { return random_.State() + "\n" + startup_.State(); }

absl::Status TpeSampler::Restore(const std::string& state) {
  const size_t line = state.find('\n');
  if (line == std::string::npos || !random_.Restore(state.substr(0, line)) ||
      !startup_.Restore(state.substr(line + 1))) {
    return absl::DataLossError("not the state of a TPE sampler");
  }
  return absl::OkStatus();
}

}  // namespace vlm::search
