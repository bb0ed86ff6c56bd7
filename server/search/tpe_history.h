// Which trials of a study TPE takes for good ones ("below") and which for the others ("above"),
// kept as trials come and end (optuna/samplers/_tpe/sampler.py, _split_trials). Not thread-safe.
#pragma once

#include <deque>
#include <set>
#include <tuple>

#include "absl/container/btree_set.h"
#include "server/search/sampler.h"

namespace vlm::search {

class TpeHistory {
 public:
  enum class Side : uint8_t {
    kNone,  // Not looked at: failed, waiting, unknown.
    kBelow,
    kAbove,
    kOld,  // Above, but older than the newest `max_above`.
  };
  // RUNNING trials count as above with `constant_liar`. 0 = no limit on the trials above.
  TpeHistory(bool constant_liar, size_t max_above)
      : constant_liar_(constant_liar), max_above_(max_above) {}

  // Trial `number` has begun, ended or changed.
  void Observe(const StudyView& study, int64_t number);
  // Takes a trial out until it is observed again.
  void Forget(int64_t number);
  // Brings the split up to date. Cheap for one objective.
  void Settle(const StudyView& study);

  // COMPLETE and PRUNED trials.
  size_t finished() const { return below_.size() + rest_.size(); }
  Side side(int64_t number) const {
    const auto index = static_cast<size_t>(number);
    return index < sides_.size() ? sides_[index] : Side::kNone;
  }
  // Trials below or above. For a first look; later ones read the changes.
  std::vector<int64_t> Members() const;

  // Numbers whose side or values may have changed are listed from the `begin`th on; false: the list
  // does not reach back so far, look at Members().
  uint64_t changes_end() const { return changes_begin_ + changes_.size(); }
  bool ChangesSince(uint64_t begin, std::vector<int64_t>* numbers) const;

 private:
  // Better trials first: the group (complete, pruned, infeasible), two keys, the number. Small, as
  // there are two of each trial.
  struct Rank {
    int32_t group;
    uint32_t number;
    double first;
    double second;
    auto Key() const { return std::tie(group, first, second, number); }
    bool operator<(const Rank& other) const { return Key() < other.Key(); }
    bool operator==(const Rank& other) const { return Key() == other.Key(); }
  };
  static constexpr int32_t kNoGroup = -1;
  static Rank RankOf(const StudyView& study, const TrialView& trial);
  size_t Good(const StudyView& study) const;
  void SetSide(int64_t number, Side side);
  void Note(int64_t number);
  void ToAbove(int64_t number);
  void LeaveAbove(int64_t number);
  void Balance(size_t good);
  void SplitByRanks(const StudyView& study);

  const bool constant_liar_;
  const size_t max_above_;
  absl::btree_set<Rank> below_;
  absl::btree_set<Rank> rest_;
  std::set<int64_t> above_;       // Sides kAbove.
  absl::btree_set<int64_t> old_;  // Sides kOld.
  std::vector<Side> sides_;       // By number.
  std::vector<Rank> ranks_;       // By number; group kNoGroup unless COMPLETE or PRUNED.
  bool dirty_ = false;
  std::deque<int64_t> changes_;
  uint64_t changes_begin_ = 0;
};

}  // namespace vlm::search
