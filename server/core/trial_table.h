// The heart's trials by id. Those that run or wait are whole records; a finished one is packed at
// the end of the step that touched it and unpacked when it is touched again: what a sampler sees
// (search::TrialView, shared with the search thread) and a few bytes for the rest.
//
// Not thread-safe. References stay valid until Settle.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "server/core/io.h"
#include "server/search/trial_view.h"

namespace vlm::core {

// What is known of a trial beside its row: its attempts and their logs.
struct TrialRun {
  std::vector<int64_t> attempt_ids;
  std::map<v1::FailureClass, int> failures;
  int64_t last_log_sequence = 0;
  std::deque<v1::LogLine> log_tail;  // Newest lines, for `trial get`.
  bool empty() const {
    return attempt_ids.empty() && failures.empty() && last_log_sequence == 0 && log_tail.empty();
  }
};

struct TrialRecord : TrialRun {
  v1::Trial trial;
  int64_t live_attempt = 0;                          // 0 = none.
  absl::Duration not_before = absl::ZeroDuration();  // Backoff, monotonic.
  absl::Duration last_progress = absl::ZeroDuration();
  bool touched = false;  // Of the table: it is to be looked at by Settle.
};

class TrialTable {
 public:
  // The view of a study's trial, which is kept elsewhere.
  using ViewOf = std::function<const search::TrialView&(int64_t study_id, int64_t number)>;
  explicit TrialTable(ViewOf view_of) : view_of_(std::move(view_of)) {}

  size_t size() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  bool contains(int64_t trial_id) const { return entries_.contains(trial_id); }
  // Null: there is none.
  TrialRecord* find(int64_t trial_id);
  TrialRecord& at(int64_t trial_id);  // REQUIRES: contains.
  // One that has not ended.
  const TrialRecord& open(int64_t trial_id) const { return *entries_.at(trial_id).record; }
  TrialRecord& Add(v1::Trial trial);
  // A finished one as it comes from the file; its view is in place.
  void AddPacked(const PackedTrial& trial);
  void erase(int64_t trial_id);

  // To read, without unpacking it for good. REQUIRES: contains. `scratch` may be used for it.
  const TrialRecord& Look(int64_t trial_id, TrialRecord* scratch) const;
  // Without unpacking it.
  TrialRun& RunOf(int64_t trial_id);

  // Packs what was touched and has come to its end.
  void Settle();

 private:
  struct Entry {
    std::unique_ptr<TrialRecord> record;  // Null: packed.
    std::unique_ptr<char[]> bytes;
  };
  std::unique_ptr<char[]> Pack(const TrialRecord& record) const;
  void Unpack(int64_t trial_id, const char* bytes, TrialRecord* record) const;
  TrialRecord& Touch(int64_t trial_id, Entry& entry);

  ViewOf view_of_;
  absl::btree_map<int64_t, Entry> entries_;
  absl::flat_hash_map<int64_t, TrialRun> runs_;  // Of packed trials that have one.
  std::vector<int64_t> touched_;
};

}  // namespace vlm::core
