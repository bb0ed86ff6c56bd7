// submit, validate.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "client/best.h"
#include "client/cli.h"
#include "client/follow/follow.h"
#include "client/local/local.h"
#include "client/login.h"
#include "client/resources.h"
#include "common/config/config.h"
#include "common/ids.h"

namespace vlm::client {
namespace {

struct ConfigText {
  std::string text;
  std::string path;   // Absolute; what relative paths inside start from.
  std::string shown;  // As the person wrote it.
};

absl::StatusOr<ConfigText> ReadConfig(const std::string& file) {
  ConfigText out;
  std::stringstream text;
  std::error_code error;
  if (file == "-") {
    out.shown = "<stdin>";
    out.path = absl::StrCat(std::filesystem::current_path(error).string(), "/<stdin>");
    text << std::cin.rdbuf();
  } else {
    out.shown = file;
    out.path = std::filesystem::absolute(file, error).lexically_normal().string();
    if (std::filesystem::is_directory(file, error)) {
      return absl::InvalidArgumentError(absl::StrCat(file, " is a folder; name a YAML file"));
    }
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
      return absl::InvalidArgumentError(
          absl::StrCat("cannot read ", file, ": ", std::strerror(errno)));
    }
    text << stream.rdbuf();
  }
  out.text = text.str();
  if (out.text.size() > config::kMaxConfigBytes) {
    return absl::InvalidArgumentError(absl::StrCat(out.shown, " has ", out.text.size(),
                                                   " bytes; a configuration has at most ",
                                                   config::kMaxConfigBytes));
  }
  return out;
}

// One line an issue, under the name that the person gave the file. Returns how many are errors.
int PrintIssues(std::ostream& to, const google::protobuf::RepeatedPtrField<v1::ConfigIssue>& issues,
                const ConfigText& config) {
  int errors = 0;
  for (v1::ConfigIssue issue : issues) {
    if (issue.file() == config.path) issue.set_file(config.shown);
    to << Sanitize(config::FormatIssue(issue)) << "\n";
    errors += issue.warning() ? 0 : 1;
  }
  return errors;
}

absl::Status Invalid(const ConfigText& config, int errors,
                     const char* so = "; nothing was created") {
  return absl::InvalidArgumentError(
      absl::StrCat(config.shown, " has ", errors, errors == 1 ? " error" : " errors", so));
}

struct ValidateArgs {
  std::string file;
  std::vector<std::string> overrides;
  bool effective = false;
  bool strict = false;
};

Records IssueRecords(const v1::ValidateResponse& response) {
  using I = v1::ConfigIssue;
  static const auto& fields = *new std::vector<Field<I>>{
      {{"severity", "SEVERITY"}, [](const I& i) { return i.warning() ? "warning" : "error"; }, {}},
      {{"file", "FILE"}, [](const I& i) { return i.file(); }, {}},
      {{"line", "LINE"}, [](const I& i) { return i.line(); }, {}},
      {{"column", "COLUMN"}, [](const I& i) { return i.column(); }, {}},
      {{"key", "KEY"}, [](const I& i) { return i.key(); }, {}},
      {{"message", "MESSAGE"}, [](const I& i) { return i.message(); }, {}},
      {{"suggestion", "SUGGESTION"}, [](const I& i) { return i.suggestion(); }, {}}};
  return MakeRecords(fields, std::vector<I>(response.issues().begin(), response.issues().end()),
                     [](const I& i) { return i.key(); });
}

Result Validate(Session& session, const ValidateArgs& args) {
  ASSIGN_OR_RETURN(const ConfigText config, ReadConfig(args.file));
  v1::ValidateResponse response;
  ASSIGN_OR_RETURN(const bool configured, session.Configured());
  if (configured) {
    v1::ValidateRequest request;
    request.set_config_text(config.text);
    request.set_config_path(config.path);
    for (const std::string& text : args.overrides) request.add_overrides(text);
    request.set_strict(args.strict);
    ASSIGN_OR_RETURN(response, session.Call(&ControlStub::Validate, request));
  } else {
    const config::LoadResult loaded =
        config::Load(config.text, config.path, args.overrides, args.strict);
    for (const v1::ConfigIssue& issue : loaded.issues) *response.add_issues() = issue;
    if (loaded.ok()) *response.mutable_spec() = loaded.spec;
  }
  const int errors = PrintIssues(session.err(), response.issues(), config);
  if (args.effective && errors == 0) {
    session.out() << config::ToYaml(response.spec());
  } else if (session.structured() && session.format() != Format::kName) {
    session.Print(IssueRecords(response));
  }
  if (errors > 0) return Invalid(config, errors, "");
  const v1::StudySpec& spec = response.spec();
  session.Note(absl::StrCat(config.shown,
                            " is valid: ", spec.hyperparameter_tuning() ? spec.n_trials() : 1,
                            " trials, ", spec.search_space_size(), " searched keys"));
  return kDone;
}

struct SubmitArgs {
  std::string file;
  std::vector<std::string> overrides;
  std::string name;
  std::string request_id;
  bool no_follow = false;
  bool follow = false;
  bool wait = false;
  bool dry_run = false;
  bool if_not_exists = false;
  bool paused = false;
  bool strict = false;
};

v1::SubmitRequest RequestOf(const SubmitArgs& args, const ConfigText& config) {
  v1::SubmitRequest request;
  request.set_request_id(args.request_id.empty() ? NewUuid() : args.request_id);
  request.set_config_text(config.text);
  request.set_config_path(config.path);
  for (const std::string& text : args.overrides) request.add_overrides(text);
  request.set_name(args.name);
  request.set_if_not_exists(args.if_not_exists);
  request.set_paused(args.paused);
  request.set_dry_run(args.dry_run);
  request.set_strict(args.strict);
  request.set_owner(LoginName());
  return request;
}

// Without a configured coordinator: checks the file before anything is started for it.
absl::Status EnsureCoordinator(Session& session, const SubmitArgs& args, const ConfigText& config) {
  ASSIGN_OR_RETURN(const bool configured, session.Configured());
  if (configured) return absl::OkStatus();
  const config::LoadResult loaded =
      config::Load(config.text, config.path, args.overrides, args.strict);
  if (!loaded.ok()) {
    const int errors =
        PrintIssues(session.err(), {loaded.issues.begin(), loaded.issues.end()}, config);
    return Invalid(config, errors);
  }
  ASSIGN_OR_RETURN(const LocalPaths paths, FindLocalPaths());
  ASSIGN_OR_RETURN(const UpResult up, Up(paths, {}));
  if (up.coordinator_started || up.worker_started) {
    session.Note(absl::StrCat("no coordinator is configured: started a local ",
                              up.coordinator_started && up.worker_started
                                  ? "coordinator and worker"
                                  : (up.worker_started ? "worker" : "coordinator"),
                              " (`vlmctl down` ends them; data are in ", paths.data_dir(), ")"));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::SubmitResponse> Send(Session& session, const v1::SubmitRequest& request,
                                        const ConfigText& config) {
  grpc::Status raw;
  auto response = session.Mutate(&ControlStub::Submit, request, &raw);
  if (response.ok()) {
    PrintIssues(session.err(), response->warnings(), config);
    return response;
  }
  v1::ValidateResponse details;
  if (raw.error_code() == grpc::StatusCode::INVALID_ARGUMENT && !raw.error_details().empty() &&
      details.ParseFromString(raw.error_details()) && !details.issues().empty()) {
    return Invalid(config, PrintIssues(session.err(), details.issues(), config));
  }
  return response;
}

void PrintStudy(Session& session, const v1::Study& study) {
  Records records = StudyRecords({study});
  records.single = true;
  session.Print(records);
}

void Announce(Session& session, const v1::SubmitResponse& response, bool dry_run) {
  const v1::Study& study = response.study();
  std::string plan = absl::StrCat(study.n_trials(), study.n_trials() == 1 ? " trial" : " trials",
                                  ", ", response.spec().search_space_size(), " searched keys");
  if (!response.existed()) {
    const int64_t copied = study.counts().complete() + study.counts().pruned();
    if (study.counts().waiting() > 0)
      absl::StrAppend(&plan, ", ", study.counts().waiting(), " enqueued");
    if (copied > 0) absl::StrAppend(&plan, ", ", copied, " copied");
  }
  session.Note(absl::StrCat(dry_run ? "would create study " : "study ", study.name(), " ",
                            dry_run              ? ""
                            : response.existed() ? "exists already "
                                                 : "was created ",
                            "(", plan, ")"));
}

Result Submit(Session& session, const SubmitArgs& args) {
  ASSIGN_OR_RETURN(const ConfigText config, ReadConfig(args.file));
  RETURN_IF_ERROR(EnsureCoordinator(session, args, config));
  ASSIGN_OR_RETURN(const v1::SubmitResponse response,
                   Send(session, RequestOf(args, config), config));
  Announce(session, response, args.dry_run);
  const bool follow = !args.dry_run && (args.follow || (!args.no_follow && !args.paused));
  const bool wait = !args.dry_run && (follow || args.wait);
  // One document on stdout: the study, as it is when this command ends.
  if (!wait) {
    PrintStudy(session, response.study());
    return kDone;
  }
  if (!session.structured())
    session.out() << Sanitize(response.study().name()) << "\n" << std::flush;
  FollowOptions options;
  options.study = response.study().name();
  options.quiet = !follow;
  auto ended = Follow(session, options);
  if (!ended.ok() && ended.status().code() != absl::StatusCode::kDeadlineExceeded) return ended;
  if (session.structured()) {
    v1::GetStudyRequest request;
    request.set_study(response.study().name());
    auto study = session.Call(&ControlStub::GetStudy, request);
    PrintStudy(session, study.ok() ? study->study() : response.study());
  } else if (ended.ok() && *ended == kDone) {
    const auto printed = PrintBest(session, {response.study().name()});
    if (!printed.ok()) session.Note(printed.status().message());
  }
  return ended;
}

}  // namespace

void AddSubmitCommands(Cli& cli) {
  SubmitArgs* submit = nullptr;
  CLI::App* command = cli.Add<SubmitArgs>(
      &cli.root(), "submit", "Make a study out of a configuration file and follow it",
      "vlmctl submit configs/demo.yaml --set n_trials=20 --name trial-run", Submit, &submit);
  command->add_option("FILE", submit->file, "YAML file, or - for stdin")->required();
  AddRepeated(command, "--set", &submit->overrides,
              "KEY=VALUE that beats the file; may be repeated")
      ->type_name("KEY=VALUE");
  command->add_option("--name", submit->name, "Name of the study [study.name of the file]");
  CLI::Option* follow = command->add_flag("-f,--follow", submit->follow,
                                          "Show progress until the study ends [the default]");
  command->add_flag("--no-follow", submit->no_follow, "Return as soon as the study is created")
      ->excludes(follow);
  command->add_flag("--wait", submit->wait,
                    "With --no-follow: wait without showing progress; exit 7 if it ended badly");
  CLI::Option* dry = command->add_flag("--dry-run", submit->dry_run,
                                       "Check the file and the placement; create nothing");
  command->add_flag("--if-not-exists", submit->if_not_exists,
                    "Take the study of that name if there is one");
  command->add_flag("--paused", submit->paused, "Create it paused; implies --no-follow")
      ->excludes(dry);
  command->add_flag("--strict", submit->strict, "Treat warnings as errors");
  command->add_option("--request-id", submit->request_id,
                      "Make repeated submits of one id create one study [a new id]");
  ValidateArgs* validate = nullptr;
  command = cli.Add<ValidateArgs>(
      &cli.root(), "validate", "Check a configuration file; every error in one pass",
      "vlmctl validate configs/demo.yaml --print-effective", Validate, &validate);
  command->add_option("FILE", validate->file, "YAML file, or - for stdin")->required();
  AddRepeated(command, "--set", &validate->overrides,
              "KEY=VALUE that beats the file; may be repeated")
      ->type_name("KEY=VALUE");
  command->add_flag("--print-effective", validate->effective,
                    "Print the whole configuration, defaults filled in, as YAML");
  command->add_flag("--strict", validate->strict, "Treat warnings as errors");
}

}  // namespace vlm::client
