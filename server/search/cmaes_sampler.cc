#include "server/search/cmaes_sampler.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace vlm::search {

CmaesOptions CmaesOptionsOf(const v1::SamplerConfig& config) {
  CmaesOptions options;
  options.n_startup_trials = static_cast<size_t>(std::max<int64_t>(0, config.n_startup_trials()));
  if (config.population_size() > 0) {
    options.population_size = static_cast<size_t>(std::max<int64_t>(2, config.population_size()));
  }
  options.sigma0 = config.sigma0();
  options.separable = config.separable();
  return options;
}

void CmaesSampler::Observe(const StudyView& study, int64_t number) {
  const TrialView& trial = (*study.trials)[static_cast<size_t>(number)];
  tracker_.Observe(trial);
  const auto index = static_cast<size_t>(number);
  if (complete_.size() <= index) complete_.resize(index + 1);
  if (complete_[index] || trial.state() != v1::TRIAL_STATE_COMPLETE) return;
  complete_[index] = true;
  ++completed_;
}

void CmaesSampler::MakeOptimizer(size_t dimensions) {
  CmaEs::Options options;
  options.dimensions = dimensions;
  if (options_.sigma0 > 0) options.sigma = options_.sigma0;
  options.population_size = options_.population_size;
  options.separable = options_.separable;
  optimizer_.emplace(options);
}

// A generation ends when as many of its trials are COMPLETE as the population has.
void CmaesSampler::TellIfFull(const StudyView& study, const Space& space) {
  const bool maximize = !study.directions.empty() && study.directions[0] == v1::DIRECTION_MAXIMIZE;
  std::vector<CmaEs::Solution> solutions;
  for (const auto& [number, generation] : generation_of_) {
    const TrialView& trial = (*study.trials)[static_cast<size_t>(number)];
    if (trial.state() != v1::TRIAL_STATE_COMPLETE || trial.values().size() != 1) continue;
    if (solutions.size() == optimizer_->population_size()) break;
    CmaEs::Solution& solution = solutions.emplace_back();
    solution.loss = maximize ? -trial.values()[0] : trial.values()[0];
    for (const v1::SearchParam& param : space) {
      const double value = *trial.params().Find(param.name());
      solution.x.push_back(QuantileOf(param.distribution(), value));
    }
  }
  if (solutions.size() < optimizer_->population_size()) return;
  optimizer_->Tell(std::move(solutions));
  generation_of_.clear();  // Those that still run belong to a generation that is over.
}

absl::StatusOr<InternalParams> CmaesSampler::SampleRelative(const StudyView& study, int64_t number,
                                                            const Space& space) {
  if (study.directions.size() > 1) {
    return absl::InvalidArgumentError("cmaes takes one objective; use tpe or nsga2 for several");
  }
  Space numeric = tracker_.Intersection();
  std::erase_if(numeric, [&](const v1::SearchParam& param) {
    return param.distribution().has_categorical_distribution() ||
           std::none_of(space.begin(), space.end(),
                        [&](const auto& known) { return known.name() == param.name(); });
  });
  InternalParams out;
  if (numeric.empty() || completed_ < options_.n_startup_trials) return out;
  if (!optimizer_) {
    MakeOptimizer(numeric.size());
    random_.Below(2147483645);  // Optuna seeds the optimizer here.
  }
  if (optimizer_->dimensions() != numeric.size()) return out;  // The space has changed.
  TellIfFull(study, numeric);
  const uint32_t seed = 1 + random_.Below(65535) + static_cast<uint32_t>(number);
  const std::vector<double> x = optimizer_->Ask(seed);
  generation_of_[number] = optimizer_->generation();
  for (size_t i = 0; i < numeric.size(); ++i) {
    out[numeric[i].name()] = AtQuantile(numeric[i].distribution(), x[i]);
  }
  return out;
}

std::string CmaesSampler::State() const {
  std::string state = absl::StrCat(random_.State(), ";", independent_.State());
  if (!optimizer_) return state;
  absl::StrAppend(&state, ";", optimizer_->dimensions(), ";", optimizer_->State(), ";",
                  absl::StrJoin(generation_of_, ",", absl::PairFormatter(":")));
  return state;
}

absl::Status CmaesSampler::Restore(const std::string& state) {
  const absl::Status bad = absl::DataLossError("not the state of a CMA-ES sampler");
  const std::vector<std::string> parts = absl::StrSplit(state, ';');
  if ((parts.size() != 2 && parts.size() != 5) || !random_.Restore(parts[0]) ||
      !independent_.Restore(parts[1])) {
    return bad;
  }
  generation_of_.clear();
  optimizer_.reset();
  if (parts.size() == 2) return absl::OkStatus();
  size_t dimensions = 0;
  if (!absl::SimpleAtoi(parts[2], &dimensions) || dimensions == 0 || dimensions > 10000) return bad;
  MakeOptimizer(dimensions);
  if (!optimizer_->Restore(parts[3])) return bad;
  for (absl::string_view entry : absl::StrSplit(parts[4], ',', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> pair = absl::StrSplit(entry, ':');
    int64_t number = 0;
    if (!absl::SimpleAtoi(pair.first, &number) ||
        !absl::SimpleAtoi(pair.second, &generation_of_[number])) {
      return bad;
    }
  }
  return absl::OkStatus();
}

}  // namespace vlm::search
