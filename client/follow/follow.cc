#include "client/follow/follow.h"

#include <csignal>

#include "absl/strings/str_cat.h"
#include "client/exit_codes.h"
#include "client/follow/board.h"
#include "client/follow/screen.h"
#include "client/follow/watcher.h"
#include "client/resources.h"

namespace vlm::client {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(200);  // Of the drawing.
constexpr absl::Duration kPlainEvery = absl::Seconds(10);  // Between summaries in a log.
constexpr absl::Duration kPatience = absl::Minutes(5);     // With an absent coordinator.

volatile std::sig_atomic_t g_interrupted = 0;

void OnInterrupt(int) { g_interrupted = 1; }

Json EventJson(const v1::Event& event, const std::string& study) {
  Json out = {{"sequence", event.sequence()},
              {"time", JsonTime(event.time())},
              {"kind", event.kind()},
              {"message", event.message()}};
  const auto add = [&out](const char* key, const Records& records) {
    Json object = Json::object();
    for (size_t i = 0; i < records.columns.size(); ++i) {
      object[records.columns[i].key] = records.rows[0].cells[i].value;
    }
    out[key] = std::move(object);
  };
  if (event.has_study()) add("study", StudyRecords({event.study()}));
  if (event.has_trial()) add("trial", TrialRecords(study, {event.trial()}));
  return out;
}

// Where progress goes: one of the three ways to show it.
class Display {
 public:
  Display(Session& session, const FollowOptions& options)
      : session_(session),
        options_(options),
        stream_(options.to_stdout ? session.out() : session.err()),
        fd_(options.to_stdout ? session.streams().out_fd : session.streams().err_fd),
        draws_(!options.quiet && !(options.to_stdout && session.structured()) &&
               (options.to_stdout ? session.OutIsTerminal() : session.ErrIsTerminal())),
        json_(options.to_stdout && session.structured()),
        screen_(stream_) {}

  void OnEvent(const v1::Event& event, const std::vector<std::string>& lines) {
    if (options_.quiet) return;
    if (json_) {
      stream_ << DumpJson(EventJson(event, options_.study), false) << "\n" << std::flush;
    } else if (draws_) {
      screen_.Print(lines);
    } else {
      for (const std::string& line : lines) stream_ << line << "\n";
      if (!lines.empty()) stream_ << std::flush;
    }
  }
  void Refresh(const Board& board, bool reconnecting, absl::Time now) {
    if (options_.quiet || json_) return;
    if (draws_) {
      const TerminalSize size = SizeOf(fd_);
      auto frame = board.Frame(size.columns - 1, size.rows, session_.color(), now);
      if (reconnecting) frame.push_back("  waiting for the coordinator");
      screen_.Draw(frame);
      return;
    }
    if (reconnecting && !said_away_) stream_ << "waiting for the coordinator\n" << std::flush;
    said_away_ = reconnecting;
    if (!board.known() || board.ended() || now - last_summary_ < kPlainEvery) return;
    if (last_summary_ != absl::InfinitePast()) stream_ << board.Summary(now) << "\n" << std::flush;
    last_summary_ = now;
  }
  void Last(const Board& board, absl::Time now) {
    if (draws_) {
      Refresh(board, false, now);
    } else if (!options_.quiet && !json_ && board.known()) {
      stream_ << board.Summary(now) << "\n" << std::flush;
    }
  }

 private:
  Session& session_;
  const FollowOptions& options_;
  std::ostream& stream_;
  int fd_;
  bool draws_;
  bool json_;
  Screen screen_;
  bool said_away_ = false;
  absl::Time last_summary_ = absl::InfinitePast();
};

}  // namespace

void CatchInterrupts() {
  struct sigaction action {};
  action.sa_handler = OnInterrupt;
  action.sa_flags = SA_RESETHAND;  // The second Ctrl-C ends a program that hangs.
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool Interrupted() { return g_interrupted != 0; }

absl::StatusOr<int> Follow(Session& session, const FollowOptions& options) {
  ASSIGN_OR_RETURN(ControlStub * stub, session.Control());
  CatchInterrupts();
  Board board;
  Display display(session, options);
  Watcher watcher(session, stub, options.study, kPatience);
  const std::string back = absl::StrCat(
      "study ", options.study, " goes on; come back with `vlmctl study watch ", options.study, "`");
  while (!board.ended()) {
    const Watcher::News news = watcher.Next(kTick);
    for (const v1::Event& event : news.events) {
      display.OnEvent(event, board.Apply(event, absl::Now()));
    }
    display.Refresh(board, news.reconnecting, absl::Now());
    if (Interrupted()) {
      session.Note(back);
      return kInterrupted;
    }
    if (news.over) {
      if (news.status.code() == absl::StatusCode::kDeadlineExceeded) {
        return absl::DeadlineExceededError(absl::StrCat("--timeout has passed; ", back));
      }
      return news.status;
    }
  }
  display.Last(board, absl::Now());
  if (board.deleted()) return kEndedBadly;
  return board.study().state() == v1::STUDY_STATE_COMPLETED ? kDone : kEndedBadly;
}

}  // namespace vlm::client
