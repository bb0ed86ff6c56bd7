// trial list, get, metrics, stop, retry. (trial logs: trial_logs.cc, enqueue: trial_enqueue.cc)
#include "client/commands/trial.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/cli.h"
#include "client/commands/trial_enqueue.h"
#include "client/prompt.h"
#include "client/resources.h"
#include "common/ids.h"

namespace vlm::client {
namespace {

struct ListArgs {
  std::string study;
  std::vector<std::string> states;
  int limit = 0;
};

absl::StatusOr<v1::TrialState> ParseState(const std::string& text) {
  v1::TrialState state;
  if (!v1::TrialState_Parse(absl::StrCat("TRIAL_STATE_", absl::AsciiStrToUpper(text)), &state) ||
      state == v1::TRIAL_STATE_UNSPECIFIED) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", text, "\" is no trial state; there are waiting, running, complete, pruned and fail"));
  }
  return state;
}

Result List(Session& session, const ListArgs& args) {
  v1::ListTrialsRequest request;
  for (const std::string& text : args.states) {
    ASSIGN_OR_RETURN(const v1::TrialState state, ParseState(text));
    request.add_states(state);
  }
  v1::GetStudyRequest get;
  get.set_study(args.study);
  ASSIGN_OR_RETURN(const auto found, session.Call(&ControlStub::GetStudy, get));
  request.set_study(found.study().name());
  std::vector<v1::Trial> trials;
  const auto wanted = static_cast<size_t>(args.limit);
  do {
    ASSIGN_OR_RETURN(const auto page, session.Call(&ControlStub::ListTrials, request));
    trials.insert(trials.end(), page.trials().begin(), page.trials().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && (wanted == 0 || trials.size() < wanted));
  if (wanted > 0 && trials.size() > wanted) trials.resize(wanted);
  session.Print(TrialRecords(found.study().name(), trials));
  return kDone;
}

struct TrialArgs {
  std::string trial;
  bool yes = false;
};

// The record of one trial; structured formats carry attempts and intermediate values too.
Records WholeTrial(const std::string& study, const v1::Trial& trial) {
  Records records = TrialRecords(study, {trial});
  records.single = true;
  const Records attempts = AttemptRecords(trial);
  Json list = Json::array();
  for (const Record& row : attempts.rows) {
    Json object = Json::object();
    for (size_t i = 0; i < row.cells.size(); ++i) {
      object[attempts.columns[i].key] = row.cells[i].value;
    }
    list.push_back(std::move(object));
  }
  Json values = Json::array();
  for (const v1::IntermediateValue& value : trial.intermediate_values()) {
    values.push_back({{"step", value.step()}, {"value", JsonNumber(value.value())}});
  }
  records.columns.push_back({"attempts", "ATTEMPTS", Show::kDataOnly});
  records.rows[0].cells.push_back({std::move(list)});
  records.columns.push_back({"intermediate_values", "INTERMEDIATE", Show::kDataOnly});
  records.rows[0].cells.push_back({std::move(values)});
  return records;
}

Result Get(Session& session, const TrialArgs& args) {
  v1::GetTrialRequest request;
  request.set_trial(args.trial);
  ASSIGN_OR_RETURN(const auto response, session.Call(&ControlStub::GetTrial, request));
  const v1::Trial& trial = response.trial();
  ASSIGN_OR_RETURN(const std::string study, StudyNameOf(session, trial));
  session.Print(WholeTrial(study, trial));
  if (session.structured()) return kDone;
  if (!trial.attempts().empty()) {
    session.out() << "\n" << Render(AttemptRecords(trial), session.format());
  }
  if (trial.state() != v1::TRIAL_STATE_FAIL || trial.last_log_lines().empty()) return kDone;
  session.out() << "\nLast lines of its log:\n";
  for (const std::string& line : trial.last_log_lines()) {
    session.out() << "  " << Sanitize(line) << "\n";
  }
  return kDone;
}

struct MetricsArgs {
  std::string trial;
  std::vector<std::string> names;
  int max_points = 0;
  int64_t from_step = 0;
};

// A row a point, for CSV and YAML and JSON; people get a row a series.
Records PointRecords(const v1::ReadMetricsResponse& response) {
  Records out;
  out.columns = {{"name", "SERIES"}, {"step", "STEP"}, {"value", "VALUE"}, {"time", "TIME"}};
  for (const v1::Series& series : response.series()) {
    for (const v1::Point& point : series.points()) {
      google::protobuf::Timestamp time;
      time.set_seconds(point.time_ms() / 1000);
      time.set_nanos(static_cast<int32_t>(point.time_ms() % 1000 * 1'000'000));
      out.rows.push_back(
          {series.name(),
           {{series.name()}, {point.step()}, {JsonNumber(point.value())}, {JsonTime(time)}}});
    }
  }
  return out;
}

Records SeriesRecords(const v1::ReadMetricsResponse& response) {
  using S = v1::Series;
  const auto value = [](const S& s, int i) {
    return s.points().empty() ? std::string() : HumanNumber(s.points(i).value());
  };
  const std::vector<Field<S>> fields = {
      {{"name", "SERIES"}, [](const S& s) { return s.name(); }, {}},
      {{"points", "POINTS"}, [](const S& s) { return s.points_size(); }, {}},
      {{"last_step", "LAST STEP"},
       [](const S& s) {
         return s.points().empty() ? Json(nullptr) : Json(s.points(s.points_size() - 1).step());
       },
       {}},
      {{"first", "FIRST"}, [&](const S& s) { return value(s, 0); }, {}},
      {{"last", "LAST"}, [&](const S& s) { return value(s, s.points_size() - 1); }, {}},
  };
  return MakeRecords(fields, std::vector<S>(response.series().begin(), response.series().end()),
                     [](const S& s) { return s.name(); });
}

Result Metrics(Session& session, const MetricsArgs& args) {
  v1::ReadMetricsRequest request;
  request.set_trial(args.trial);
  for (const std::string& name : args.names) request.add_names(name);
  request.set_max_points(args.max_points);
  request.set_from_step(args.from_step);
  ASSIGN_OR_RETURN(const auto response, session.Call(&ControlStub::ReadMetrics, request));
  for (const std::string& name : args.names) {
    bool found = false;
    for (const v1::Series& series : response.series()) found |= series.name() == name;
    if (!found) session.Note(absl::StrCat("trial ", args.trial, " has no series \"", name, "\""));
  }
  const bool points = session.structured() && session.format() != Format::kName;
  session.Print(points ? PointRecords(response) : SeriesRecords(response));
  return kDone;
}

Result Stop(Session& session, const TrialArgs& args) {
  RETURN_IF_ERROR(
      Confirm(session, args.yes, absl::StrCat("Stop trial ", args.trial, "? It ends as failed.")));
  v1::StopTrialRequest request;
  request.set_request_id(NewUuid());
  request.set_trial(args.trial);
  RETURN_IF_ERROR(session.Mutate(&ControlStub::StopTrial, request).status());
  session.Note(absl::StrCat("trial ", args.trial, " stops at its next step"));
  return kDone;
}

Result Retry(Session& session, const TrialArgs& args) {
  v1::RetryTrialRequest request;
  request.set_request_id(NewUuid());
  request.set_trial(args.trial);
  ASSIGN_OR_RETURN(const auto response, session.Mutate(&ControlStub::RetryTrial, request));
  ASSIGN_OR_RETURN(const std::string study, StudyNameOf(session, response.trial()));
  session.Note(absl::StrCat("trial ", args.trial, " runs again as a new trial"));
  Records records = TrialRecords(study, {response.trial()});
  records.single = session.structured();
  session.Print(session.structured() ? records : TrialRecords(study, {response.trial()}));
  return kDone;
}

}  // namespace

absl::StatusOr<std::string> StudyNameOf(Session& session, const v1::Trial& trial) {
  v1::GetStudyRequest request;
  request.set_study(absl::StrCat(trial.study_id()));
  ASSIGN_OR_RETURN(const auto found, session.Call(&ControlStub::GetStudy, request));
  // Some other study may have this number for its name.
  if (found.study().study_id() != trial.study_id()) return absl::StrCat(trial.study_id());
  return found.study().name();
}

void AddTrialCommands(Cli& cli) {
  CLI::App* group =
      cli.AddGroup("trial", "Configurations of a study: look at, read, enqueue, stop, retry");
  constexpr char kWhich[] = "STUDY/NUMBER or trial id";
  ListArgs* list = nullptr;
  CLI::App* command =
      cli.Add<ListArgs>(group, "list", "List the trials of a study",
                        "vlmctl trial list demo --state pruned --state fail", List, &list);
  command->add_option("STUDY", list->study, "Name, id or unique prefix [the active or newest one]");
  AddRepeated(command, "--state", &list->states,
              "waiting, running, complete, pruned or fail; may be repeated");
  command->add_option("--limit", list->limit, "At most so many [all]")->check(CLI::PositiveNumber);
  TrialArgs* trial = nullptr;
  command = cli.Add<TrialArgs>(group, "get", "Show a trial with its attempts",
                               "vlmctl trial get demo/3 -o json", Get, &trial);
  command->add_option("TRIAL", trial->trial, kWhich)->required();
  AddTrialLogs(cli, group);
  MetricsArgs* metrics = nullptr;
  command =
      cli.Add<MetricsArgs>(group, "metrics", "Losses and other series of a trial",
                           "vlmctl trial metrics demo/3 --name val_loss -o csv", Metrics, &metrics);
  command->add_option("TRIAL", metrics->trial, kWhich)->required();
  AddRepeated(command, "--name,--names", &metrics->names,
              "Only this series; may be repeated or a,b [all]")
      ->delimiter(',');
  command
      ->add_option("--max-points", metrics->max_points,
                   "Thin each series to so many points, its shape kept [all]")
      ->check(CLI::Range(3, 10'000'000));
  command->add_option("--from-step", metrics->from_step, "Only from this step on")
      ->check(CLI::NonNegativeNumber);
  AddTrialEnqueue(cli, group);
  command = cli.Add<TrialArgs>(group, "stop", "Stop a running trial at its next step",
                               "vlmctl trial stop demo/3 --yes", Stop, &trial);
  command->add_option("TRIAL", trial->trial, kWhich)->required();
  command->add_flag("-y,--yes", trial->yes, "Do not ask");
  command = cli.Add<TrialArgs>(group, "retry", "Run an ended trial's configuration once more",
                               "vlmctl trial retry demo/3", Retry, &trial);
  command->add_option("TRIAL", trial->trial, kWhich)->required();
}

}  // namespace vlm::client
