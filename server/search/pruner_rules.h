// What several pruners share.
#pragma once

#include <optional>

#include "server/search/pruner.h"
#include "server/search/report_index.h"

namespace vlm::search {

inline const TrialView& TrialOf(const StudyView& study, int64_t number) {
  return (*study.trials)[static_cast<size_t>(number)];
}

// The study's index, or one made of its trials for this question.
class Reports {
 public:
  explicit Reports(const StudyView& study) : index_(study.reports) {
    if (index_ == nullptr) index_ = &own_.emplace(*study.trials);
  }
  ReportIndex* operator->() { return index_; }
  const ReportIndex& operator*() const { return *index_; }

 private:
  std::optional<ReportIndex> own_;
  ReportIndex* index_;
};

inline bool Maximizes(const StudyView& study) {
  return !study.directions.empty() && study.directions[0] == v1::DIRECTION_MAXIMIZE;
}

// Whether `step`, the newest in `reported` (any map by step), is the first one since the last
// multiple of `interval` after `warmup` (REQUIRES: step >= warmup).
template <typename Reported>
bool FirstInInterval(const Reported& reported, int64_t step, int64_t warmup, int64_t interval) {
  interval = interval > 0 ? interval : 1;
  const int64_t gate = (step - warmup) / interval * interval + warmup;
  int64_t before = -1;
  for (auto it = reported.rbegin(); it != reported.rend(); ++it) {
    if (it->first == step) continue;
    before = it->first;
    break;
  }
  return before < gate;
}

}  // namespace vlm::search
