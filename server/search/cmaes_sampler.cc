#include "server/search/cmaes_sampler.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace vlm::search {
namespace {

constexpr size_t kWarmTrials = 10;  // One of them is the best tenth.

double LossOf(const TrialView& trial, const StudyView& study) {
  const bool maximize = !study.directions.empty() && study.directions[0] == v1::DIRECTION_MAXIMIZE;
  return maximize ? -trial.values()[0] : trial.values()[0];
}

// Both ends of a number's range.
std::pair<double, double> Ends(const v1::Distribution& distribution) {
  if (distribution.has_float_distribution()) {
    return {distribution.float_distribution().low(), distribution.float_distribution().high()};
  }
  return {static_cast<double>(distribution.int_distribution().low()),
          static_cast<double>(distribution.int_distribution().high())};
}

// The distance of values as a part of the range; 0 = not discrete, or not evenly.
double StepOf(const v1::Distribution& distribution) {
  double step = 0;
  if (distribution.has_float_distribution()) {
    const auto& range = distribution.float_distribution();
    if (range.has_step() && !range.log()) step = range.step();
  } else if (!distribution.int_distribution().log()) {
    step = static_cast<double>(std::max<int64_t>(1, distribution.int_distribution().step()));
  }
  const auto [low, high] = Ends(distribution);
  return high - low >= step ? step / (high - low) : 0;
}

// Between the ends of the range, and back.
double SteppedPlace(const v1::Distribution& distribution, double value) {
  const auto [low, high] = Ends(distribution);
  return (value - low) / (high - low);
}
double SteppedValue(const v1::Distribution& distribution, double place) {
  const auto [low, high] = Ends(distribution);
  return FromScale(distribution, low + place * (high - low));
}

std::string JoinNumbers(const std::vector<double>& numbers) {
  return absl::StrJoin(numbers, " ",
                       [](std::string* out, double v) { absl::StrAppendFormat(out, "%.17g", v); });
}

bool SplitNumbers(absl::string_view text, std::vector<double>* numbers) {
  for (absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    if (!absl::SimpleAtod(word, &numbers->emplace_back())) return false;
  }
  return true;
}

}  // namespace

CmaesOptions CmaesOptionsOf(const v1::SamplerConfig& config) {
  CmaesOptions options;
  options.n_startup_trials = static_cast<size_t>(std::max<int64_t>(0, config.n_startup_trials()));
  if (config.population_size() > 0) {
    options.population_size = static_cast<size_t>(std::max<int64_t>(2, config.population_size()));
  }
  options.sigma0 = config.sigma0();
  options.separable = config.separable();
  options.margin = config.with_margin();
  options.warm_start = config.warm_start();
  if (options.warm_start)
    options.n_startup_trials = std::max(options.n_startup_trials, kWarmTrials);
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

// All that is known already, if it is to begin from there.
void CmaesSampler::MakeOptimizer(const StudyView& study, const Space& space) {
  CmaEs::Options options;
  options.dimensions = space.size();
  if (options_.sigma0 > 0) options.sigma = options_.sigma0;
  if (options_.margin) {
    for (const v1::SearchParam& param : space)
      options.steps.push_back(StepOf(param.distribution()));
  }
  std::vector<CmaEs::Solution> known;
  for (const TrialView& trial : *study.trials) {
    if (!options_.warm_start || trial.state() != v1::TRIAL_STATE_COMPLETE) continue;
    if (trial.values().size() != 1) continue;
    known.push_back({PlaceOf(trial, space), LossOf(trial, study)});
  }
  if (!known.empty()) {
    CmaStart start = WarmStart(std::move(known));
    options.mean = std::move(start.mean);
    options.sigma = start.sigma;
    options.covariance = std::move(start.covariance);
  }
  MakeOptimizer(std::move(options));
}

void CmaesSampler::MakeOptimizer(CmaEs::Options options) {
  options.population_size = options_.population_size;
  options.separable = options_.separable;
  optimizer_.emplace(options);
}

// In the cube. REQUIRES: the trial has all names, as COMPLETE ones have those that they share.
std::vector<double> CmaesSampler::PlaceOf(const TrialView& trial, const Space& space) const {
  std::vector<double> place;
  for (const v1::SearchParam& param : space) {
    const double value = *trial.params().Find(param.name());
    place.push_back(options_.margin && StepOf(param.distribution()) > 0
                        ? SteppedPlace(param.distribution(), value)
                        : QuantileOf(param.distribution(), value));
  }
  return place;
}

// A generation ends when as many of its trials are COMPLETE as the population has.
void CmaesSampler::TellIfFull(const StudyView& study, const Space& space) {
  std::vector<CmaEs::Solution> solutions;
  for (const auto& [number, drawn] : drawn_) {
    const TrialView& trial = (*study.trials)[static_cast<size_t>(number)];
    if (trial.state() != v1::TRIAL_STATE_COMPLETE || trial.values().size() != 1) continue;
    if (solutions.size() == optimizer_->population_size()) break;
    solutions.push_back({options_.margin ? drawn.x : PlaceOf(trial, space), LossOf(trial, study)});
  }
  if (solutions.size() < optimizer_->population_size()) return;
  optimizer_->Tell(std::move(solutions));
  drawn_.clear();  // Those that still run belong to a generation that is over.
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
    MakeOptimizer(study, numeric);
    random_.Below(2147483645);  // Optuna seeds the optimizer here.
  }
  if (optimizer_->dimensions() != numeric.size()) return out;  // The space has changed.
  TellIfFull(study, numeric);
  const uint32_t seed = 1 + random_.Below(65535) + static_cast<uint32_t>(number);
  const std::vector<double> x = optimizer_->Ask(seed);
  const std::vector<double> place = optimizer_->Encode(x);
  drawn_[number] = {optimizer_->generation(), options_.margin ? x : std::vector<double>()};
  for (size_t i = 0; i < numeric.size(); ++i) {
    const v1::Distribution& distribution = numeric[i].distribution();
    out[numeric[i].name()] = options_.margin && StepOf(distribution) > 0
                                 ? SteppedValue(distribution, place[i])
                                 : AtQuantile(distribution, place[i]);
  }
  return out;
}

std::string CmaesSampler::State() const {
  std::string state = absl::StrCat(random_.State(), ";", independent_.State());
  if (!optimizer_) return state;
  absl::StrAppend(&state, ";", optimizer_->dimensions(), ";", optimizer_->State(), ";",
                  absl::StrJoin(drawn_, ",", [](std::string* text, const auto& entry) {
                    absl::StrAppend(text, entry.first, ":", entry.second.generation,
                                    entry.second.x.empty() ? "" : ":", JoinNumbers(entry.second.x));
                  }));
  if (options_.margin) absl::StrAppend(&state, ";", JoinNumbers(optimizer_->steps()));
  return state;
}

absl::Status CmaesSampler::Restore(const std::string& state) {
  const absl::Status bad = absl::DataLossError("not the state of a CMA-ES sampler");
  const std::vector<std::string> parts = absl::StrSplit(state, ';');
  if ((parts.size() != 2 && parts.size() != (options_.margin ? 6 : 5)) ||
      !random_.Restore(parts[0]) || !independent_.Restore(parts[1])) {
    return bad;
  }
  drawn_.clear();
  optimizer_.reset();
  if (parts.size() == 2) return absl::OkStatus();
  CmaEs::Options options;
  if (!absl::SimpleAtoi(parts[2], &options.dimensions) || options.dimensions == 0 ||
      options.dimensions > 10000) {
    return bad;
  }
  if (options_.margin &&
      (!SplitNumbers(parts[5], &options.steps) || options.steps.size() != options.dimensions)) {
    return bad;
  }
  MakeOptimizer(std::move(options));
  if (!optimizer_->Restore(parts[3])) return bad;
  for (absl::string_view entry : absl::StrSplit(parts[4], ',', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(entry, ':');
    int64_t number = 0;
    if (fields.size() != (options_.margin ? 3 : 2) || !absl::SimpleAtoi(fields[0], &number)) {
      return bad;
    }
    Drawn& drawn = drawn_[number];
    if (!absl::SimpleAtoi(fields[1], &drawn.generation)) return bad;
    if (!options_.margin) continue;
    if (!SplitNumbers(fields[2], &drawn.x) || drawn.x.size() != optimizer_->dimensions())
      return bad;
  }
  return absl::OkStatus();
}

}  // namespace vlm::search
