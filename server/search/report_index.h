// What pruners ask of a study's other trials, kept ready while trials come and change, so that a
// report costs about the same however many trials have ended: values by step in order, values by
// rung in order, the best trial. Not thread-safe.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "server/search/trial_view.h"

namespace vlm::search {

// Numbers in ascending order, equal ones as often as they were added; no NaN. In pieces of some
// hundred, so that each call costs a walk over the pieces and a search in one of them.
class SortedNumbers {
 public:
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  void Add(double value);
  // One of those equal to it. REQUIRES: it was added.
  void Remove(double value);
  // The one with `position` before it. REQUIRES: position < size().
  double At(size_t position) const;
  size_t CountBelow(double value) const;
  size_t CountAbove(double value) const;

 private:
  using Piece = std::vector<double>;
  std::vector<Piece> pieces_;  // None is empty.
  size_t size_ = 0;
};

class ReportIndex {
 public:
  // At one step, of COMPLETE trials.
  struct Step {
    SortedNumbers values;  // Without NaN.
    size_t nan = 0;
  };

  ReportIndex() = default;
  explicit ReportIndex(const Trials& trials);

  // `fresh` takes the place of `old`, which is of the same number or an empty view.
  void Replace(const TrialView& old, const TrialView& fresh);

  int64_t complete() const { return complete_; }
  // Null: no COMPLETE trial has reported at that step.
  const Step* AtStep(int64_t step) const;
  // The largest last step of a COMPLETE trial; -1: none has reported.
  int64_t LongestComplete() const;
  // The resource that an earlier decision found and had stored; 0: none.
  int64_t StoredResource() const;
  // Of a study with one objective: the COMPLETE trial with the best value that violates no
  // constraint, of equal ones the first. Null: none. `trials` are those that were put in.
  const TrialView* Best(const Trials& trials, bool maximize);

  // Which group a trial's rungs are in: only trials of one group compete. One group for all, until
  // GroupBy; `key` stands for the function: with the same one nothing is done. A trial's values at
  // rungs, whatever its state.
  using GroupOf = std::function<int64_t(int64_t number)>;
  void GroupBy(const std::string& key, const GroupOf& group_of, const Trials& trials);
  // Null: nobody has come so far.
  const SortedNumbers* AtRung(int64_t group, size_t rung) const;

 private:
  enum class Change { kAdd, kRemove };
  void Count(const TrialView& trial, Change change);
  void CountRungs(const TrialView& trial, Change change);
  void CompareToBest(const TrialView& old, const TrialView& fresh);

  int64_t complete_ = 0;
  absl::flat_hash_map<int64_t, Step> steps_;
  absl::btree_map<int64_t, int64_t> last_steps_;  // How many COMPLETE trials ended there.
  absl::btree_map<int64_t, int64_t> resources_;   // By number.
  absl::flat_hash_map<int64_t, std::vector<SortedNumbers>> rungs_;  // By group.
  std::string group_key_;
  GroupOf group_of_;  // Empty: one group.
  // Numbers of the trials with the smallest and the largest value; looked for anew when unset.
  struct Extreme {
    bool known = true;
    int64_t number = -1;  // -1: there is none.
    double value = 0;
  };
  Extreme lowest_;
  Extreme highest_;
};

}  // namespace vlm::search
