// What the heart asks to be stored. A batch of mutations is one SQLite transaction; the storage
// layer maps each record to rows of Optuna's tables and of ours. Records are whole states, so
// applying one twice is harmless. Knows no SQL.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "server/core/packed_trial.h"
#include "vlm/v1/config.pb.h"
#include "vlm/v1/control.pb.h"
#include "vlm/v1/study.pb.h"
#include "vlm/v1/trainer.pb.h"

namespace vlm::core {

// Inserts or updates a study: studies, study_directions, vlm_studies. `spec` is stored on insert.
struct PutStudy {
  v1::Study study;
  v1::StudySpec spec;
  std::string first_attempt_time;  // RFC 3339; empty while there was none.
};
// One attribute of a study, a JSON text: study_user_attributes or study_system_attributes.
struct PutStudyAttribute {
  int64_t study_id = 0;
  bool user = true;
  std::string key;
  std::string value;
};
// Removes a study and everything that hangs on it. Ids are not given out again. `rows_are_gone`:
// another program has removed the rows of Optuna's tables, and may have used their ids again.
struct DeleteStudy {
  int64_t study_id = 0;
  std::vector<int64_t> trial_ids;  // All its trials.
  bool rows_are_gone = false;
  bool keep_series = false;  // It can be restored: series, logs and checkpoints stay.
};
// A study's configuration after an edit of its space.
struct PutSpec {
  int64_t study_id = 0;
  v1::StudySpec spec;
  std::string config_hash;
};
// A deleted study, whole, to be restored from. In the transaction of its DeleteStudy.
struct PutDeletedStudy {
  v1::WholeStudy whole;
};
// Forgets a deleted study; `purge`: with the series, logs and checkpoints that were kept.
struct DropDeletedStudy {
  int64_t study_id = 0;
  bool purge = false;
};
// Inserts or updates a trial: trials, trial_params, trial_values, trial_*_attributes, vlm_trials.
// Intermediate values travel separately. The order of `params` is the order of trial_params.
// `state_only`: parameters and attributes are stored already.
struct PutTrial {
  v1::Trial trial;
  bool state_only = false;
};
// One parameter more of a stored trial.
struct PutTrialParam {
  int64_t trial_id = 0;
  v1::Param param;
};
// One attribute of a stored trial, a JSON text.
struct PutTrialAttribute {
  int64_t trial_id = 0;
  bool user = true;
  std::string key;
  std::string value;
};
// One row of trial_intermediate_values. The first value of a step wins unless it is to be replaced.
struct PutIntermediateValue {
  int64_t trial_id = 0;
  int64_t step = 0;
  double value = 0;
  bool replace = false;
};
// Inserts or updates an attempt with its placements and lease: vlm_attempts. With what a restarted
// coordinator must repeat to the workers: the newest order and where the ranks meet.
struct PutAttempt {
  v1::Attempt attempt;
  v1::Command command;
  std::string rendezvous_host;
  int32_t rendezvous_port = 0;
};
// A numbered batch of an attempt: metric blocks, phases, profiles, log lines, and the new
// high-water mark of (attempt, node). Stored in the same transaction as whatever it causes.
struct ApplyReport {
  int64_t study_id = 0;
  int64_t trial_id = 0;
  int64_t attempt_id = 0;
  int32_t attempt_number = 0;
  int32_t node = 0;
  int64_t first_log_sequence = 0;  // Of report.log_lines, per trial, from 1.
  v1::Report report;
};
struct PutWorker {
  v1::Worker worker;
};
struct DropWorker {
  std::string worker_id;
};
struct PutCheckpoint {
  v1::Checkpoint checkpoint;
};
struct DeleteCheckpoint {
  std::string checkpoint_id;
};
// Appends to vlm_events.
struct AppendEvent {
  v1::Event event;
};
// The answer to a mutation request, kept so that a repeated request id gets the same answer.
struct PutRequest {
  std::string request_id;
  std::string method;    // "Submit", "StopTrial", ...
  std::string response;  // Serialized response message.
};
// State of a study's sampler, opaque to everyone else.
struct PutSamplerState {
  int64_t study_id = 0;
  std::string state;
};

using Mutation =
    std::variant<PutStudy, PutStudyAttribute, DeleteStudy, PutTrial, PutTrialParam,
                 PutTrialAttribute, PutIntermediateValue, PutAttempt, ApplyReport, PutWorker,
                 DropWorker, PutCheckpoint, DeleteCheckpoint, AppendEvent, PutRequest,
                 PutSamplerState, PutSpec, PutDeletedStudy, DropDeletedStudy>;

// One atomic transaction.
using Batch = std::vector<Mutation>;

// What the heart is told at start: everything it keeps in memory.
struct Snapshot {
  struct StudyRow {
    v1::Study study;
    v1::StudySpec spec;  // Empty for a study that Optuna made.
    std::string first_attempt_time;
    std::string sampler_state;
    std::map<std::string, std::string> user_attributes;  // JSON texts.
    std::map<std::string, std::string> system_attributes;
  };
  struct ReportMark {
    int64_t attempt_id = 0;
    int32_t node = 0;
    int64_t sequence = 0;
    int64_t last_step = 0;
    int64_t total_steps = 0;
    bool finished = false;  // `outcome` was stored.
    v1::Outcome outcome;
  };
  std::vector<StudyRow> studies;
  // Trials by trial_id, with parameters, values, intermediate values; finished ones are in `packed`
  // instead, by trial_id too.
  std::vector<v1::Trial> trials;
  PackedTrials packed;
  std::vector<ParamKindRow> param_kinds;
  std::vector<PutAttempt> attempts;      // By attempt_id.
  std::vector<ReportMark> report_marks;  // Of attempts that are not in an end state.
  std::vector<v1::WholeStudy> deleted;   // Study and ids of checkpoints only.
  std::vector<v1::Worker> workers;
  std::vector<v1::Checkpoint> checkpoints;
  std::vector<PutRequest> requests;                    // Of the last 24 hours.
  std::vector<std::pair<int64_t, int64_t>> log_marks;  // trial_id, last log sequence.
  // High-water marks that survive deletion.
  int64_t last_study_id = 0;
  int64_t last_trial_id = 0;
  int64_t last_attempt_id = 0;
  int64_t last_event_sequence = 0;
};

// What other programs have written since the last look, as it is in the file now.
struct ForeignRows {
  std::vector<int64_t> lost_studies;        // Removed; one with the same id may be in `studies`.
  std::vector<Snapshot::StudyRow> studies;  // New or changed.
  std::vector<v1::Trial> trials;            // New or changed, by trial_id.
  bool empty() const { return lost_studies.empty() && studies.empty() && trials.empty(); }
};

}  // namespace vlm::core
