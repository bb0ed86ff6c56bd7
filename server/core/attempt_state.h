// The life of an attempt as data: which state may follow which. One setter (Core::SetAttemptState)
// consults it and refuses everything else; a test draws it into ARCHITECTURE.md.
#pragma once

#include <string>
#include <vector>

#include "vlm/v1/study.pb.h"

namespace vlm::core {

struct AttemptMove {
  v1::AttemptState from;
  v1::AttemptState to;
  const char* when;
};

const std::vector<AttemptMove>& AttemptMoves();
bool MayMove(v1::AttemptState from, v1::AttemptState to);
// SUCCEEDED, PRUNED, STOPPED, PREEMPTED, FAILED and LOST.
bool IsEnd(v1::AttemptState state);
// COMPLETE, PRUNED and FAIL.
bool IsEnd(v1::TrialState state);
// COMPLETED, CANCELLED and FAILED.
bool IsEnd(v1::StudyState state);
// The name without its prefix, such as "RUNNING".
std::string ShortName(v1::AttemptState state);
std::string ShortName(v1::TrialState state);
std::string ShortName(v1::StudyState state);
std::string ShortName(v1::FailureClass failure_class);
// A Mermaid state diagram of the table.
std::string DrawAttemptMoves();

}  // namespace vlm::core
