// What several pruners share.
#pragma once

#include "server/search/pruner.h"

namespace vlm::search {

inline const TrialView& TrialOf(const StudyView& study, int64_t number) {
  return (*study.trials)[static_cast<size_t>(number)];
}

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
