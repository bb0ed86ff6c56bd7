#include "server/search/tpe_history.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "server/search/pareto.h"

namespace vlm::search {
namespace {

constexpr size_t kMaxGood = 25;          // One objective.
constexpr size_t kMaxChanges = 1 << 16;  // Longer lists are read anew.

enum Group { kComplete, kPruned, kInfeasible };

double Sign(const StudyView& study, size_t objective) {
  return objective < study.directions.size() &&
                 study.directions[objective] == v1::DIRECTION_MAXIMIZE
             ? -1
             : 1;
}

}  // namespace

// COMPLETE by value, PRUNED by later last step and then the value there (NaN and none last), those
// that violate constraints by how much.
TpeHistory::Rank TpeHistory::RankOf(const StudyView& study, const TrialView& trial) {
  const auto number = static_cast<uint32_t>(trial.number());
  const bool complete = trial.state() == v1::TRIAL_STATE_COMPLETE;
  const size_t objectives = std::max<size_t>(1, study.directions.size());
  if (!complete && trial.state() != v1::TRIAL_STATE_PRUNED) return {kNoGroup, number, 0, 0};
  // Other programs may store a wrong number of values; such a trial says nothing.
  if (complete && trial.values().size() != objectives) return {kNoGroup, number, 0, 0};
  if (const double violation = trial.violation(); violation > 0) {
    return {kInfeasible, number, violation, 0};
  }
  if (complete) {
    return {kComplete, number, objectives > 1 ? 0 : Sign(study, 0) * trial.values()[0], 0};
  }
  if (trial.intermediate_values().empty()) return {kPruned, number, 1, 0};
  const auto& [step, value] = *trial.intermediate_values().rbegin();
  return {kPruned, number, -static_cast<double>(step),
          std::isnan(value) ? std::numeric_limits<double>::infinity() : Sign(study, 0) * value};
}

void TpeHistory::SetSide(int64_t number, Side side) {
  const auto index = static_cast<size_t>(number);
  if (sides_[index] == side) return;
  sides_[index] = side;
  Note(number);
}

void TpeHistory::Note(int64_t number) {
  changes_.push_back(number);
  if (changes_.size() <= kMaxChanges) return;
  changes_begin_ += changes_.size() / 2;
  changes_.erase(changes_.begin(), changes_.begin() + static_cast<ptrdiff_t>(changes_.size() / 2));
}

void TpeHistory::ToAbove(int64_t number) {
  if (max_above_ == 0 || above_.size() < max_above_ || number > *above_.begin()) {
    above_.insert(number);
    SetSide(number, Side::kAbove);
  } else {
    old_.insert(number);
    SetSide(number, Side::kOld);
  }
  if (max_above_ == 0 || above_.size() <= max_above_) return;
  const int64_t oldest = *above_.begin();
  above_.erase(above_.begin());
  old_.insert(oldest);
  SetSide(oldest, Side::kOld);
}

void TpeHistory::LeaveAbove(int64_t number) {
  old_.erase(number);
  if (above_.erase(number) == 0 || old_.empty()) return;
  const int64_t newest = *old_.rbegin();
  old_.erase(newest);
  above_.insert(newest);
  SetSide(newest, Side::kAbove);
}

void TpeHistory::Forget(int64_t number) {
  const auto index = static_cast<size_t>(number);
  if (index >= sides_.size()) return;
  LeaveAbove(number);
  if (ranks_[index].group != kNoGroup) {
    below_.erase(ranks_[index]);
    rest_.erase(ranks_[index]);
    ranks_[index] = {kNoGroup, static_cast<uint32_t>(number), 0, 0};
    dirty_ = true;
  }
  SetSide(number, Side::kNone);
}

void TpeHistory::Observe(const StudyView& study, int64_t number) {
  const TrialView& trial = (*study.trials)[static_cast<size_t>(number)];
  const auto index = static_cast<size_t>(number);
  if (sides_.size() <= index) {
    sides_.resize(index + 1, Side::kNone);
    ranks_.resize(index + 1, Rank{kNoGroup, 0, 0, 0});
  }
  const Rank rank = RankOf(study, trial);
  if (rank.group != kNoGroup) {
    if (rank == ranks_[index]) return;
    // A running trial that ends stays above until the split says otherwise.
    if (ranks_[index].group != kNoGroup) Forget(number);
    ranks_[index] = rank;
    rest_.insert(rank);
    if (above_.count(number) + old_.count(number) == 0) ToAbove(number);
    Note(number);  // Its parameters may not be those it ran with.
    dirty_ = true;
    return;
  }
  const bool running = trial.state() == v1::TRIAL_STATE_RUNNING && constant_liar_;
  if (running && side(number) != Side::kNone && ranks_[index].group == kNoGroup) {
    return Note(number);
  }
  Forget(number);
  if (running) ToAbove(number);
}

size_t TpeHistory::Good(const StudyView& study) const {
  const auto tenth = static_cast<size_t>(std::ceil(0.1 * static_cast<double>(finished())));
  return study.directions.size() > 1 ? tenth : std::min(tenth, kMaxGood);
}

// The best `good` of all finished ones go below.
void TpeHistory::Balance(size_t good) {
  const auto sink = [this] {
    const Rank worst = *below_.rbegin();
    below_.erase(worst);
    rest_.insert(worst);
    ToAbove(int64_t{worst.number});
  };
  const auto raise = [this] {
    const Rank best = *rest_.begin();
    rest_.erase(best);
    below_.insert(best);
    LeaveAbove(int64_t{best.number});
    SetSide(int64_t{best.number}, Side::kBelow);
  };
  while (!below_.empty() && !rest_.empty() && *rest_.begin() < *below_.rbegin()) {
    raise();
    if (below_.size() > good) sink();
  }
  while (below_.size() > good) sink();
  while (below_.size() < good && !rest_.empty()) raise();
}

void TpeHistory::Settle(const StudyView& study) {
  if (!dirty_) return;
  dirty_ = false;
  if (study.directions.size() > 1) return SplitByRanks(study);
  Balance(Good(study));
}

// Whole ranks go below; the one that is too large is cut by its hypervolume.
void TpeHistory::SplitByRanks(const StudyView& study) {
  size_t good = Good(study);
  std::vector<int64_t> numbers;
  LossRows rows;
  for (const Rank& rank : rest_) {
    if (rank.group != kComplete) break;
    numbers.push_back(int64_t{rank.number});
    const auto values = (*study.trials)[static_cast<size_t>(numbers.back())].values();
    std::vector<double>& row = rows.emplace_back(values.begin(), values.end());
    for (size_t c = 0; c < row.size(); ++c) row[c] *= Sign(study, c);
  }
  std::vector<bool> below(numbers.size(), good >= numbers.size());
  size_t taken = std::min(good, numbers.size());
  if (taken > 0 && taken < numbers.size()) {
    const std::vector<size_t> ranks = NonDominationRanks(rows, taken);
    size_t left = taken;
    for (size_t rank = 0; left > 0; ++rank) {
      std::vector<size_t> members;
      LossRows member_rows;
      for (size_t i = 0; i < ranks.size(); ++i) {
        if (ranks[i] != rank) continue;
        members.push_back(i);
        member_rows.push_back(rows[i]);
      }
      std::vector<size_t> chosen;
      if (members.size() > left) {
        chosen = SelectByHypervolume(member_rows, left, ReferencePoint(member_rows));
        for (size_t i : chosen) below[members[i]] = true;
        break;
      }
      for (size_t i : members) below[i] = true;
      left -= members.size();
    }
  }
  std::set<int64_t> winners;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (below[i]) winners.insert(numbers[i]);
  }
  good -= taken;
  for (auto it = rest_.begin(); it != rest_.end() && good > 0; ++it) {
    if (it->group == kComplete) continue;
    winners.insert(int64_t{it->number});
    --good;
  }
  for (const Rank& rank : rest_) {
    const int64_t number = int64_t{rank.number};
    const bool wins = winners.count(number) > 0;
    if (wins == (side(number) == Side::kBelow)) continue;
    if (wins) {
      LeaveAbove(number);
      SetSide(number, Side::kBelow);
    } else {
      ToAbove(number);
    }
  }
}

std::vector<int64_t> TpeHistory::Members() const {
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < sides_.size(); ++i) {
    if (sides_[i] == Side::kBelow || sides_[i] == Side::kAbove) {
      numbers.push_back(static_cast<int64_t>(i));
    }
  }
  return numbers;
}

bool TpeHistory::ChangesSince(uint64_t begin, std::vector<int64_t>* numbers) const {
  if (begin < changes_begin_) return false;
  numbers->assign(changes_.begin() + static_cast<ptrdiff_t>(begin - changes_begin_),
                  changes_.end());
  return true;
}

}  // namespace vlm::search
