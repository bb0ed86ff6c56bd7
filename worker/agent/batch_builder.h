// Joins what one rank reports, and the lines it writes, to batches of a sensible size. Not
// thread-safe: the attempt's lock guards it.
#pragma once

#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "vlm/v1/trainer.pb.h"

namespace vlm::agent {

class BatchBuilder {
 public:
  explicit BatchBuilder(int rank) : rank_(rank) {}

  // Points of the same series are joined, in order. An outcome in `report` is not taken over.
  void Add(v1::Report report, absl::Duration now);
  void AddLines(std::vector<v1::LogLine> lines, absl::Duration now);
  // Whether it should go now: it holds a validation (the pruner waits for it), it is large, or it
  // has waited for 100 ms.
  bool Due(absl::Duration now) const;
  bool empty() const { return !since_.has_value(); }
  // What was gathered; the builder is empty afterwards. REQUIRES: !empty().
  v1::Report Take();

 private:
  int rank_;
  v1::Report pending_;
  std::optional<absl::Duration> since_;  // When the first of it came.
};

}  // namespace vlm::agent
