#include "client/study_data.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/resources.h"

namespace vlm::client {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

size_t IndexOf(const std::vector<insight::PlotParam>& params, const std::string& name) {
  const auto at = std::find_if(params.begin(), params.end(),
                               [&](const insight::PlotParam& p) { return p.name == name; });
  return static_cast<size_t>(at - params.begin());
}

// What the trial's range says about the axis; choices of several ranges are united.
void Extend(const v1::Distribution& distribution, insight::PlotParam* axis) {
  axis->log = distribution.float_distribution().log() || distribution.int_distribution().log();
  axis->whole = distribution.has_int_distribution();
  for (const v1::ParamValue& choice : distribution.categorical_distribution().choices()) {
    const std::string text = ParamText(choice);
    if (std::find(axis->choices.begin(), axis->choices.end(), text) == axis->choices.end()) {
      axis->choices.push_back(text);
    }
  }
}

std::vector<insight::PlotParam> AxesOf(const std::vector<v1::Trial>& trials) {
  std::vector<insight::PlotParam> axes;
  for (const v1::Trial& trial : trials) {
    for (const v1::Param& param : trial.params()) {
      const size_t index = IndexOf(axes, param.name());
      if (index == axes.size()) axes.push_back({param.name()});
      Extend(param.distribution(), &axes[index]);
    }
  }
  return axes;
}

double Place(const insight::PlotParam& axis, const v1::ParamValue& value) {
  if (!axis.choices.empty()) {
    const auto at = std::find(axis.choices.begin(), axis.choices.end(), ParamText(value));
    return at == axis.choices.end() ? kNone : static_cast<double>(at - axis.choices.begin());
  }
  if (value.has_float_value()) return value.float_value();
  return value.has_int_value() ? static_cast<double>(value.int_value()) : kNone;
}

absl::Status Choose(const std::vector<std::string>& names, std::vector<insight::PlotParam>* axes) {
  if (names.empty()) return absl::OkStatus();
  std::vector<insight::PlotParam> chosen;
  for (const std::string& name : names) {
    const size_t index = IndexOf(*axes, name);
    if (index == axes->size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "no ended trial has a parameter \"", name, "\"; there are ",
          absl::StrJoin(*axes, ", ", [](std::string* out, const insight::PlotParam& p) {
            absl::StrAppend(out, p.name);
          })));
    }
    chosen.push_back((*axes)[index]);
  }
  *axes = std::move(chosen);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<StudyData> ReadStudy(Session& session, const std::string& name) {
  StudyData out;
  v1::GetStudyRequest get;
  get.set_study(name);
  ASSIGN_OR_RETURN(const auto found, session.Call(&ControlStub::GetStudy, get));
  out.study = found.study();
  out.spec = found.spec();
  v1::ListTrialsRequest list;
  list.set_study(out.study.name());
  do {
    ASSIGN_OR_RETURN(const auto page, session.Call(&ControlStub::ListTrials, list));
    out.trials.insert(out.trials.end(), page.trials().begin(), page.trials().end());
    list.set_page_token(page.next_page_token());
  } while (!list.page_token().empty());
  return out;
}

insight::TrialMark MarkOf(const v1::Study& study, const v1::Trial& trial) {
  if (trial.state() == v1::TRIAL_STATE_PRUNED) return insight::TrialMark::kPruned;
  if (trial.state() == v1::TRIAL_STATE_FAIL) return insight::TrialMark::kFailed;
  if (trial.state() == v1::TRIAL_STATE_COMPLETE && trial.infeasible()) {
    return insight::TrialMark::kInfeasible;
  }
  const bool best = study.has_best_value() && study.best_trial_number() == trial.number() &&
                    trial.state() == v1::TRIAL_STATE_COMPLETE;
  return best ? insight::TrialMark::kBest : insight::TrialMark::kNormal;
}

std::string ObjectiveName(const v1::Study& study, int objective) {
  if (objective < study.metrics_size()) return study.metrics(objective);
  if (study.directions_size() > 1) return absl::StrCat("objective ", objective);
  return study.metric().empty() ? "value" : study.metric();
}

absl::StatusOr<insight::StudyPlot> ToPlot(const StudyData& data, const PlotChoice& choice) {
  insight::StudyPlot plot;
  plot.title = absl::StrCat("study ", data.study.name());
  std::vector<v1::Trial> ended;
  for (const v1::Trial& trial : data.trials) {
    if (IsEnd(trial.state())) ended.push_back(trial);
  }
  plot.params = AxesOf(ended);
  RETURN_IF_ERROR(Choose(choice.params, &plot.params));
  for (int i = 0; i < std::max(1, data.study.directions_size()); ++i) {
    plot.objectives.push_back({ObjectiveName(data.study, i), choice.log_values});
    plot.maximize.push_back(i < data.study.directions_size() &&
                            data.study.directions(i) == v1::DIRECTION_MAXIMIZE);
  }
  for (const v1::Trial& trial : ended) {
    insight::PlotTrial& out = plot.trials.emplace_back();
    out.number = trial.number();
    out.mark = MarkOf(data.study, trial);
    out.values.assign(trial.values().begin(), trial.values().end());
    out.params.assign(plot.params.size(), kNone);
    for (const v1::Param& param : trial.params()) {
      const size_t index = IndexOf(plot.params, param.name());
      if (index < plot.params.size()) out.params[index] = Place(plot.params[index], param.value());
    }
  }
  return plot;
}

}  // namespace vlm::client
