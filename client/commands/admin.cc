// admin backup, admin fsck.
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "client/cli.h"
#include "client/resources.h"

namespace vlm::client {
namespace {

struct BackupArgs {
  std::string directory;
  bool no_checkpoints = false;
};

// Over one line of the terminal; nothing where nobody looks.
void ShowProgress(Session& session, const std::string& text) {
  if (session.ErrIsTerminal()) session.err() << "\r\x1b[K" << text << std::flush;
}

Result Backup(Session& session, const BackupArgs& args) {
  ASSIGN_OR_RETURN(ControlStub * stub, session.Control());
  v1::BackupRequest request;
  request.set_directory(std::filesystem::absolute(args.directory).lexically_normal().string());
  request.set_no_checkpoints(args.no_checkpoints);
  const auto context = session.StreamContext();
  auto reader = stub->Backup(context.get(), request);
  v1::BackupResponse step;
  while (reader->Read(&step)) {
    if (step.file().empty()) continue;
    ShowProgress(session, absl::StrCat(HumanBytes(step.done_bytes()), " of about ",
                                       HumanBytes(step.total_bytes()), "  ", step.file()));
  }
  ShowProgress(session, "");
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return session.Explain(status);
  session.Note(absl::StrCat("copied ", HumanBytes(step.done_bytes()),
                            "; to serve it: vlm-coordinator --data ", step.directory()));
  session.out() << step.directory() << "\n";
  return kDone;
}

struct FsckArgs {
  bool no_checkpoints = false;
};

const char* Name(v1::CheckStoreResponse::Severity severity) {
  return severity == v1::CheckStoreResponse::SEVERITY_DAMAGE ? "damage" : "note";
}

Records FindingRecords(const std::vector<v1::CheckStoreResponse>& findings) {
  using F = v1::CheckStoreResponse;
  static const auto& fields = *new std::vector<Field<F>>{
      {{"severity", "SEVERITY"}, [](const F& f) { return Name(f.severity()); }, {}},
      {{"subject", "WHAT"}, [](const F& f) { return f.subject(); }, {}},
      {{"message", "FINDING"}, [](const F& f) { return f.message(); }, {}},
  };
  return MakeRecords(fields, findings, [](const F& f) { return f.subject(); });
}

Result Fsck(Session& session, const FsckArgs& args) {
  ASSIGN_OR_RETURN(ControlStub * stub, session.Control());
  v1::CheckStoreRequest request;
  request.set_no_checkpoints(args.no_checkpoints);
  const auto context = session.StreamContext();
  auto reader = stub->CheckStore(context.get(), request);
  v1::CheckStoreResponse step;
  std::vector<v1::CheckStoreResponse> findings;
  bool damage = false;
  while (reader->Read(&step)) {
    if (step.severity() != v1::CheckStoreResponse::SEVERITY_UNSPECIFIED) findings.push_back(step);
    damage = damage || step.severity() == v1::CheckStoreResponse::SEVERITY_DAMAGE;
    ShowProgress(session, absl::StrCat("looked at ", step.checked()));
  }
  ShowProgress(session, "");
  const grpc::Status status = reader->Finish();
  if (!status.ok()) return session.Explain(status);
  session.Print(FindingRecords(findings));
  if (!damage) session.Note("no damage was found");
  if (!damage) return kDone;
  return absl::DataLossError(
      "something is damaged; docs/operations.md says how to restore a backup");
}

}  // namespace

void AddAdminCommands(Cli& cli) {
  CLI::App* group = cli.AddGroup("admin", "The coordinator's data: backup and check");
  BackupArgs* backup = nullptr;
  CLI::App* command = cli.Add<BackupArgs>(
      group, "backup", "Copy studies and checkpoints to a new folder while everything runs on",
      "vlmctl admin backup /backups/2026-11-25", Backup, &backup);
  command->add_option("DIR", backup->directory, "New or empty folder on the coordinator's machine")
      ->required();
  command->add_flag("--no-checkpoints", backup->no_checkpoints, "The study file only");
  FsckArgs* fsck = nullptr;
  command =
      cli.Add<FsckArgs>(group, "fsck", "Read every row and checkpoint and name what is damaged",
                        "vlmctl admin fsck", Fsck, &fsck);
  command->add_flag("--no-checkpoints", fsck->no_checkpoints, "Do not read the checkpoints' bytes");
}

}  // namespace vlm::client
