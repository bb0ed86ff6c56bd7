// version, completion.
#include "absl/strings/str_cat.h"
#include "client/cli.h"
#include "client/completion.h"

namespace vlm::client {
namespace {

struct VersionArgs {};

Result Version(Session& session, const VersionArgs&) {
  Records records;
  records.single = true;
  records.columns = {{"vlmctl", "vlmctl"}, {"coordinator", "coordinator"}};
  Record row{"vlmctl", {{VLM_VERSION}, {nullptr}}};
  // The coordinator's version too, if one is there; that it is not is no error of this command.
  if (session.FindTarget().ok()) {
    const auto status = session.Call(&ControlStub::GetStatus, v1::GetStatusRequest());
    if (status.ok()) row.cells[1].value = status->version();
  }
  records.rows.push_back(std::move(row));
  session.Print(records);
  return kDone;
}

struct CompletionArgs {
  std::string shell;
  const CLI::App* root = nullptr;
};

Result Completion(Session& session, const CompletionArgs& args) {
  ASSIGN_OR_RETURN(const std::string script, CompletionScript(*args.root, args.shell));
  session.out() << script;
  return kDone;
}

}  // namespace

void AddMiscCommands(Cli& cli) {
  VersionArgs* version = nullptr;
  cli.Add<VersionArgs>(&cli.root(), "version", "Versions of vlmctl and of the coordinator",
                       "vlmctl version -o json", Version, &version);
  CompletionArgs* completion = nullptr;
  CLI::App* command =
      cli.Add<CompletionArgs>(&cli.root(), "completion", "Print a shell's completion script",
                              "source <(vlmctl completion bash)", Completion, &completion);
  completion->root = &cli.root();
  command->add_option("SHELL", completion->shell, "bash, zsh or fish")->required();
}

}  // namespace vlm::client
