// What a follower knows of one study, built out of watch events, and how it looks. No I/O; the time
// comes from the caller. Events may repeat (a watch that resumes): only changes make lines.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/follow/progress.h"
#include "vlm/v1/study.pb.h"

namespace vlm::client {

class Board {
 public:
  // Takes an event in and returns the lines that a log without redrawing should get.
  std::vector<std::string> Apply(const v1::Event& event, absl::Time now);

  bool known() const { return known_; }
  bool ended() const;
  bool deleted() const { return deleted_; }
  const v1::Study& study() const { return study_; }
  Progress CurrentProgress(absl::Time now) const;
  // The best COMPLETE trial; null before the first.
  const v1::Trial* best() const;

  // One line for logs.
  std::string Summary(absl::Time now) const;
  // Lines for a terminal, none wider than `width`.
  std::vector<std::string> Frame(int width, int height, bool color, absl::Time now) const;

 private:
  void ApplyStudy(const v1::Study& study, absl::Time now, std::vector<std::string>* lines);
  void ApplyTrial(const v1::Event& event, absl::Time now, std::vector<std::string>* lines);
  void SetElapsed(absl::Duration elapsed, absl::Time now);
  std::string EndLine(const v1::Trial& trial) const;
  std::string Head(int width, bool color, absl::Time now) const;
  v1::TrialCounts Counts() const;

  bool known_ = false;
  bool deleted_ = false;
  v1::Study study_;
  std::map<int64_t, v1::Trial> trials_;    // By number.
  std::optional<absl::Duration> elapsed_;  // As of elapsed_at_.
  absl::Time elapsed_at_;
};

// "train_loss 2.31  val_loss 2.40  lr 0.001": the series people look at first.
std::string PointsText(const v1::Trial& trial);

}  // namespace vlm::client
