#include "client/commands/study_plots.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/commands/study_analysis.h"
#include "client/study_data.h"
#include "insight/plot/distribution.h"

namespace vlm::client {
namespace {

struct StudyPlotArgs {
  std::string study;
  std::vector<std::string> more;  // Other studies.
  std::string out;
  std::vector<std::string> params;
  std::vector<int> objectives;
  std::string evaluator;
  int width = 960;
  int height = 540;
  bool log_values = false;
};

absl::StatusOr<size_t> Objective(const v1::Study& study, int number) {
  const int objectives = std::max(1, study.directions_size());
  if (number < 0 || number >= objectives) {
    return absl::InvalidArgumentError(absl::StrCat("--objective ", number, " is none of the ",
                                                   objectives, " of study ", study.name(),
                                                   " (they count from 0)"));
  }
  return static_cast<size_t>(number);
}

Result Done(Session& session, const StudyPlotArgs& args, size_t trials) {
  session.Note(absl::StrCat("plotted ", trials, " trials"));
  session.out() << args.out << "\n";
  return kDone;
}

struct Prepared {
  StudyData data;
  insight::StudyPlot plot;
  size_t objective = 0;
};

absl::StatusOr<Prepared> Prepare(Session& session, const StudyPlotArgs& args) {
  Prepared out;
  ASSIGN_OR_RETURN(out.data, ReadStudy(session, args.study));
  ASSIGN_OR_RETURN(out.objective,
                   Objective(out.data.study, args.objectives.empty() ? 0 : args.objectives[0]));
  ASSIGN_OR_RETURN(out.plot, ToPlot(out.data, {args.params, args.log_values}));
  out.plot.width = args.width;
  out.plot.height = args.height;
  return out;
}

Result Parallel(Session& session, const StudyPlotArgs& args) {
  ASSIGN_OR_RETURN(const Prepared p, Prepare(session, args));
  RETURN_IF_ERROR(insight::PlotParallel(p.plot, p.objective, args.out));
  return Done(session, args, p.plot.trials.size());
}

Result Slice(Session& session, const StudyPlotArgs& args) {
  ASSIGN_OR_RETURN(const Prepared p, Prepare(session, args));
  RETURN_IF_ERROR(insight::PlotSlice(p.plot, p.objective, args.out));
  return Done(session, args, p.plot.trials.size());
}

absl::StatusOr<v1::GetImportanceResponse> ReadImportance(Session& session,
                                                         const StudyPlotArgs& args) {
  v1::GetImportanceRequest request;
  request.set_study(args.study);
  if (!args.objectives.empty()) request.set_objective(args.objectives[0]);
  request.set_evaluator(EvaluatorOf(args.evaluator));
  return session.Call(&ControlStub::GetImportance, request);
}

// The two that matter most, or while that is not known the first two.
absl::StatusOr<std::vector<std::string>> TwoParams(Session& session, const StudyPlotArgs& args) {
  StudyPlotArgs one = args;
  if (one.objectives.empty()) one.objectives = {0};
  std::vector<std::string> names;
  if (const auto known = ReadImportance(session, one); known.ok()) {
    for (const auto& importance : known->importances()) names.push_back(importance.name());
  } else {
    ASSIGN_OR_RETURN(const Prepared all, Prepare(session, args));
    for (const insight::PlotParam& param : all.plot.params) names.push_back(param.name);
  }
  if (names.size() < 2) {
    return absl::FailedPreconditionError(
        absl::StrCat("a contour needs two parameters; the trials have ", names.size()));
  }
  names.resize(2);
  return names;
}

Result Contour(Session& session, const StudyPlotArgs& given) {
  StudyPlotArgs args = given;
  if (args.params.empty()) {
    ASSIGN_OR_RETURN(args.params, TwoParams(session, args));
  }
  if (args.params.size() != 2 || args.params[0] == args.params[1]) {
    return absl::InvalidArgumentError("a contour takes two different parameters: --param A,B");
  }
  ASSIGN_OR_RETURN(const Prepared p, Prepare(session, args));
  RETURN_IF_ERROR(insight::PlotContour(p.plot, p.objective, 0, 1, args.out));
  return Done(session, args, p.plot.trials.size());
}

Result Importance(Session& session, const StudyPlotArgs& args) {
  ASSIGN_OR_RETURN(const auto found, ReadImportance(session, args));
  std::vector<std::pair<std::string, double>> bars;
  for (const auto& one : found.importances()) bars.emplace_back(one.name(), one.value());
  insight::BarOptions options;
  options.title = absl::StrCat("study ", found.study().name());
  options.width = args.width;
  options.height = args.height;
  if (!args.objectives.empty()) {
    options.x_label =
        absl::StrCat("importance for ", ObjectiveName(found.study(), args.objectives[0]));
  }
  RETURN_IF_ERROR(insight::PlotBars(bars, options, args.out));
  return Done(session, args, static_cast<size_t>(found.trials()));
}

Result Pareto(Session& session, const StudyPlotArgs& args) {
  ASSIGN_OR_RETURN(const Prepared p, Prepare(session, args));
  if (p.plot.objectives.size() < 2) {
    return absl::FailedPreconditionError(
        absl::StrCat("study ", p.data.study.name(),
                     " has one objective and no front; see `vlmctl plot history`"));
  }
  std::vector<int> axes = args.objectives.empty() ? std::vector<int>{0, 1} : args.objectives;
  if (axes.size() != 2 || axes[0] == axes[1]) {
    return absl::InvalidArgumentError("a front takes two different objectives: --objective 0,1");
  }
  ASSIGN_OR_RETURN(const size_t x, Objective(p.data.study, axes[0]));
  ASSIGN_OR_RETURN(const size_t y, Objective(p.data.study, axes[1]));
  v1::BestTrialsRequest request;
  request.set_study(p.data.study.name());
  std::vector<int64_t> front;
  const bool any = std::any_of(p.data.trials.begin(), p.data.trials.end(), [](const auto& trial) {
    return trial.state() == v1::TRIAL_STATE_COMPLETE && !trial.infeasible();
  });
  if (any) {
    ASSIGN_OR_RETURN(const auto best, session.Call(&ControlStub::BestTrials, request));
    for (const v1::Trial& trial : best.trials()) front.push_back(trial.number());
  }
  RETURN_IF_ERROR(insight::PlotPareto(p.plot, x, y, front, args.out));
  return Done(session, args, p.plot.trials.size());
}

Result Edf(Session& session, const StudyPlotArgs& args) {
  std::vector<std::string> names = {args.study};
  names.insert(names.end(), args.more.begin(), args.more.end());
  insight::EdfOptions options;
  options.width = args.width;
  options.height = args.height;
  options.log_x = args.log_values;
  std::vector<insight::EdfSeries> series;
  size_t trials = 0;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const StudyData data, ReadStudy(session, name));
    ASSIGN_OR_RETURN(const size_t objective,
                     Objective(data.study, args.objectives.empty() ? 0 : args.objectives[0]));
    insight::EdfSeries one{data.study.name(), {}};
    for (const v1::Trial& trial : data.trials) {
      if (trial.state() != v1::TRIAL_STATE_COMPLETE) continue;
      if (static_cast<size_t>(trial.values_size()) > objective) {
        one.values.push_back(trial.values(static_cast<int>(objective)));
      }
    }
    if (series.empty()) options.x_label = ObjectiveName(data.study, static_cast<int>(objective));
    trials += one.values.size();
    series.push_back(std::move(one));
  }
  RETURN_IF_ERROR(insight::PlotEdf(series, options, args.out));
  return Done(session, args, trials);
}

void AddFlags(CLI::App* command, StudyPlotArgs* args) {
  command->add_option("STUDY", args->study, "Name, id or unique prefix [the active or newest one]");
  command->add_option("--out", args->out, "File to write; .png or .svg")->required();
  command->add_option("--width", args->width, "Pixels [960]")->check(CLI::Range(200, 8000));
  command->add_option("--height", args->height, "Pixels [540]")->check(CLI::Range(150, 8000));
}

void AddObjective(CLI::App* command, StudyPlotArgs* args, int most) {
  command
      ->add_option("--objective", args->objectives,
                   most == 1 ? "Which objective, from 0 [0]" : "Two objectives, from 0 [0,1]")
      ->delimiter(',')
      ->expected(1, most);
}

void AddParams(CLI::App* command, StudyPlotArgs* args, const std::string& about) {
  AddRepeated(command, "--param,--params", &args->params, about)->delimiter(',');
  command->add_flag("--log-y", args->log_values, "Logarithmic values");
}

}  // namespace

void AddStudyPlots(Cli& cli, CLI::App* group) {
  StudyPlotArgs* args = nullptr;
  CLI::App* command = cli.Add<StudyPlotArgs>(
      group, "parallel", "Each trial as a line over its value and its parameters",
      "vlmctl plot parallel demo --out parallel.svg", Parallel, &args);
  AddFlags(command, args);
  AddObjective(command, args, 1);
  AddParams(command, args, "Parameter; may be repeated or a,b [all]");
  command = cli.Add<StudyPlotArgs>(group, "slice", "The value over each parameter",
                                   "vlmctl plot slice demo --out slice.png", Slice, &args);
  AddFlags(command, args);
  AddObjective(command, args, 1);
  AddParams(command, args, "Parameter; may be repeated or a,b [all]");
  command = cli.Add<StudyPlotArgs>(
      group, "contour", "The value over two parameters",
      "vlmctl plot contour demo --param learning_rate,n_embd --out contour.png", Contour, &args);
  AddFlags(command, args);
  AddObjective(command, args, 1);
  AddParams(command, args, "The two parameters, A,B [the two most important ones]");
  command =
      cli.Add<StudyPlotArgs>(group, "importance", "How much each parameter mattered",
                             "vlmctl plot importance demo --out importance.svg", Importance, &args);
  AddFlags(command, args);
  AddObjective(command, args, 1);
  AddEvaluator(command, &args->evaluator);
  command = cli.Add<StudyPlotArgs>(group, "pareto", "Two objectives and their Pareto front",
                                   "vlmctl plot pareto demo --out pareto.svg", Pareto, &args);
  AddFlags(command, args);
  AddObjective(command, args, 2);
  command->add_flag("--log", args->log_values, "Logarithmic axes");
  command = cli.Add<StudyPlotArgs>(
      group, "edf", "Share of the trials at or below each value, for one study or several",
      "vlmctl plot edf first second --out edf.svg", Edf, &args);
  AddFlags(command, args);
  command->add_option("MORE", args->more, "Other studies to compare with");
  AddObjective(command, args, 1);
  command->add_flag("--log-x", args->log_values, "Logarithmic values");
}

}  // namespace vlm::client
