#include "server/search/grid_sampler.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "server/search/finite_range.h"
#include "server/search/space_tracker.h"

namespace vlm::search {

absl::Status GridSampler::Build(const StudyView& study, const Space& space) {
  size_t size = 1;
  for (const v1::SearchParam& param : space) {
    auto values = FiniteValues(param.name(), param.distribution());
    if (!values.ok()) return values.status();
    size *= values->size();
    if (size > kMaxGrid) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the grid has more than ", kMaxGrid, " combinations; use larger steps or random"));
    }
    axes_.push_back({param.name(), *std::move(values)});
  }
  std::sort(axes_.begin(), axes_.end(), [](auto& a, auto& b) { return a.name < b.name; });
  order_.resize(size);
  std::iota(order_.begin(), order_.end(), 0U);
  // A restored stream has shuffled already; the same shuffle comes from its start.
  RandomSource start(random_.seed());
  RandomSource& source = restored_ ? start : random_;
  for (size_t i = size; i-- > 1;) {
    std::swap(order_[i], order_[source.Below(static_cast<uint32_t>(i + 1))]);
  }
  place_of_.resize(size);
  for (size_t i = 0; i < size; ++i) place_of_[order_[i]] = static_cast<uint32_t>(i);
  taken_.assign(size, false);
  left_ = size;
  built_ = true;
  for (const TrialView& trial : *study.trials) Take(trial);
  return absl::OkStatus();
}

// Marks what the trial has tried, is trying, or failed with.
void GridSampler::Take(const TrialView& trial) {
  if (trial.state() == v1::TRIAL_STATE_UNSPECIFIED || trial.state() == v1::TRIAL_STATE_WAITING)
    return;
  size_t combination = 0;
  for (const Axis& axis : axes_) {
    const double* own = trial.params().Find(axis.name);
    if (own == nullptr) return;
    const auto value = std::lower_bound(axis.values.begin(), axis.values.end(), *own);
    if (value == axis.values.end() || *value != *own) return;
    combination =
        combination * axis.values.size() + static_cast<size_t>(value - axis.values.begin());
  }
  const size_t place = place_of_[combination];
  if (!taken_[place]) --left_;
  taken_[place] = true;
}

InternalParams GridSampler::At(size_t place) const {
  InternalParams params;
  size_t rest = order_[place];
  for (size_t i = axes_.size(); i-- > 0;) {
    params[axes_[i].name] = axes_[i].values[rest % axes_[i].values.size()];
    rest /= axes_[i].values.size();
  }
  return params;
}

void GridSampler::Observe(const StudyView& study, int64_t number) {
  if (built_) Take((*study.trials)[static_cast<size_t>(number)]);
}

absl::StatusOr<InternalParams> GridSampler::SampleRelative(const StudyView& study, int64_t number,
                                                           const Space& space) {
  if (!built_) {
    if (absl::Status built = Build(study, space); !built.ok()) return built;
  }
  if (left_ == 0) return absl::OutOfRangeError("all combinations of the grid have been tried");
  const auto own = static_cast<size_t>(number);
  if (own < taken_.size() && !taken_[own]) return At(own);
  size_t skip = random_.Below(static_cast<uint32_t>(left_));
  size_t place = 0;
  while (taken_[place] || skip-- > 0) ++place;
  return At(place);
}

absl::StatusOr<double> GridSampler::SampleIndependent(const StudyView&, const Suggested&,
                                                      const std::string& name,
                                                      const v1::Distribution&) {
  return absl::FailedPreconditionError(
      absl::StrCat(name, " is not in the grid: the search space has changed since it was made"));
}

absl::Status GridSampler::Restore(const std::string& state) {
  if (!random_.Restore(state)) return absl::DataLossError("not the state of a grid sampler");
  restored_ = random_.words() > 0;
  return absl::OkStatus();
}

}  // namespace vlm::search
