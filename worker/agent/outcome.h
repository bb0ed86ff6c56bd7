// How an attempt's ranks on this node ended, in the words of the coordinator. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "vlm/v1/trainer.pb.h"

namespace vlm::agent {

// How a process ended.
struct ExitInfo {
  int exit_code = 0;
  int signal = 0;  // 0 = it exited by itself.
  bool killed_by_agent = false;
  bool oom_evidence = false;   // The kernel's count of out-of-memory kills moved meanwhile.
  std::string last_lines;      // Of its output.
  std::string protocol_error;  // It sent bytes that are no frame.
};

// What is known of a rank when all have ended.
struct RankEnd {
  int rank = 0;
  std::optional<v1::Outcome> outcome;  // What it said itself.
  ExitInfo exit;
  absl::Duration at;             // Monotonic time of its end.
  bool stopped_as_peer = false;  // It was ended because another rank had failed.
};

// A rank that ended without an outcome of its own.
v1::Outcome Classify(const ExitInfo& exit);

// The node's outcome. `command` is the last order that the ranks got (UNSPECIFIED: none). A failure
// beats everything; of several the cause beats the echoes in its peers (a crash or a stated reason
// beats "connection closed by peer"), then the earliest counts.
v1::Outcome Combine(const std::vector<RankEnd>& ends, const v1::Command& command);

std::string SignalName(int signal);

}  // namespace vlm::agent
