#include "client/commands/study_remove.h"

#include "absl/strings/str_cat.h"
#include "client/prompt.h"
#include "client/resources.h"
#include "common/ids.h"

namespace vlm::client {
namespace {

struct DeleteArgs {
  std::string study;
  bool yes = false;
  bool cancel = false;
  bool purge = false;
};

// What is there under that name; with --purge a deleted study too.
absl::StatusOr<v1::Study> Find(Session& session, const DeleteArgs& args) {
  v1::GetStudyRequest get;
  get.set_study(args.study);
  const auto found = session.Call(&ControlStub::GetStudy, get);
  if (found.ok() || !args.purge || !absl::IsNotFound(found.status())) {
    if (!found.ok()) return found.status();
    return found->study();
  }
  v1::ListStudiesRequest list;
  list.set_deleted(true);
  list.set_page_size(1000);
  ASSIGN_OR_RETURN(const auto deleted, session.Call(&ControlStub::ListStudies, list));
  for (const v1::Study& study : deleted.studies()) {
    if (study.name() == args.study || absl::StrCat(study.study_id()) == args.study) return study;
  }
  return found.status();
}

Result Delete(Session& session, const DeleteArgs& args) {
  ASSIGN_OR_RETURN(const v1::Study study, Find(session, args));
  const int64_t trials = Ended(study.counts()) + study.counts().running();
  RETURN_IF_ERROR(Confirm(
      session, args.yes,
      args.purge ? absl::StrCat("Remove study ", study.name(), " with its ", trials,
                                " trials, metrics and checkpoints for ever?")
                 : absl::StrCat("Delete study ", study.name(), " with its ", trials,
                                " trials? `vlmctl study restore` brings it back for some days.")));
  v1::DeleteStudyRequest request;
  request.set_request_id(NewUuid());
  request.set_study(study.has_delete_time() ? args.study : study.name());
  request.set_cancel(args.cancel);
  request.set_purge(args.purge);
  ASSIGN_OR_RETURN(const auto response, session.Mutate(&ControlStub::DeleteStudy, request));
  session.Note(absl::StrCat("study ", study.name(), " (", response.study_id(), ") is ",
                            args.purge ? "removed for ever"
                                       : absl::StrCat("deleted; `vlmctl study restore ",
                                                      response.study_id(), "` brings it back")));
  return kDone;
}

struct RestoreArgs {
  std::string study;
  std::string name;
};

Result Restore(Session& session, const RestoreArgs& args) {
  v1::RestoreStudyRequest request;
  request.set_request_id(NewUuid());
  request.set_study(args.study);
  request.set_name(args.name);
  ASSIGN_OR_RETURN(const auto response, session.Mutate(&ControlStub::RestoreStudy, request));
  session.Note(absl::StrCat("study ", response.study().name(), " is back"));
  if (response.study().state() == v1::STUDY_STATE_PAUSED) {
    session.Note(absl::StrCat("it is paused; `vlmctl study resume ", response.study().name(),
                              "` lets it go on"));
  }
  Records records = StudyRecords({response.study()});
  records.single = true;
  session.Print(records);
  return kDone;
}

}  // namespace

void AddStudyRemove(Cli& cli, CLI::App* group) {
  DeleteArgs* args = nullptr;
  CLI::App* command =
      cli.Add<DeleteArgs>(group, "delete", "Delete a study; for some days it can be restored",
                          "vlmctl study delete demo --yes", Delete, &args);
  command->add_option("STUDY", args->study, "Name, id or unique prefix")->required();
  command->add_flag("-y,--yes", args->yes, "Do not ask");
  command->add_flag("--cancel", args->cancel, "Stop what still runs instead of refusing");
  command->add_flag("--purge", args->purge,
                    "Remove metrics and checkpoints too, for ever; also of a deleted study");
  RestoreArgs* restore = nullptr;
  command = cli.Add<RestoreArgs>(group, "restore", "Bring a deleted study back",
                                 "vlmctl study restore demo", Restore, &restore);
  command->add_option("STUDY", restore->study, "Name or id; see vlmctl study list --deleted")
      ->required();
  command->add_option("--name", restore->name, "Its name from now on [the one it had]");
}

}  // namespace vlm::client
