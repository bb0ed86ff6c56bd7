#include "server/search/gp_sampler.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "server/search/finite_range.h"
#include "server/search/gp_history.h"
#include "server/search/gp_models.h"
#include "server/search/gp_search.h"

namespace vlm::search {
namespace {

constexpr size_t kMaxObjectives = 3;  // The boxes of more would be too many.
// A range with more values than that is searched as if it had all; its sample is rounded.
constexpr double kMaxGrid = 64;

double CountValues(const v1::Distribution& distribution) {
  if (distribution.has_float_distribution()) {
    const auto& range = distribution.float_distribution();
    return range.has_step() ? (range.high() - range.low()) / range.step() + 1 : HUGE_VAL;
  }
  const auto& range = distribution.int_distribution();
  return (static_cast<double>(range.high()) - static_cast<double>(range.low())) /
             static_cast<double>(std::max<int64_t>(1, range.step())) +
         1;
}

gp::Axis AxisOf(const v1::SearchParam& param) {
  gp::Axis axis;
  axis.category = param.distribution().has_categorical_distribution();
  if (!axis.category && CountValues(param.distribution()) > kMaxGrid) return axis;
  const auto values = FiniteValues(param.name(), param.distribution());
  if (!values.ok()) return axis;
  for (double value : *values) {
    axis.grid.push_back(axis.category ? value : QuantileOf(param.distribution(), value));
  }
  return axis;
}

}  // namespace

GpOptions GpOptionsOf(const v1::SamplerConfig& config) {
  GpOptions options;
  options.n_startup_trials = static_cast<size_t>(std::max<int64_t>(0, config.n_startup_trials()));
  options.max_trials = static_cast<size_t>(std::max<int64_t>(0, config.max_trials()));
  return options;
}

void GpSampler::Observe(const StudyView& study, int64_t number) {
  tracker_.Observe((*study.trials)[static_cast<size_t>(number)]);
}

absl::StatusOr<InternalParams> GpSampler::SampleRelative(const StudyView& study, int64_t number,
                                                         const Space& space) {
  if (study.directions.size() > kMaxObjectives) {
    return absl::InvalidArgumentError(absl::StrCat("gp takes up to ", kMaxObjectives,
                                                   " objectives, not ", study.directions.size(),
                                                   "; use tpe or nsga3 for more"));
  }
  Space shared = tracker_.Intersection();
  std::erase_if(shared, [&](const v1::SearchParam& param) {
    return std::none_of(space.begin(), space.end(),
                        [&](const auto& known) { return known.name() == param.name(); });
  });
  InternalParams out;
  if (shared.empty()) return out;
  const gp::History history = gp::ReadHistory(study, number, shared, options_.max_trials);
  if (history.complete < std::max<size_t>(1, options_.n_startup_trials)) return out;
  std::vector<gp::Axis> axes;
  gp::Categories categories;
  for (const v1::SearchParam& param : shared) {
    axes.push_back(AxisOf(param));
    categories.push_back(axes.back().category);
  }
  const gp::Acquisition acquisition = gp::MakeAcquisition(history, categories, &fitted_, random_);
  const gp::SearchOptions search;
  const gp::Points starts = gp::BestPoints(history, search.searches / 2, random_);
  const gp::VectorXd best = gp::MaximizeAcquisition(acquisition, axes, starts, search, random_);
  for (size_t i = 0; i < shared.size(); ++i) {
    const double place = best[static_cast<Eigen::Index>(i)];
    out[shared[i].name()] = categories[i] ? place : AtQuantile(shared[i].distribution(), place);
  }
  return out;
}

std::string GpSampler::State() const {
  std::string state = absl::StrCat(random_.State(), ";", independent_.State());
  for (const std::vector<double>& params : fitted_) {
    absl::StrAppend(&state, ";", absl::StrJoin(params, ",", [](std::string* text, double value) {
      absl::StrAppendFormat(text, "%.17g", value);
    }));
  }
  return state;
}

absl::Status GpSampler::Restore(const std::string& state) {
  const absl::Status bad = absl::DataLossError("not the state of a Gaussian process sampler");
  const std::vector<std::string> parts = absl::StrSplit(state, ';');
  if (parts.size() < 2 || !random_.Restore(parts[0]) || !independent_.Restore(parts[1])) {
    return bad;
  }
  fitted_.clear();
  for (size_t i = 2; i < parts.size(); ++i) {
    std::vector<double>& params = fitted_.emplace_back();
    for (absl::string_view text : absl::StrSplit(parts[i], ',', absl::SkipEmpty())) {
      double value = 0;
      if (!absl::SimpleAtod(text, &value) || !(value > 0)) return bad;
      params.push_back(value);
    }
  }
  return absl::OkStatus();
}

}  // namespace vlm::search
