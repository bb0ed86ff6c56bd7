#include "server/search/report_index.h"

#include <algorithm>
#include <cmath>

namespace vlm::search {
namespace {

constexpr size_t kPiece = 512;  // Halved when it is twice as long.

}  // namespace

void SortedNumbers::Add(double value) {
  ++size_;
  if (pieces_.empty()) {
    pieces_.push_back({value});
    return;
  }
  auto piece = std::find_if(pieces_.begin(), pieces_.end(),
                            [value](const Piece& p) { return value <= p.back(); });
  if (piece == pieces_.end()) --piece;
  piece->insert(std::upper_bound(piece->begin(), piece->end(), value), value);
  if (piece->size() < 2 * kPiece) return;
  Piece upper(piece->begin() + kPiece, piece->end());
  piece->resize(kPiece);
  pieces_.insert(piece + 1, std::move(upper));
}

void SortedNumbers::Remove(double value) {
  const auto piece = std::find_if(pieces_.begin(), pieces_.end(),
                                  [value](const Piece& p) { return value <= p.back(); });
  if (piece == pieces_.end()) return;
  const auto at = std::lower_bound(piece->begin(), piece->end(), value);
  if (*at != value) return;
  --size_;
  piece->erase(at);
  if (piece->empty()) pieces_.erase(piece);
}

double SortedNumbers::At(size_t position) const {
  auto piece = pieces_.begin();
  for (; position >= piece->size(); ++piece) position -= piece->size();
  return (*piece)[position];
}

size_t SortedNumbers::CountBelow(double value) const {
  size_t count = 0;
  for (const Piece& piece : pieces_) {
    if (piece.back() < value) {
      count += piece.size();
      continue;
    }
    return count +
           static_cast<size_t>(std::lower_bound(piece.begin(), piece.end(), value) - piece.begin());
  }
  return count;
}

size_t SortedNumbers::CountAbove(double value) const {
  size_t count = 0;
  for (auto piece = pieces_.rbegin(); piece != pieces_.rend(); ++piece) {
    if (piece->front() > value) {
      count += piece->size();
      continue;
    }
    return count + static_cast<size_t>(piece->end() -
                                       std::upper_bound(piece->begin(), piece->end(), value));
  }
  return count;
}

ReportIndex::ReportIndex(const Trials& trials) {
  static const TrialView& none = *new TrialView;
  for (const TrialView& trial : trials) Replace(none, trial);
}

void ReportIndex::Replace(const TrialView& old, const TrialView& fresh) {
  Count(old, Change::kRemove);
  Count(fresh, Change::kAdd);
  if (old.rungs() != fresh.rungs()) {
    CountRungs(old, Change::kRemove);
    CountRungs(fresh, Change::kAdd);
  }
  if (old.pruner_resource() > 0) resources_.erase(old.number());
  if (fresh.pruner_resource() > 0) resources_[fresh.number()] = fresh.pruner_resource();
  CompareToBest(old, fresh);
}

void ReportIndex::Count(const TrialView& trial, Change change) {
  if (trial.state() != v1::TRIAL_STATE_COMPLETE) return;
  const bool add = change == Change::kAdd;
  complete_ += add ? 1 : -1;
  for (const auto& [number, value] : trial.intermediate_values()) {
    Step& step = steps_[number];
    if (std::isnan(value)) {
      add ? ++step.nan : --step.nan;
    } else {
      add ? step.values.Add(value) : step.values.Remove(value);
    }
    if (step.values.empty() && step.nan == 0) steps_.erase(number);
  }
  if (trial.intermediate_values().empty()) return;
  const int64_t last = trial.intermediate_values().rbegin()->first;
  if ((last_steps_[last] += add ? 1 : -1) == 0) last_steps_.erase(last);
}

void ReportIndex::CountRungs(const TrialView& trial, Change change) {
  if (trial.rungs().empty()) return;
  auto& rungs = rungs_[group_of_ ? group_of_(trial.number()) : 0];
  if (rungs.size() < trial.rungs().size()) rungs.resize(trial.rungs().size());
  for (size_t rung = 0; rung < trial.rungs().size(); ++rung) {
    if (change == Change::kAdd) {
      rungs[rung].Add(trial.rungs()[rung]);
    } else {
      rungs[rung].Remove(trial.rungs()[rung]);
    }
  }
}

void ReportIndex::CompareToBest(const TrialView& old, const TrialView& fresh) {
  const bool counts =
      fresh.state() == v1::TRIAL_STATE_COMPLETE && !fresh.values().empty() && fresh.feasible();
  const auto compare = [&](Extreme* extreme, double sign) {
    if (!extreme->known) return;
    if (extreme->number >= 0 && extreme->number == old.number() &&
        old.state() != v1::TRIAL_STATE_UNSPECIFIED) {
      extreme->known = false;
      return;
    }
    if (!counts) return;
    const double value = fresh.values()[0];
    const bool better = extreme->number < 0 || sign * value < sign * extreme->value ||
                        (value == extreme->value && fresh.number() < extreme->number);
    if (better) *extreme = {true, fresh.number(), value};
  };
  compare(&lowest_, 1);
  compare(&highest_, -1);
}

const TrialView* ReportIndex::Best(const Trials& trials, bool maximize) {
  Extreme& extreme = maximize ? highest_ : lowest_;
  if (!extreme.known) {
    extreme = {};
    ReportIndex anew;
    for (const TrialView& trial : trials) anew.CompareToBest({}, trial);
    extreme = maximize ? anew.highest_ : anew.lowest_;
  }
  return extreme.number < 0 ? nullptr : &trials[static_cast<size_t>(extreme.number)];
}

const ReportIndex::Step* ReportIndex::AtStep(int64_t step) const {
  const auto found = steps_.find(step);
  return found == steps_.end() ? nullptr : &found->second;
}

int64_t ReportIndex::LongestComplete() const {
  return last_steps_.empty() ? -1 : last_steps_.rbegin()->first;
}

int64_t ReportIndex::StoredResource() const {
  return resources_.empty() ? 0 : resources_.begin()->second;
}

void ReportIndex::GroupBy(const std::string& key, const GroupOf& group_of, const Trials& trials) {
  if (group_of_ && group_key_ == key) return;
  group_key_ = key;
  group_of_ = group_of;
  rungs_.clear();
  for (const TrialView& trial : trials) CountRungs(trial, Change::kAdd);
}

const SortedNumbers* ReportIndex::AtRung(int64_t group, size_t rung) const {
  const auto found = rungs_.find(group);
  if (found == rungs_.end() || rung >= found->second.size()) return nullptr;
  return &found->second[rung];
}

}  // namespace vlm::search
