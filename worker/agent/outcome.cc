#include "worker/agent/outcome.h"

#include <algorithm>
#include <csignal>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace vlm::agent {
namespace {

constexpr size_t kLongestReason = 2000;

v1::Outcome Failed(v1::FailureClass failure_class, std::string reason, const ExitInfo& exit) {
  v1::Outcome outcome;
  outcome.set_state(v1::ATTEMPT_STATE_FAILED);
  outcome.set_failure_class(failure_class);
  if (reason.size() > kLongestReason) {
    reason.resize(kLongestReason);
    while (!reason.empty() && (static_cast<unsigned char>(reason.back()) & 0xC0) == 0x80) {
      reason.pop_back();  // No half a character at the end.
    }
    if (!reason.empty() && static_cast<unsigned char>(reason.back()) >= 0xC0) reason.pop_back();
  }
  outcome.set_reason(reason);
  outcome.set_exit_code(exit.exit_code);
  outcome.set_signal(exit.signal);
  return outcome;
}

std::string WithLines(std::string reason, const ExitInfo& exit) {
  const absl::string_view lines = absl::StripSuffix(exit.last_lines, "\n");
  return lines.empty() ? reason : absl::StrCat(reason, ": ", lines);
}

v1::AttemptState StateOf(v1::Command::Action action) {
  switch (action) {
    case v1::Command::ACTION_PRUNE:
      return v1::ATTEMPT_STATE_PRUNED;
    case v1::Command::ACTION_STOP:
      return v1::ATTEMPT_STATE_STOPPED;
    case v1::Command::ACTION_PREEMPT:
      return v1::ATTEMPT_STATE_PREEMPTED;
    default:
      return v1::ATTEMPT_STATE_UNSPECIFIED;
  }
}

// Smaller is nearer to the cause.
int CauseOrder(const RankEnd& end) {
  if (!end.outcome.has_value()) return 1;  // It crashed.
  switch (end.outcome->failure_class()) {
    case v1::FAILURE_CLASS_USER_ERROR:
    case v1::FAILURE_CLASS_DIVERGED:
    case v1::FAILURE_CLASS_OUT_OF_MEMORY:
      return 0;
    default:
      return 2;
  }
}

v1::Outcome OutcomeOf(const RankEnd& end, const v1::Command& command) {
  v1::Outcome outcome;
  if (end.outcome.has_value()) {
    outcome = *end.outcome;
    outcome.set_exit_code(end.exit.exit_code);
    outcome.set_signal(end.exit.killed_by_agent ? 0 : end.exit.signal);
    return outcome;
  }
  if (end.exit.killed_by_agent && StateOf(command.action()) != v1::ATTEMPT_STATE_UNSPECIFIED &&
      !end.stopped_as_peer) {
    outcome.set_state(StateOf(command.action()));
    outcome.set_reason(absl::StrCat(command.reason(), " (it did not obey in time and was killed)"));
    return outcome;
  }
  return Classify(end.exit);
}

}  // namespace

std::string SignalName(int signal) {
  const char* name = sigabbrev_np(signal);
  return name == nullptr ? absl::StrCat("signal ", signal) : absl::StrCat("SIG", name);
}

v1::Outcome Classify(const ExitInfo& exit) {
  if (!exit.protocol_error.empty()) {
    return Failed(v1::FAILURE_CLASS_UNKNOWN,
                  absl::StrCat("the trainer broke the protocol: ", exit.protocol_error), exit);
  }
  if (exit.signal == SIGKILL && exit.oom_evidence && !exit.killed_by_agent) {
    return Failed(v1::FAILURE_CLASS_OUT_OF_MEMORY,
                  "killed by the kernel because the memory ran out", exit);
  }
  if (exit.signal == SIGKILL && exit.killed_by_agent) {
    return Failed(v1::FAILURE_CLASS_INFRA, "killed by the agent", exit);
  }
  if (exit.signal != 0) {
    return Failed(v1::FAILURE_CLASS_UNKNOWN,
                  WithLines(absl::StrCat("crashed with signal ", exit.signal, " (",
                                         SignalName(exit.signal), ")"),
                            exit),
                  exit);
  }
  if (exit.exit_code == 2) {
    return Failed(v1::FAILURE_CLASS_USER_ERROR,
                  exit.last_lines.empty() ? "exit code 2" : exit.last_lines, exit);
  }
  return Failed(
      v1::FAILURE_CLASS_UNKNOWN,
      WithLines(absl::StrCat("exited with code ", exit.exit_code, " before it told its outcome"),
                exit),
      exit);
}

v1::Outcome Combine(const std::vector<RankEnd>& ends, const v1::Command& command) {
  const RankEnd* cause = nullptr;
  const RankEnd* first = nullptr;    // Lowest rank.
  const RankEnd* ordered = nullptr;  // Lowest rank that ended as it was told.
  for (const RankEnd& end : ends) {
    const v1::AttemptState state = OutcomeOf(end, command).state();
    if (first == nullptr || end.rank < first->rank) first = &end;
    if (state == v1::ATTEMPT_STATE_FAILED) {
      if (end.stopped_as_peer) continue;
      const bool better = cause == nullptr || CauseOrder(end) < CauseOrder(*cause) ||
                          (CauseOrder(end) == CauseOrder(*cause) && end.at < cause->at);
      if (better) cause = &end;
    } else if (state != v1::ATTEMPT_STATE_SUCCEEDED && !end.stopped_as_peer) {
      if (ordered == nullptr || end.rank < ordered->rank) ordered = &end;
    }
  }
  const RankEnd* told = cause != nullptr ? cause : ordered != nullptr ? ordered : first;
  if (told == nullptr) return Failed(v1::FAILURE_CLASS_INFRA, "no rank was started", {});
  v1::Outcome outcome = OutcomeOf(*told, command);
  if (cause != nullptr && ends.size() > 1) {
    outcome.set_reason(absl::StrCat("rank ", told->rank, ": ", outcome.reason()));
  }
  return outcome;
}

}  // namespace vlm::agent
