// study list, get, best, watch, pause, resume, cancel. (Others: study_*.cc)
#include "absl/strings/str_cat.h"
#include "client/best.h"
#include "client/cli.h"
#include "client/commands/study_analysis.h"
#include "client/commands/study_edit.h"
#include "client/commands/study_exchange.h"
#include "client/commands/study_remove.h"
#include "client/follow/follow.h"
#include "client/prompt.h"
#include "client/resources.h"
#include "common/config/config.h"
#include "common/ids.h"

namespace vlm::client {
namespace {

struct ListArgs {
  bool active = false;
  bool deleted = false;
  int limit = 0;
};

Result List(Session& session, const ListArgs& args) {
  std::vector<v1::Study> studies;
  v1::ListStudiesRequest request;
  request.set_active_only(args.active);
  request.set_deleted(args.deleted);
  const auto wanted = static_cast<size_t>(args.limit);
  do {
    ASSIGN_OR_RETURN(const auto page, session.Call(&ControlStub::ListStudies, request));
    studies.insert(studies.end(), page.studies().begin(), page.studies().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && (wanted == 0 || studies.size() < wanted));
  if (wanted > 0 && studies.size() > wanted) studies.resize(wanted);
  session.Print(StudyRecords(studies));
  if (studies.empty() && !args.deleted) {
    session.Note("there is no study; make one with `vlmctl submit FILE`");
  }
  return kDone;
}

struct StudyArgs {
  std::string study;
  bool config = false;
};

Result Get(Session& session, const StudyArgs& args) {
  v1::GetStudyRequest request;
  request.set_study(args.study);
  ASSIGN_OR_RETURN(const auto response, session.Call(&ControlStub::GetStudy, request));
  if (args.config) {
    session.out() << config::ToYaml(response.spec());
    return kDone;
  }
  Records records = StudyRecords({response.study()});
  records.single = true;
  session.Print(records);
  return kDone;
}

struct BestArgs {
  std::string study;
  int count = 0;
  bool params_only = false;
  bool pareto = false;
};

Result Best(Session& session, const BestArgs& args) {
  return PrintBest(session, {args.study, args.count, args.params_only, args.pareto});
}

Result Watch(Session& session, const StudyArgs& args) {
  v1::GetStudyRequest request;
  request.set_study(args.study);
  ASSIGN_OR_RETURN(const auto response, session.Call(&ControlStub::GetStudy, request));
  FollowOptions options;
  options.study = response.study().name();
  options.to_stdout = true;
  return Follow(session, options);
}

absl::Status Update(Session& session, const std::string& study,
                    v1::UpdateStudyRequest::Action action, const char* done) {
  v1::UpdateStudyRequest request;
  request.set_request_id(NewUuid());
  request.set_study(study);
  request.set_action(action);
  ASSIGN_OR_RETURN(const auto response, session.Mutate(&ControlStub::UpdateStudy, request));
  session.Note(absl::StrCat("study ", response.study().name(), " is ", done));
  Records records = StudyRecords({response.study()});
  records.single = true;
  if (session.structured()) session.Print(records);
  return absl::OkStatus();
}

Result Pause(Session& session, const StudyArgs& args) {
  RETURN_IF_ERROR(Update(session, args.study, v1::UpdateStudyRequest::ACTION_PAUSE,
                         "paused; running trials go on to their end"));
  return kDone;
}

Result Resume(Session& session, const StudyArgs& args) {
  RETURN_IF_ERROR(
      Update(session, args.study, v1::UpdateStudyRequest::ACTION_RESUME, "active again"));
  return kDone;
}

struct EndArgs {
  std::string study;
  bool yes = false;
};

Result Cancel(Session& session, const EndArgs& args) {
  v1::GetStudyRequest get;
  get.set_study(args.study);
  ASSIGN_OR_RETURN(const auto found, session.Call(&ControlStub::GetStudy, get));
  RETURN_IF_ERROR(Confirm(session, args.yes,
                          absl::StrCat("Cancel study ", found.study().name(), " and stop its ",
                                       found.study().counts().running(), " running trials?")));
  RETURN_IF_ERROR(
      Update(session, found.study().name(), v1::UpdateStudyRequest::ACTION_CANCEL, "cancelled"));
  return kDone;
}

}  // namespace

void AddStudyCommands(Cli& cli) {
  CLI::App* group = cli.AddGroup("study", "Searches: list, look at, steer, edit, copy, delete");
  constexpr char kWhich[] = "Name, id or unique prefix";
  ListArgs* list = nullptr;
  CLI::App* command = cli.Add<ListArgs>(group, "list", "List studies, newest first",
                                        "vlmctl study list --active -o json", List, &list);
  command->add_flag("--active", list->active, "Only those that have not ended");
  command->add_flag("--deleted", list->deleted, "Deleted ones that can be restored");
  command->add_option("--limit", list->limit, "At most so many [all]")->check(CLI::PositiveNumber);
  StudyArgs* study = nullptr;
  command = cli.Add<StudyArgs>(group, "get", "Show a study, or its effective configuration",
                               "vlmctl study get demo --config", Get, &study);
  command->add_option("STUDY", study->study, std::string(kWhich) + " [the active or newest one]");
  command->add_flag("--config", study->config, "Print the effective configuration as YAML");
  BestArgs* best = nullptr;
  command =
      cli.Add<BestArgs>(group, "best", "The best trial, its checkpoint, and how to use it",
                        "vlmctl study best demo --params-only -o yaml > best.yaml", Best, &best);
  command->add_option("STUDY", best->study, std::string(kWhich) + " [the active or newest one]");
  command->add_option("-n,--count", best->count, "The best so many, of one objective [1]")
      ->check(CLI::Range(1, 1'000'000));
  command->add_flag("--pareto", best->pareto, "The Pareto front of several objectives");
  command->add_flag("--params-only", best->params_only,
                    "Only the parameters; with -o yaml a whole file that `vlmctl submit` takes");
  AddStudyAnalysis(cli, group);
  command = cli.Add<StudyArgs>(group, "watch", "Follow a study until it ends; Ctrl-C leaves it be",
                               "vlmctl study watch demo", Watch, &study);
  command->add_option("STUDY", study->study, std::string(kWhich) + " [the active or newest one]");
  command = cli.Add<StudyArgs>(group, "pause", "Grant no new trials; running ones go on",
                               "vlmctl study pause demo", Pause, &study);
  command->add_option("STUDY", study->study, kWhich)->required();
  command = cli.Add<StudyArgs>(group, "resume", "Grant trials again", "vlmctl study resume demo",
                               Resume, &study);
  command->add_option("STUDY", study->study, kWhich)->required();
  AddStudyEdit(cli, group);
  AddStudyExchange(cli, group);
  EndArgs* end = nullptr;
  command = cli.Add<EndArgs>(group, "cancel", "End a study and stop its running trials",
                             "vlmctl study cancel demo --yes", Cancel, &end);
  command->add_option("STUDY", end->study, kWhich)->required();
  command->add_flag("-y,--yes", end->yes, "Do not ask");
  AddStudyRemove(cli, group);
}

}  // namespace vlm::client
