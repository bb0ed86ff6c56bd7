#include "client/commands/study_exchange.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/exchange/transfer.h"
#include "client/exchange/trials_csv.h"
#include "client/exchange/trials_json.h"
#include "client/login.h"
#include "client/resources.h"
#include "client/study_data.h"
#include "common/config/config.h"
#include "common/ids.h"

namespace vlm::client {
namespace {

enum class FileKind { kCsv, kJson, kOptunaDb };

absl::StatusOr<FileKind> KindOf(const std::string& format, const std::string& path) {
  if (format == "csv" || (format.empty() && absl::EndsWith(path, ".csv"))) return FileKind::kCsv;
  if (format == "json" || (format.empty() && absl::EndsWith(path, ".json"))) return FileKind::kJson;
  if (format == "optuna-db") return FileKind::kOptunaDb;
  for (const char* ending : {".db", ".sqlite", ".sqlite3"}) {
    if (format.empty() && absl::EndsWith(path, ending)) return FileKind::kOptunaDb;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", path, "\" does not say what it is; add --format csv, json or optuna-db"));
}

struct ExportArgs {
  std::string study;
  std::string out;
  std::string format;
};

Result Export(Session& session, const ExportArgs& args) {
  ASSIGN_OR_RETURN(const FileKind kind, KindOf(args.format, args.out));
  if (kind == FileKind::kOptunaDb) {
    RETURN_IF_ERROR(SaveDatabase(session, args.study, args.out));
    session.out() << args.out << "\n";
    return kDone;
  }
  ASSIGN_OR_RETURN(const StudyData data, ReadStudy(session, args.study));
  const std::string text = kind == FileKind::kCsv
                               ? TrialsToCsv(data.trials, std::max(1, data.study.directions_size()))
                               : StudyToJson(data);
  if (args.out == "-") {
    session.out() << text;
    return kDone;
  }
  RETURN_IF_ERROR(WriteWholeFile(args.out, text));
  session.Note(
      absl::StrCat("exported ", data.trials.size(), " trials of study ", data.study.name()));
  session.out() << args.out << "\n";
  return kDone;
}

struct ImportArgs {
  std::string file;
  std::string name;
  std::string into;
  std::string format;
  std::string source_study;
  std::string metric;
  std::vector<std::string> directions;
};

absl::Status SetHeader(Session& session, const ImportArgs& args,
                       v1::ImportStudyRequest::Header* header, v1::StudySpec* space) {
  header->set_request_id(NewUuid());
  header->set_owner(LoginName());
  header->set_source_study(args.source_study);
  header->set_metric(args.metric);
  for (const std::string& direction : args.directions) {
    if (direction != "minimize" && direction != "maximize") {
      return absl::InvalidArgumentError(
          absl::StrCat("--direction ", direction, " is neither minimize nor maximize"));
    }
    header->add_directions(direction == "maximize" ? v1::DIRECTION_MAXIMIZE
                                                   : v1::DIRECTION_MINIMIZE);
  }
  if (!args.into.empty() && !args.name.empty()) {
    return absl::InvalidArgumentError("give --name for a new study or --into for one that exists");
  }
  header->set_study(args.name);
  if (args.into.empty()) return absl::OkStatus();
  if (!args.directions.empty() || !args.metric.empty()) {
    return absl::InvalidArgumentError(
        "--direction and --metric are for a new study; --into adds to one that has them");
  }
  v1::GetStudyRequest get;
  get.set_study(args.into);
  ASSIGN_OR_RETURN(const auto found, session.Call(&ControlStub::GetStudy, get));
  header->set_study(found.study().name());
  header->set_append(true);
  *space = found.spec();
  return absl::OkStatus();
}

Result PrintImported(Session& session, const v1::ImportStudyResponse& response) {
  session.Note(absl::StrCat(
      "study ", response.study().name(), " has ", response.added(), " trials more",
      response.left_out() > 0
          ? absl::StrCat("; ", response.left_out(), " that have not ended were left out")
          : ""));
  Records records = StudyRecords({response.study()});
  records.single = true;
  session.Print(records);
  return kDone;
}

Result Import(Session& session, const ImportArgs& args) {
  ASSIGN_OR_RETURN(const FileKind kind, KindOf(args.format, args.file));
  v1::ImportStudyRequest::Header header;
  v1::StudySpec space;
  RETURN_IF_ERROR(SetHeader(session, args, &header, &space));
  if (kind == FileKind::kOptunaDb) {
    ASSIGN_OR_RETURN(const auto response, SendDatabase(session, header, args.file));
    return PrintImported(session, response);
  }
  ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(args.file));
  std::vector<v1::Trial> trials;
  if (kind == FileKind::kCsv) {
    auto read = TrialsFromCsv(text, space);
    if (!read.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(args.file, ": ", read.status().message()));
    }
    trials = std::move(read->trials);
    while (!header.append() && header.directions_size() < read->objectives) {
      header.add_directions(v1::DIRECTION_MINIMIZE);
    }
  } else {
    auto read = StudyFromJson(text);
    if (!read.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(args.file, ": ", read.status().message()));
    }
    trials = std::move(read->trials);
    if (!header.append() && header.directions().empty()) {
      *header.mutable_directions() = read->study.directions();
    }
    if (!header.append() && header.metric().empty()) header.set_metric(read->study.metric());
    if (header.study().empty()) header.set_study(read->study.name());
  }
  if (header.study().empty()) {
    return absl::InvalidArgumentError("the file names no study; give --name or --into");
  }
  ASSIGN_OR_RETURN(const auto response, SendTrials(session, header, trials));
  return PrintImported(session, response);
}

struct CloneArgs {
  std::string study;
  std::string name;
  bool trials = false;
  bool paused = false;
};

// A study that was submitted is submitted again, held until its trials are there.
absl::Status SubmitCopy(Session& session, const StudyData& data, const std::string& name) {
  v1::SubmitRequest submit;
  submit.set_request_id(NewUuid());
  submit.set_config_text(config::ToYaml(data.spec));
  submit.set_config_path(data.spec.source_path());
  submit.set_name(name);
  submit.set_owner(LoginName());
  submit.set_paused(true);
  return session.Mutate(&ControlStub::Submit, submit).status();
}

Result Clone(Session& session, const CloneArgs& args) {
  ASSIGN_OR_RETURN(const StudyData data, ReadStudy(session, args.study));
  const bool submitted = data.spec.has_train();
  if (!submitted && !args.trials) {
    return absl::FailedPreconditionError(
        absl::StrCat("study ", data.study.name(),
                     " was made by another program and has no configuration to copy; "
                     "--trials copies its trials"));
  }
  if (submitted) RETURN_IF_ERROR(SubmitCopy(session, data, args.name));
  v1::ImportStudyRequest::Header header;
  header.set_request_id(NewUuid());
  header.set_study(args.name);
  header.set_append(submitted);
  header.set_owner(LoginName());
  *header.mutable_directions() = data.study.directions();
  header.set_metric(data.study.metric());
  if (args.trials) RETURN_IF_ERROR(SendTrials(session, header, data.trials).status());
  if (submitted && !args.paused) {
    v1::UpdateStudyRequest resume;
    resume.set_request_id(NewUuid());
    resume.set_study(args.name);
    resume.set_action(v1::UpdateStudyRequest::ACTION_RESUME);
    RETURN_IF_ERROR(session.Mutate(&ControlStub::UpdateStudy, resume).status());
  }
  v1::GetStudyRequest get;
  get.set_study(args.name);
  ASSIGN_OR_RETURN(const auto made, session.Call(&ControlStub::GetStudy, get));
  session.Note(absl::StrCat("study ", args.name, " is a copy of ", data.study.name()));
  Records records = StudyRecords({made.study()});
  records.single = true;
  session.Print(records);
  return kDone;
}

}  // namespace

void AddStudyExchange(Cli& cli, CLI::App* group) {
  constexpr char kFormat[] = "csv, json or optuna-db [by the file's ending]";
  ExportArgs* out = nullptr;
  CLI::App* command = cli.Add<ExportArgs>(group, "export", "Write a study's trials to a file",
                                          "vlmctl study export demo --out demo.csv", Export, &out);
  command->add_option("STUDY", out->study, "Name, id or unique prefix [the active or newest one]");
  command->add_option("--out", out->out, "File to write; - for the standard output")->required();
  command->add_option("--format", out->format, kFormat)
      ->check(CLI::IsMember({"csv", "json", "optuna-db"}));
  ImportArgs* in = nullptr;
  command = cli.Add<ImportArgs>(
      group, "import", "Add ended trials of an Optuna database, a CSV or an export to a study",
      "vlmctl study import optuna.db --source-study old --into demo", Import, &in);
  command->add_option("FILE", in->file, "Optuna's SQLite file, CSV, or JSON of study export")
      ->required();
  command->add_option("--name", in->name, "Make a new study of this name [the name in the file]");
  command->add_option("--into", in->into, "Add to this study; its budget grows by the trials");
  command->add_option("--format", in->format, kFormat)
      ->check(CLI::IsMember({"csv", "json", "optuna-db"}));
  command->add_option("--source-study", in->source_study,
                      "Which study of a database [its only one]");
  AddRepeated(command, "--direction", &in->directions,
              "minimize or maximize, once an objective [the file's, or minimize]");
  command->add_option("--metric", in->metric, "What the value is called");
  CloneArgs* clone = nullptr;
  command = cli.Add<CloneArgs>(group, "clone", "Start a study anew under another name",
                               "vlmctl study clone demo --name demo2 --trials", Clone, &clone);
  command->add_option("STUDY", clone->study, "Name, id or unique prefix")->required();
  command->add_option("--name", clone->name, "Of the copy")->required();
  command->add_flag("--trials", clone->trials, "Take the ended trials along, beyond the budget");
  command->add_flag("--paused", clone->paused, "Do not start it yet");
}

}  // namespace vlm::client
