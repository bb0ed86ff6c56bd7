// What the heart remembers. Plain records; every rule about them is in Core.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "server/core/io.h"
#include "server/core/log_policies.h"
#include "server/core/trial_table.h"
#include "server/search/pruner.h"
#include "server/search/report_index.h"

namespace vlm::core {

struct StudyRecord {
  v1::Study study;
  v1::StudySpec spec;  // Empty for a study that another program made.
  absl::Time first_attempt = absl::InfinitePast();
  std::vector<int64_t> trial_ids;                        // By number.
  std::map<std::string, std::string> user_attributes;    // JSON texts, Optuna's.
  std::map<std::string, std::string> system_attributes;  // JSON texts, Optuna's.
  // Of the first trial that has the parameter; later ones have to go with it.
  absl::flat_hash_map<std::string, v1::Distribution> distributions;
  // By slot: the kinds of parameters that packed trials of the file refer to.
  std::vector<const search::ParamKind*> kinds;
  search::Trials views;                    // By number; what pruners and samplers see.
  search::ReportIndex reports;             // Of the views; empty while there is no pruner.
  v1::TrialCounts counts;                  // Of `counted`.
  std::vector<uint8_t> counted;            // States by number.
  std::deque<int64_t> waiting;             // Numbers of WAITING trials, oldest first.
  std::vector<int64_t> requeued;           // Trial ids whose next attempt is to be granted.
  std::unique_ptr<search::Pruner> pruner;  // Null: none.
  std::string sampler_state;
  // At most one question to the sampler is open per study, so that numbers come in order.
  bool question_open = false;
  bool question_for_ask = false;
  bool exhausted = false;       // The sampler has nothing left to try; asked again after a restart.
  bool question_stale = false;  // The space was edited meanwhile: its answer counts for nothing.
  bool question_waiting = false;  // It is about a WAITING trial, not a fresh one.
  // Suggestions for the next trials, in order.
  std::deque<std::vector<v1::Param>> held;
  struct PendingAsk {
    Token token = 0;
    std::string request_id;
  };
  std::deque<PendingAsk> asks;
  int live_attempts = 0;
  int live_slots = 0;  // Of those attempts.
  // Monotonic; since when it could run something but finds no slots. Infinite past: it does not
  // wait.
  absl::Duration waits_since = -absl::InfiniteDuration();
  std::shared_ptr<const LogPolicies> log_policies;  // Null: none.
};

// System attribute of a trial that was copied from another study: its number there.
inline constexpr char kSeededFrom[] = "vlm:seeded_from";

// What is known of a deleted study without reading it.
struct DeletedStudy {
  v1::Study study;  // With delete_time.
  std::vector<std::string> checkpoint_ids;
};

// A worker's part of a gang.
struct NodeRecord {
  std::string worker_id;
  std::vector<int32_t> ranks;
  std::vector<int32_t> slots;
  bool accepted = false;
  bool finished = false;
  v1::Outcome outcome;
  absl::Duration lease_expiry;
  int64_t last_sequence = 0;
};

struct AttemptRecord {
  v1::Attempt attempt;
  std::vector<NodeRecord> nodes;
  v1::Command command;  // Newest order, sent again after a reconnect; UNSPECIFIED = none.
  std::string rendezvous_host;
  int32_t rendezvous_port = 0;
  absl::Duration running_since = absl::ZeroDuration();  // Monotonic; while it is RUNNING.
};

// What a placement does not take as it is.
struct Placement {
  std::set<std::string> avoided;         // Workers.
  absl::flat_hash_set<int64_t> leaving;  // Attempts whose slots count as free.
  bool out_of_service = false;           // Cordoned and draining workers count too.
};

struct WorkerRecord {
  v1::Worker worker;
  SessionId session = 0;  // 0 = not attached.
  std::string session_id;
  absl::Duration last_heard = absl::ZeroDuration();  // Monotonic; newest message of the session.
};

struct State {
  State() = default;
  State(const State&) = delete;  // `trials` looks into `studies`.
  State& operator=(const State&) = delete;

  absl::btree_map<int64_t, StudyRecord> studies;
  absl::flat_hash_map<std::string, int64_t> study_names;
  absl::btree_map<int64_t, DeletedStudy> deleted;
  TrialTable trials{[this](int64_t study_id, int64_t number) -> const search::TrialView& {
    return studies.at(study_id).views[static_cast<size_t>(number)];
  }};
  absl::flat_hash_map<int64_t, std::unique_ptr<AttemptRecord>> attempts;
  absl::btree_map<int64_t, AttemptRecord*> live;  // Attempts that are not in an end state.
  absl::btree_map<std::string, WorkerRecord> workers;
  absl::flat_hash_map<SessionId, std::string> sessions;
  absl::flat_hash_map<std::string, v1::Checkpoint> checkpoints;
  absl::flat_hash_map<int64_t, std::vector<std::string>> trial_checkpoints;  // Oldest first.
  absl::flat_hash_map<std::string, PutRequest> requests;
  std::deque<std::pair<absl::Time, std::string>> request_ages;
  int64_t last_study_id = 0;
  int64_t last_trial_id = 0;
  int64_t last_attempt_id = 0;
  int64_t last_event_sequence = 0;
};

}  // namespace vlm::core
