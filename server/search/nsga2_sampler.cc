#include "server/search/nsga2_sampler.h"

#include <algorithm>
#include <limits>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/search/niching.h"
#include "server/search/population.h"

namespace vlm::search {
namespace {

const TrialView& TrialOf(const StudyView& study, int64_t number) {
  return (*study.trials)[static_cast<size_t>(number)];
}

double ValueOf(const TrialView& trial, const std::string& name) {
  return *trial.params().Find(name);  // The name is in the intersection of all COMPLETE trials.
}

}  // namespace

Nsga2Options Nsga2OptionsOf(const v1::SamplerConfig& config) {
  Nsga2Options options;
  if (config.population_size() > 0) {
    options.population_size = static_cast<size_t>(std::max<int64_t>(2, config.population_size()));
  }
  options.niches = config.name() == "nsga3";
  if (config.dividing_parameter() > 0) {
    options.divisions = static_cast<size_t>(config.dividing_parameter());
  }
  for (const v1::ReferencePoint& point : config.reference_points()) {
    options.reference_points.emplace_back(point.coordinates().begin(), point.coordinates().end());
  }
  options.crossover_prob = config.crossover_prob();
  options.swapping_prob = config.swapping_prob();
  if (config.has_mutation_prob()) options.mutation_prob = config.mutation_prob();
  return options;
}

// The newest generation with COMPLETE trials, or the one after it when that is full.
int64_t Nsga2Sampler::NextGeneration(const StudyView& study) {
  int64_t newest = 0;
  size_t count = 0;
  for (const auto& [number, generation] : generation_of_) {
    if (TrialOf(study, number).state() != v1::TRIAL_STATE_COMPLETE || generation < newest) continue;
    count = generation > newest ? 1 : count + 1;
    newest = generation;
  }
  std::erase_if(generation_of_, [newest](const auto& entry) { return entry.second < newest; });
  parents_.erase(parents_.begin(), parents_.lower_bound(newest));
  return count < options_.population_size ? newest : newest + 1;
}

Nsga2Sampler::Numbers Nsga2Sampler::Population(const StudyView& study, int64_t generation) const {
  Numbers numbers;
  for (const auto& [number, own] : generation_of_) {
    if (own == generation && TrialOf(study, number).state() == v1::TRIAL_STATE_COMPLETE) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

Nsga2Sampler::Numbers Nsga2Sampler::Elite(const StudyView& study, const Numbers& population) {
  std::vector<const TrialView*> trials;
  for (int64_t number : population) trials.push_back(&TrialOf(study, number));
  Numbers elite;
  for (std::vector<const TrialView*>& rank : RankPopulation(trials, study.directions)) {
    const size_t room = options_.population_size - elite.size();
    if (rank.size() < room) {
      for (const TrialView* trial : rank) elite.push_back(trial->number());
      continue;
    }
    if (options_.niches) {
      LossRows rows;
      const auto add = [&rows](const TrialView& trial) {
        rows.emplace_back(trial.values().begin(), trial.values().end());
      };
      for (int64_t number : elite) add(TrialOf(study, number));
      for (const TrialView* trial : rank) add(*trial);
      LossRows& references = options_.reference_points;
      if (references.empty()) references = MakeReferencePoints(rows[0].size(), options_.divisions);
      for (size_t i : SelectByNiches(std::move(rows), elite.size(), room, references, random_)) {
        elite.push_back(rank[i]->number());
      }
    } else {
      SortByCrowding(rank);
      for (size_t i = 0; i < room; ++i) elite.push_back(rank[i]->number());
    }
    break;
  }
  return elite;
}

Nsga2Sampler::Numbers Nsga2Sampler::Parents(const StudyView& study, int64_t generation) {
  if (generation == 0) return {};
  if (const auto known = parents_.find(generation); known != parents_.end()) return known->second;
  Numbers population = Population(study, generation - 1);
  const Numbers before = Parents(study, generation - 1);
  population.insert(population.end(), before.begin(), before.end());
  const Numbers elite = Elite(study, population);
  Numbers& kept = parents_[generation];
  kept = elite;
  std::sort(kept.begin(), kept.end());
  return elite;
}

int64_t Nsga2Sampler::Tournament(const StudyView& study, const Numbers& parents, bool constrained) {
  const auto size = static_cast<uint32_t>(parents.size());
  const int64_t first = parents[random_.Below(size)];
  const int64_t second = parents[random_.Below(size)];
  return Dominates(TrialOf(study, first), TrialOf(study, second), study.directions, constrained)
             ? first
             : second;
}

// Each name from one of two parents; categories are drawn before numbers.
InternalParams Nsga2Sampler::Cross(const StudyView& study, const Numbers& parents,
                                   const Space& space) {
  const bool constrained = std::any_of(parents.begin(), parents.end(), [&](int64_t number) {
    return !TrialOf(study, number).constraints().empty();
  });
  const int64_t first = Tournament(study, parents, constrained);
  Numbers others = parents;
  std::erase(others, first);
  const int64_t second = Tournament(study, others, constrained);
  InternalParams child;
  for (const bool categorical : {true, false}) {
    for (const v1::SearchParam& param : space) {
      const v1::Distribution& distribution = param.distribution();
      if (distribution.has_categorical_distribution() != categorical) continue;
      const bool swaps = random_.Double() >= options_.swapping_prob;
      const double value = ValueOf(TrialOf(study, swaps ? second : first), param.name());
      child[param.name()] =
          categorical ? value : FromScale(distribution, ToScale(distribution, value));
    }
  }
  return child;
}

absl::StatusOr<InternalParams> Nsga2Sampler::SampleRelative(const StudyView& study, int64_t number,
                                                            const Space& space) {
  const int64_t generation = NextGeneration(study);
  generation_of_[number] = generation;
  const Numbers parents = Parents(study, generation);
  InternalParams out;
  if (parents.empty()) return out;
  Space shared = tracker_.Intersection();
  std::erase_if(shared, [&](const v1::SearchParam& param) {
    return std::none_of(space.begin(), space.end(),
                        [&](const auto& known) { return known.name() == param.name(); });
  });
  InternalParams child;
  const bool crossed = random_.Double() < options_.crossover_prob;
  if (crossed) {
    child = Cross(study, parents, shared);
  } else {
    const int64_t parent = parents[random_.Below(static_cast<uint32_t>(parents.size()))];
    for (const v1::SearchParam& param : shared) {
      child[param.name()] = ValueOf(TrialOf(study, parent), param.name());
    }
  }
  const double mutation =
      options_.mutation_prob.value_or(1.0 / std::max(1.0, static_cast<double>(child.size())));
  // A child of two parents has its categories first, as they were crossed first.
  for (const bool categorical : {true, false}) {
    for (const v1::SearchParam& param : shared) {
      const bool is = param.distribution().has_categorical_distribution();
      if (crossed ? is != categorical : !categorical) continue;
      if (random_.Double() >= mutation) out[param.name()] = child[param.name()];
    }
  }
  return out;
}

std::string Nsga2Sampler::State() const {
  std::string state = absl::StrCat(random_.State(), ";", startup_.State(), ";");
  absl::StrAppend(&state, absl::StrJoin(generation_of_, ",", absl::PairFormatter(":")));
  for (const auto& [generation, numbers] : parents_) {
    absl::StrAppend(&state, ";", generation, ":", absl::StrJoin(numbers, ","));
  }
  return state;
}

absl::Status Nsga2Sampler::Restore(const std::string& state) {
  const absl::Status bad = absl::DataLossError("not the state of an NSGA-II sampler");
  const std::vector<std::string> parts = absl::StrSplit(state, ';');
  if (parts.size() < 3 || !random_.Restore(parts[0]) || !startup_.Restore(parts[1])) return bad;
  generation_of_.clear();
  parents_.clear();
  for (absl::string_view entry : absl::StrSplit(parts[2], ',', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> pair = absl::StrSplit(entry, ':');
    int64_t number = 0;
    if (!absl::SimpleAtoi(pair.first, &number) ||
        !absl::SimpleAtoi(pair.second, &generation_of_[number])) {
      return bad;
    }
  }
  for (size_t i = 3; i < parts.size(); ++i) {
    const std::pair<std::string, std::string> pair = absl::StrSplit(parts[i], ':');
    int64_t generation = 0;
    if (!absl::SimpleAtoi(pair.first, &generation)) return bad;
    for (absl::string_view text : absl::StrSplit(pair.second, ',', absl::SkipEmpty())) {
      if (!absl::SimpleAtoi(text, &parents_[generation].emplace_back())) return bad;
    }
  }
  return absl::OkStatus();
}

}  // namespace vlm::search
