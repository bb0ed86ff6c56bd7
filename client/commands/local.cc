// up, down.
#include "client/local/local.h"

#include "absl/strings/str_cat.h"
#include "client/cli.h"

namespace vlm::client {
namespace {

struct UpArgs {
  UpOptions options;
};

Result RunUp(Session& session, const UpArgs& args) {
  ASSIGN_OR_RETURN(const LocalPaths paths, FindLocalPaths());
  ASSIGN_OR_RETURN(const UpResult result, Up(paths, args.options));
  const auto verb = [](bool started) { return started ? "started" : "already running"; };
  session.Note(absl::StrCat("coordinator ", verb(result.coordinator_started), " (pid ",
                            result.coordinator_pid, "), worker ", verb(result.worker_started),
                            " (pid ", result.worker_pid, "); studies and logs are in ",
                            paths.state_dir));
  if (!result.worker_started && (args.options.slots > 0 || args.options.threads_per_slot > 0)) {
    session.Note("the running worker keeps its slots; `vlmctl down` first to change them");
  }
  session.out() << paths.address() << "\n";
  return kDone;
}

struct DownArgs {
  double grace_s = 40;  // A worker gives its trainers 30 s to write a checkpoint.
};

Result RunDown(Session& session, const DownArgs& args) {
  ASSIGN_OR_RETURN(const LocalPaths paths, FindLocalPaths());
  ASSIGN_OR_RETURN(const DownResult result, Down(paths, absl::Seconds(args.grace_s)));
  if (!result.worker_stopped && !result.coordinator_stopped) {
    session.Note("nothing was running");
    return kDone;
  }
  session.Note(absl::StrCat(
      result.worker_stopped ? "worker stopped" : "no worker was running", ", ",
      result.coordinator_stopped ? "coordinator stopped" : "no coordinator was running",
      result.killed ? " (one had to be killed)" : "", "; studies are kept in ", paths.data_dir()));
  return kDone;
}

}  // namespace

void AddLocalCommands(Cli& cli) {
  UpArgs* up = nullptr;
  CLI::App* command =
      cli.Add<UpArgs>(&cli.root(), "up", "Start a coordinator and a worker on this machine",
                      "vlmctl up --slots 2", RunUp, &up);
  command->add_option("--slots", up->options.slots, "Trials at once [what the machine has]")
      ->check(CLI::Range(1, 1024));
  command
      ->add_option("--threads-per-slot", up->options.threads_per_slot,
                   "Compute threads of a CPU slot [cores / slots]")
      ->check(CLI::Range(1, 1024));
  DownArgs* down = nullptr;
  command =
      cli.Add<DownArgs>(&cli.root(), "down", "Stop what `vlmctl up` started; studies are kept",
                        "vlmctl down", RunDown, &down);
  command->add_option("--grace", down->grace_s, "Seconds to end in before it is killed [40]")
      ->check(CLI::Range(0.0, 3600.0));
}

}  // namespace vlm::client
