#include "server/core/attempt_state.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace vlm::core {
namespace {

std::string WithoutPrefix(const std::string& name, const char* prefix) {
  return std::string(absl::StripPrefix(name, prefix));
}

}  // namespace

const std::vector<AttemptMove>& AttemptMoves() {
  static const auto& moves = *new std::vector<AttemptMove>{
      {v1::ATTEMPT_STATE_UNSPECIFIED, v1::ATTEMPT_STATE_OFFERED, "granted: rows and lease commit"},
      {v1::ATTEMPT_STATE_OFFERED, v1::ATTEMPT_STATE_ACCEPTED, "one of several agents accepts"},
      {v1::ATTEMPT_STATE_OFFERED, v1::ATTEMPT_STATE_RENDEZVOUS, "the only agent accepts"},
      {v1::ATTEMPT_STATE_ACCEPTED, v1::ATTEMPT_STATE_RENDEZVOUS, "the last agent accepts"},
      {v1::ATTEMPT_STATE_RENDEZVOUS, v1::ATTEMPT_STATE_RUNNING, "first report of rank 0"},
      {v1::ATTEMPT_STATE_RUNNING, v1::ATTEMPT_STATE_SUCCEEDED, "trained to its end"},
      {v1::ATTEMPT_STATE_RUNNING, v1::ATTEMPT_STATE_PRUNED, "the pruner ended it"},
      {v1::ATTEMPT_STATE_RENDEZVOUS, v1::ATTEMPT_STATE_STOPPED, "a person stopped it"},
      {v1::ATTEMPT_STATE_RUNNING, v1::ATTEMPT_STATE_STOPPED, "a person stopped it"},
      {v1::ATTEMPT_STATE_OFFERED, v1::ATTEMPT_STATE_STOPPED, "a person stopped it"},
      {v1::ATTEMPT_STATE_ACCEPTED, v1::ATTEMPT_STATE_STOPPED, "a person stopped it"},
      {v1::ATTEMPT_STATE_OFFERED, v1::ATTEMPT_STATE_PREEMPTED, "the worker leaves"},
      {v1::ATTEMPT_STATE_ACCEPTED, v1::ATTEMPT_STATE_PREEMPTED, "the worker leaves"},
      {v1::ATTEMPT_STATE_RENDEZVOUS, v1::ATTEMPT_STATE_PREEMPTED, "the worker leaves"},
      {v1::ATTEMPT_STATE_RUNNING, v1::ATTEMPT_STATE_PREEMPTED, "the worker leaves"},
      {v1::ATTEMPT_STATE_OFFERED, v1::ATTEMPT_STATE_FAILED, "an agent refuses"},
      {v1::ATTEMPT_STATE_ACCEPTED, v1::ATTEMPT_STATE_FAILED, "an agent refuses"},
      {v1::ATTEMPT_STATE_RENDEZVOUS, v1::ATTEMPT_STATE_FAILED, "a rank fails"},
      {v1::ATTEMPT_STATE_RUNNING, v1::ATTEMPT_STATE_FAILED, "a rank fails"},
      {v1::ATTEMPT_STATE_OFFERED, v1::ATTEMPT_STATE_LOST, "the lease runs out"},
      {v1::ATTEMPT_STATE_ACCEPTED, v1::ATTEMPT_STATE_LOST, "the lease runs out"},
      {v1::ATTEMPT_STATE_RENDEZVOUS, v1::ATTEMPT_STATE_LOST, "the lease runs out"},
      {v1::ATTEMPT_STATE_RUNNING, v1::ATTEMPT_STATE_LOST, "the lease runs out"},
  };
  return moves;
}

bool MayMove(v1::AttemptState from, v1::AttemptState to) {
  return std::any_of(AttemptMoves().begin(), AttemptMoves().end(),
                     [&](const AttemptMove& move) { return move.from == from && move.to == to; });
}

bool IsEnd(v1::AttemptState state) { return state >= v1::ATTEMPT_STATE_SUCCEEDED; }
bool IsEnd(v1::TrialState state) { return state >= v1::TRIAL_STATE_COMPLETE; }
bool IsEnd(v1::StudyState state) { return state >= v1::STUDY_STATE_COMPLETED; }

std::string ShortName(v1::AttemptState state) {
  return WithoutPrefix(v1::AttemptState_Name(state), "ATTEMPT_STATE_");
}
std::string ShortName(v1::TrialState state) {
  return WithoutPrefix(v1::TrialState_Name(state), "TRIAL_STATE_");
}
std::string ShortName(v1::StudyState state) {
  return WithoutPrefix(v1::StudyState_Name(state), "STUDY_STATE_");
}
std::string ShortName(v1::FailureClass failure_class) {
  return WithoutPrefix(v1::FailureClass_Name(failure_class), "FAILURE_CLASS_");
}

std::string DrawAttemptMoves() {
  std::string out = "stateDiagram-v2\n";
  for (const AttemptMove& move : AttemptMoves()) {
    const std::string from =
        move.from == v1::ATTEMPT_STATE_UNSPECIFIED ? "[*]" : ShortName(move.from);
    absl::StrAppend(&out, "    ", from, " --> ", ShortName(move.to), ": ", move.when, "\n");
  }
  return out;
}

}  // namespace vlm::core
