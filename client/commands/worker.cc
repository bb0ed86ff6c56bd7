// worker list|cordon|uncordon|drain|evict.
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/cli.h"
#include "client/prompt.h"
#include "client/resources.h"
#include "common/ids.h"

namespace vlm::client {
namespace {

using Request = v1::UpdateWorkerRequest;
constexpr absl::Duration kLook = absl::Milliseconds(300);  // How often a drain is looked at.

struct WorkerArgs {
  std::string worker;
  std::string reason;
  bool yes = false;
  bool no_wait = false;
  std::string timeout = "10m";
};

Result List(Session& session, const NoArgs&) {
  ASSIGN_OR_RETURN(const auto response,
                   session.Call(&ControlStub::ListWorkers, v1::ListWorkersRequest()));
  if (response.workers().empty()) {
    session.Note("no worker is attached; start one with `vlm-worker --coordinator HOST:PORT`");
  }
  session.Print(WorkerRecords({response.workers().begin(), response.workers().end()}));
  return kDone;
}

absl::StatusOr<v1::UpdateWorkerResponse> Update(Session& session, const WorkerArgs& args,
                                                Request::Action action) {
  Request request;
  request.set_request_id(NewUuid());
  request.set_worker(args.worker);
  request.set_action(action);
  request.set_reason(args.reason);
  return session.Mutate(&ControlStub::UpdateWorker, request);
}

Result Print(Session& session, const v1::Worker& worker) {
  Records records = WorkerRecords({worker});
  records.single = true;
  session.Print(records);
  return kDone;
}

Result Cordon(Session& session, const WorkerArgs& args) {
  ASSIGN_OR_RETURN(const auto response, Update(session, args, Request::ACTION_CORDON));
  session.Note(absl::StrCat("worker ", response.worker().name(),
                            " takes nothing new; what runs there goes on"));
  return Print(session, response.worker());
}

Result Uncordon(Session& session, const WorkerArgs& args) {
  ASSIGN_OR_RETURN(const auto response, Update(session, args, Request::ACTION_UNCORDON));
  session.Note(absl::StrCat("worker ", response.worker().name(), " takes trials again"));
  return Print(session, response.worker());
}

int BusySlots(const v1::Worker& worker) {
  int busy = 0;
  for (const v1::Slot& slot : worker.slots()) busy += slot.attempt_id() != 0 ? 1 : 0;
  return busy;
}

// Until nothing runs there any more. DEADLINE_EXCEEDED: something still does.
absl::StatusOr<v1::Worker> AwaitEmpty(Session& session, v1::Worker worker, absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  while (BusySlots(worker) > 0) {
    if (absl::Now() >= end) {
      return absl::DeadlineExceededError(absl::StrCat(
          "worker ", worker.name(), " still has ", BusySlots(worker), " busy slots after ",
          absl::FormatDuration(timeout), "; `vlmctl worker evict ", worker.worker_id(),
          "` ends what runs there without a checkpoint"));
    }
    absl::SleepFor(kLook);
    ASSIGN_OR_RETURN(const auto all,
                     session.Call(&ControlStub::ListWorkers, v1::ListWorkersRequest()));
    bool there = false;
    for (const v1::Worker& one : all.workers()) {
      if (one.worker_id() != worker.worker_id()) continue;
      worker = one;
      there = true;
    }
    if (!there) break;
  }
  return worker;
}

Result Drain(Session& session, const WorkerArgs& args) {
  ASSIGN_OR_RETURN(const absl::Duration timeout, ParseDurationText(args.timeout));
  ASSIGN_OR_RETURN(const auto response, Update(session, args, Request::ACTION_DRAIN));
  const v1::Worker& worker = response.worker();
  session.Note(absl::StrCat("worker ", worker.name(), " takes nothing new; ",
                            response.attempt_ids_size(),
                            " attempt(s) write a checkpoint and go on elsewhere"));
  if (args.no_wait) return Print(session, worker);
  ASSIGN_OR_RETURN(const v1::Worker empty, AwaitEmpty(session, worker, timeout));
  session.Note(absl::StrCat("nothing runs on worker ", worker.name(), " any more"));
  return Print(session, empty);
}

Result Evict(Session& session, const WorkerArgs& args) {
  RETURN_IF_ERROR(Confirm(session, args.yes,
                          absl::StrCat("End what runs on worker ", args.worker,
                                       " at once? It goes on elsewhere from its newest checkpoint; "
                                       "`vlmctl worker drain` would let it write one first.")));
  ASSIGN_OR_RETURN(const auto response, Update(session, args, Request::ACTION_EVICT));
  const bool attached = response.worker().state() != v1::WORKER_STATE_LOST;
  session.Note(absl::StrCat("worker ", response.worker().name(), ": ", response.attempt_ids_size(),
                            " attempt(s) ended; it ",
                            attached ? "is cordoned" : "was not attached and is forgotten"));
  return Print(session, response.worker());
}

CLI::App* AddOne(Cli& cli, CLI::App* group, const char* name, const char* what,
                 Result (*run)(Session&, const WorkerArgs&), WorkerArgs** args) {
  CLI::App* command = cli.Add<WorkerArgs>(
      group, name, what, absl::StrCat("vlmctl worker ", name, " node-7"), run, args);
  command->add_option("WORKER", (*args)->worker, "Name or id")->required();
  return command;
}

void AddReason(CLI::App* command, WorkerArgs* args) {
  command->add_option("--reason", args->reason, "Why, for those who see it in the list");
}

}  // namespace

void AddWorkerCommands(Cli& cli) {
  CLI::App* group = cli.AddGroup("worker", "The workers of the coordinator");
  NoArgs* none = nullptr;
  cli.Add<NoArgs>(group, "list", "List workers with their slots", "vlmctl worker list -o wide",
                  List, &none);
  WorkerArgs* args = nullptr;
  CLI::App* cordon = AddOne(cli, group, "cordon",
                            "Give a worker nothing new; what runs there goes on", Cordon, &args);
  AddReason(cordon, args);
  AddOne(cli, group, "uncordon", "Give a worker trials again", Uncordon, &args);
  CLI::App* drain =
      AddOne(cli, group, "drain",
             "Cordon a worker and move what runs there elsewhere, by a checkpoint", Drain, &args);
  AddReason(drain, args);
  drain->add_flag("--no-wait", args->no_wait, "Do not wait until nothing runs there");
  drain->add_option("--timeout", args->timeout, "How long to wait, such as 90s or 10m");
  CLI::App* evict =
      AddOne(cli, group, "evict",
             "Cordon a worker and end what runs there at once; forget it if it is not attached",
             Evict, &args);
  AddReason(evict, args);
  evict->add_flag("-y,--yes", args->yes, "Do not ask");
}

}  // namespace vlm::client
