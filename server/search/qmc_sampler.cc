#include "server/search/qmc_sampler.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/hash.h"
#include "server/search/qmc_sequence.h"

namespace vlm::search {
namespace {

Space SpaceOf(const TrialView& trial) {
  const auto params = trial.params();
  Space space(params.size());
  for (size_t i = 0; i < space.size(); ++i) {
    space[i].set_name(params[i].name);
    *space[i].mutable_distribution() = params[i].distribution;
  }
  return space;
}

// The same for any order of the names.
std::string Fingerprint(const Space& space) {
  std::vector<std::string> parts;
  for (const v1::SearchParam& param : space) parts.push_back(param.SerializeAsString());
  std::sort(parts.begin(), parts.end());
  std::string bytes;
  for (const std::string& part : parts) absl::StrAppend(&bytes, part.size(), ":", part);
  return Sha256(bytes).substr(0, 16);
}

}  // namespace

void QmcSampler::Observe(const StudyView& study, int64_t number) {
  const v1::TrialState state = (*study.trials)[static_cast<size_t>(number)].state();
  if (state != v1::TRIAL_STATE_COMPLETE && state != v1::TRIAL_STATE_PRUNED) return;
  if (first_ < 0 || number < first_) first_ = number;
}

// The space of the first trial that ended; before, of all that run.
Space QmcSampler::Infer(const StudyView& study, int64_t number) const {
  if (first_ >= 0) return SpaceOf((*study.trials)[static_cast<size_t>(first_)]);
  Space all;
  for (const TrialView& trial : *study.trials) {
    if (trial.state() != v1::TRIAL_STATE_RUNNING || trial.number() == number) continue;
    for (v1::SearchParam& param : SpaceOf(trial)) {
      const auto known = std::find_if(all.begin(), all.end(), [&](const v1::SearchParam& other) {
        return other.name() == param.name();
      });
      if (known == all.end()) {
        all.push_back(std::move(param));
      } else {
        *known = std::move(param);
      }
    }
  }
  return all;
}

absl::StatusOr<std::vector<double>> QmcSampler::Point(size_t dimensions, uint64_t index) const {
  if (halton_) return HaltonSequence(dimensions, scramble_, seed_).At(index);
  if (dimensions > kMaxSobolDimensions) {
    return absl::FailedPreconditionError(absl::StrCat("a Sobol sequence has at most ",
                                                      kMaxSobolDimensions, " dimensions here, not ",
                                                      dimensions, "; use qmc_type: halton"));
  }
  if (index >= 1U << 30) return absl::OutOfRangeError("all 2^30 points of the sequence are used");
  return SobolSequence(dimensions, scramble_, seed_).At(index);
}

absl::StatusOr<InternalParams> QmcSampler::SampleRelative(const StudyView& study, int64_t number,
                                                          const Space& space) {
  Space inferred = Infer(study, number);
  std::erase_if(inferred, [&](const v1::SearchParam& param) {
    return std::none_of(space.begin(), space.end(),
                        [&](const auto& known) { return known.name() == param.name(); });
  });
  InternalParams out;
  if (inferred.empty()) return out;
  auto point = Point(inferred.size(), used_[Fingerprint(inferred)]++);
  if (!point.ok()) return point.status();
  for (size_t i = 0; i < inferred.size(); ++i) {
    out[inferred[i].name()] = AtQuantile(inferred[i].distribution(), (*point)[i]);
  }
  return out;
}

std::string QmcSampler::State() const {
  std::string state = random_.State();
  for (const auto& [space, count] : used_) absl::StrAppend(&state, ";", space, "=", count);
  return state;
}

absl::Status QmcSampler::Restore(const std::string& state) {
  const absl::Status bad = absl::DataLossError("not the state of a QMC sampler");
  const std::vector<std::string> parts = absl::StrSplit(state, ';');
  if (!random_.Restore(parts[0])) return bad;
  used_.clear();
  for (size_t i = 1; i < parts.size(); ++i) {
    const std::pair<std::string, std::string> field = absl::StrSplit(parts[i], '=');
    if (!absl::SimpleAtoi(field.second, &used_[field.first])) return bad;
  }
  return absl::OkStatus();
}

}  // namespace vlm::search
