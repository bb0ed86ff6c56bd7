// trial logs: prints a log and, with -f, follows it over restarts of the coordinator.
#include <algorithm>
#include <atomic>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli.h"
#include "client/commands/trial.h"
#include "client/follow/follow.h"

namespace vlm::client {
namespace {

constexpr absl::Duration kPatience = absl::Minutes(5);
constexpr absl::Duration kPiece = absl::Milliseconds(500);

struct LogArgs {
  std::string trial;
  int rank = -2;
  int tail = 0;
  int attempt = 0;
  bool follow = false;
  bool timestamps = false;
};

void PrintLine(Session& session, const LogArgs& args, const v1::LogLine& line) {
  google::protobuf::Timestamp time;
  time.set_seconds(line.time_ms() / 1000);
  time.set_nanos(static_cast<int32_t>(line.time_ms() % 1000 * 1'000'000));
  if (session.format() == Format::kJson) {
    const Json object = {{"sequence", line.sequence()}, {"time", JsonTime(time)},
                         {"attempt", line.attempt()},   {"rank", line.rank()},
                         {"stream", line.stream()},     {"text", line.text()}};
    session.out() << DumpJson(object, false) << "\n";
    return;
  }
  if (args.timestamps) session.out() << FormatTimestamp(time) << " ";
  if (session.format() == Format::kWide) {
    session.out() << absl::StrFormat("[%d.%s] ", line.attempt(),
                                     line.rank() < 0 ? "agent" : absl::StrCat(line.rank()));
  }
  session.out() << Sanitize(line.text()) << "\n";
}

// Cancels a call as soon as Ctrl-C was pressed.
class InterruptGuard {
 public:
  explicit InterruptGuard(grpc::ClientContext* context)
      : thread_([this, context] {
          while (!done_) {
            if (Interrupted()) return context->TryCancel();
            absl::SleepFor(absl::Milliseconds(50));
          }
        }) {}
  ~InterruptGuard() {
    done_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> done_{false};
  std::thread thread_;
};

grpc::Status ReadOnce(Session& session, ControlStub* stub, const LogArgs& args,
                      v1::TailLogsRequest* request, bool* got_any) {
  const auto context = session.StreamContext();
  const InterruptGuard guard(context.get());
  const auto reader = stub->TailLogs(context.get(), *request);
  v1::TailLogsResponse response;
  while (reader->Read(&response)) {
    for (const v1::LogLine& line : response.lines()) {
      PrintLine(session, args, line);
      request->set_after_sequence(std::max(request->after_sequence(), line.sequence()));
    }
    session.out() << std::flush;
    request->set_tail(0);  // What comes after a break is wanted whole.
    *got_any = true;
  }
  return reader->Finish();
}

Result Logs(Session& session, const LogArgs& args) {
  v1::TailLogsRequest request;
  request.set_trial(args.trial);
  if (args.rank >= -1) request.set_rank(args.rank);
  request.set_tail(args.tail);
  request.set_attempt(args.attempt);
  request.set_follow(args.follow);
  ASSIGN_OR_RETURN(ControlStub * stub, session.Control());
  CatchInterrupts();
  while (true) {
    bool got_any = false;
    const grpc::Status status = ReadOnce(session, stub, args, &request, &got_any);
    if (Interrupted()) return kInterrupted;
    if (status.ok()) return kDone;
    const bool heals = status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                       status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED;
    const bool began = got_any || request.after_sequence() > 0;
    if (!args.follow || !heals || !began) return session.Explain(status);
    const absl::Time give_up = absl::Now() + kPatience;
    while (!session.WaitForCoordinator(kPiece)) {
      if (Interrupted()) return kInterrupted;
      if (absl::Now() > give_up) return session.Explain(status);
    }
  }
}

}  // namespace

void AddTrialLogs(Cli& cli, CLI::App* group) {
  LogArgs* args = nullptr;
  CLI::App* command = cli.Add<LogArgs>(group, "logs", "What a trial's trainers and agent wrote",
                                       "vlmctl trial logs demo/3 -f --rank 0", Logs, &args);
  command->add_option("TRIAL", args->trial, "STUDY/NUMBER or trial id")->required();
  command->add_flag("-f,--follow", args->follow, "Go on until the trial has ended");
  command->add_option("--rank", args->rank, "Only this rank; -1 is the agent [all]")
      ->check(CLI::Range(-1, 100'000));
  command->add_option("--tail", args->tail, "Start with the last so many lines [all]")
      ->check(CLI::PositiveNumber);
  command->add_option("--attempt", args->attempt, "Only this attempt [all]")
      ->check(CLI::PositiveNumber);
  command->add_flag("--timestamps", args->timestamps, "Print each line's time");
}

}  // namespace vlm::client
