// plot curves, plot history. (Pictures of parameters: study_plots.cc)
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "client/cli.h"
#include "client/commands/study_plots.h"
#include "client/resources.h"
#include "client/study_data.h"
#include "insight/plot/curves.h"
#include "insight/plot/history.h"

namespace vlm::client {
namespace {

constexpr int kPointsPerCurve = 4000;

struct PlotArgs {
  std::string what;
  std::string out;
  std::vector<std::string> names;
  int width = 960;
  int height = 540;
  double smoothing = 0;
  bool log_y = false;
};

absl::StatusOr<std::vector<insight::Curve>> ReadCurves(Session& session, const std::string& trial,
                                                       const std::vector<std::string>& names) {
  v1::ReadMetricsRequest request;
  request.set_trial(trial);
  for (const std::string& name : names) request.add_names(name);
  request.set_max_points(kPointsPerCurve);
  ASSIGN_OR_RETURN(const auto response, session.Call(&ControlStub::ReadMetrics, request));
  std::vector<insight::Curve> curves;
  for (const v1::Series& series : response.series()) {
    insight::Curve curve;
    curve.label = series.name();
    curve.dots = series.points_size() <= 100;
    for (const v1::Point& point : series.points()) {
      curve.points.push_back({static_cast<double>(point.step()), point.value()});
    }
    curves.push_back(std::move(curve));
  }
  return curves;
}

// One series of each trial of a study, or several series of one trial.
Result Curves(Session& session, const PlotArgs& args) {
  insight::CurveOptions options;
  options.width = args.width;
  options.height = args.height;
  options.smoothing = args.smoothing;
  options.log_y = args.log_y;
  std::vector<insight::Curve> curves;
  if (args.what.find('/') != std::string::npos) {
    const std::vector<std::string> names =
        args.names.empty() ? std::vector<std::string>{"train_loss", "val_loss"} : args.names;
    ASSIGN_OR_RETURN(curves, ReadCurves(session, args.what, names));
    options.title = absl::StrCat("trial ", args.what);
  } else {
    ASSIGN_OR_RETURN(const StudyData subject, ReadStudy(session, args.what));
    std::vector<std::string> names = args.names;
    if (names.empty()) names = {subject.study.metric()};
    for (const v1::Trial& trial : subject.trials) {
      ASSIGN_OR_RETURN(auto some, ReadCurves(session, absl::StrCat(trial.trial_id()), names));
      for (insight::Curve& curve : some) {
        curve.label = absl::StrCat("trial ", trial.number(),
                                   names.size() > 1 ? absl::StrCat(" ", curve.label) : "");
        curve.mark = MarkOf(subject.study, trial);
        curves.push_back(std::move(curve));
      }
    }
    options.title = absl::StrCat("study ", subject.study.name());
    options.y_label = names.size() == 1 ? names[0] : "value";
  }
  if (curves.empty()) {
    session.Note("there is no such series yet; `vlmctl trial metrics TRIAL` lists those there are");
  }
  RETURN_IF_ERROR(insight::PlotCurves(curves, options, args.out));
  session.Note(absl::StrCat("plotted ", curves.size(), " curves"));
  session.out() << args.out << "\n";
  return kDone;
}

Result History(Session& session, const PlotArgs& args) {
  ASSIGN_OR_RETURN(const StudyData subject, ReadStudy(session, args.what));
  insight::HistoryOptions options;
  options.title = absl::StrCat("study ", subject.study.name());
  options.y_label = ObjectiveName(subject.study, 0);
  options.width = args.width;
  options.height = args.height;
  options.log_y = args.log_y;
  options.maximize =
      subject.study.directions_size() > 0 && subject.study.directions(0) == v1::DIRECTION_MAXIMIZE;
  std::vector<insight::HistoryTrial> trials;
  for (const v1::Trial& trial : subject.trials) {
    if (!IsEnd(trial.state())) continue;
    insight::HistoryTrial point;
    point.number = trial.number();
    point.value =
        trial.values().empty() ? std::numeric_limits<double>::quiet_NaN() : trial.values(0);
    point.mark = MarkOf(subject.study, trial);
    trials.push_back(point);
  }
  RETURN_IF_ERROR(insight::PlotHistory(trials, options, args.out));
  session.Note(absl::StrCat("plotted ", trials.size(), " trials"));
  session.out() << args.out << "\n";
  return kDone;
}

void AddFlags(CLI::App* command, PlotArgs* args) {
  command->add_option("--out", args->out, "File to write; .png or .svg")->required();
  command->add_option("--width", args->width, "Pixels [960]")->check(CLI::Range(200, 8000));
  command->add_option("--height", args->height, "Pixels [540]")->check(CLI::Range(150, 8000));
  command->add_flag("--log-y", args->log_y, "Logarithmic values");
}

}  // namespace

void AddPlotCommands(Cli& cli) {
  CLI::App* group = cli.AddGroup("plot", "Pictures of studies and trials");
  PlotArgs* args = nullptr;
  CLI::App* command = cli.Add<PlotArgs>(
      group, "curves", "Loss curves: each trial of a study, or the series of one trial",
      "vlmctl plot curves demo --out curves.png", Curves, &args);
  command->add_option("STUDY|TRIAL", args->what,
                      "Study, or STUDY/NUMBER for one trial [the active or newest study]");
  AddFlags(command, args);
  AddRepeated(command, "--name,--names", &args->names,
              "Series; may be repeated [the study's metric; train_loss and val_loss]")
      ->delimiter(',');
  command->add_option("--smoothing", args->smoothing, "Weight of the moving average, 0 to 0.999")
      ->check(CLI::Range(0.0, 0.999));
  command = cli.Add<PlotArgs>(group, "history", "Each trial's value and the best so far",
                              "vlmctl plot history demo --out history.svg", History, &args);
  command->add_option("STUDY", args->what, "Name, id or unique prefix [the active or newest one]");
  AddFlags(command, args);
  AddStudyPlots(cli, group);
}

}  // namespace vlm::client
