#include "server/storage/load.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"
#include "server/core/optuna_json.h"
#include "server/storage/deleted.h"
#include "server/storage/optuna_rows.h"

namespace vlm::storage {
namespace {

void ParseBody(const SQLite::Column& column, google::protobuf::MessageLite* message,
               const std::string& what) {
  if (!message->ParseFromArray(column.getBlob(), column.getBytes())) {
    throw std::runtime_error(what + " is damaged");
  }
}

}  // namespace

void LoadStudies(Connection& c, core::Snapshot* out, const std::string& where) {
  absl::flat_hash_map<int64_t, size_t> index;
  SQLite::Statement& s = c.Prepare(absl::StrCat(
      "SELECT s.study_id, s.study_name, v.body, v.spec, v.first_attempt_time, v.sampler_state "
      "FROM studies s LEFT JOIN vlm_studies v ON v.study_id = s.study_id ",
      where, " ORDER BY s.study_id"));
  while (s.executeStep()) {
    core::Snapshot::StudyRow& row = out->studies.emplace_back();
    const std::string what = absl::StrCat("study ", s.getColumn(0).getInt64());
    if (!s.getColumn(2).isNull()) {
      ParseBody(s.getColumn(2), &row.study, what);
      ParseBody(s.getColumn(3), &row.spec, what);
      row.first_attempt_time = s.getColumn(4).getString();
      row.sampler_state = s.getColumn(5).getString();
    } else {
      row.study.set_state(v1::STUDY_STATE_ACTIVE);  // Another program runs it.
    }
    row.study.set_study_id(s.getColumn(0).getInt64());
    row.study.set_name(s.getColumn(1).getString());
    row.study.clear_directions();
    index[row.study.study_id()] = out->studies.size() - 1;
    out->last_study_id = std::max(out->last_study_id, row.study.study_id());
  }
  SQLite::Statement& d =
      c.Prepare("SELECT study_id, direction FROM study_directions ORDER BY study_id, objective");
  while (d.executeStep()) {
    const auto it = index.find(d.getColumn(0).getInt64());
    if (it == index.end()) continue;
    out->studies[it->second].study.add_directions(
        d.getColumn(1).getString() == "MAXIMIZE" ? v1::DIRECTION_MAXIMIZE : v1::DIRECTION_MINIMIZE);
  }
  for (const bool user : {true, false}) {
    SQLite::Statement& a =
        c.Prepare(absl::StrCat("SELECT study_id, \"key\", value_json FROM ",
                               user ? "study_user_attributes" : "study_system_attributes"));
    while (a.executeStep()) {
      const auto it = index.find(a.getColumn(0).getInt64());
      if (it == index.end()) continue;
      auto& row = out->studies[it->second];
      (user ? row.user_attributes : row.system_attributes)[a.getColumn(1).getString()] =
          a.getColumn(2).getString();
    }
  }
}

namespace {

using TrialIndex = absl::flat_hash_map<int64_t, size_t>;

v1::Trial* FindTrial(core::Snapshot* out, const TrialIndex& index, int64_t trial_id) {
  const auto it = index.find(trial_id);
  return it == index.end() ? nullptr : &out->trials[it->second];
}

absl::Status ReadParam(SQLite::Statement& row, v1::Trial* trial) {
  ASSIGN_OR_RETURN(auto distribution, core::ParseDistribution(row.getColumn(3).getString()));
  ASSIGN_OR_RETURN(auto value, core::FromInternal(distribution, row.getColumn(2).getDouble()));
  v1::Param& param = *trial->add_params();
  param.set_name(row.getColumn(1).getString());
  *param.mutable_value() = std::move(value);
  *param.mutable_distribution() = std::move(distribution);
  return absl::OkStatus();
}

// What another program has stored and we have no form for stays in the file as it is and is left
// out here.
void LeftOut(const v1::Trial& trial, absl::string_view what, absl::string_view why) {
  VLM_LOG_WARNING(
      "left a part of a trial out",
      {{"trial", trial.trial_id()}, {"part", std::string(what)}, {"why", std::string(why)}});
}

std::string Only(const std::string& ids) { return absl::StrCat(" WHERE trial_id IN ", ids, " "); }

void LoadTrialValues(Connection& c, core::Snapshot* out, const TrialIndex& index,
                     const std::string& ids) {
  SQLite::Statement& p = c.Prepare(
      absl::StrCat("SELECT trial_id, param_name, param_value, distribution_json FROM trial_params",
                   Only(ids), "ORDER BY param_id"));
  while (p.executeStep()) {
    v1::Trial* trial = FindTrial(out, index, p.getColumn(0).getInt64());
    if (trial == nullptr) continue;
    if (absl::Status read = ReadParam(p, trial); !read.ok()) {
      LeftOut(*trial, absl::StrCat("parameter ", p.getColumn(1).getString()), read.message());
    }
  }
  SQLite::Statement& v =
      c.Prepare(absl::StrCat("SELECT trial_id, value, value_type, objective FROM trial_values",
                             Only(ids), "ORDER BY trial_id, objective"));
  while (v.executeStep()) {
    v1::Trial* trial = FindTrial(out, index, v.getColumn(0).getInt64());
    if (trial == nullptr) continue;
    const double value = ValueOf(v.getColumn(1), v.getColumn(2).getString());
    if (std::isnan(value) || v.getColumn(3).getInt() != trial->values_size()) {
      LeftOut(*trial, "value", "it is NaN, or one before it is missing");
      continue;
    }
    trial->add_values(value);
  }
  SQLite::Statement& i =
      c.Prepare(absl::StrCat("SELECT trial_id, step, intermediate_value, intermediate_value_type "
                             "FROM trial_intermediate_values",
                             Only(ids), "ORDER BY trial_id, step"));
  while (i.executeStep()) {
    v1::Trial* trial = FindTrial(out, index, i.getColumn(0).getInt64());
    if (trial == nullptr) continue;
    v1::IntermediateValue& value = *trial->add_intermediate_values();
    value.set_step(i.getColumn(1).getInt64());
    value.set_value(ValueOf(i.getColumn(2), i.getColumn(3).getString()));
  }
  for (const bool user : {true, false}) {
    SQLite::Statement& a = c.Prepare(
        absl::StrCat("SELECT trial_id, \"key\", value_json FROM ",
                     user ? "trial_user_attributes" : "trial_system_attributes", Only(ids)));
    while (a.executeStep()) {
      v1::Trial* trial = FindTrial(out, index, a.getColumn(0).getInt64());
      if (trial == nullptr) continue;
      auto& map = user ? *trial->mutable_user_attributes() : *trial->mutable_system_attributes();
      map[a.getColumn(1).getString()] = a.getColumn(2).getString();
    }
  }
}

// False: another program has given it a state that does not exist.
bool ReadTrial(SQLite::Statement& s, v1::Trial* trial) {
  const int64_t id = s.getColumn(0).getInt64();
  if (!s.getColumn(6).isNull()) ParseBody(s.getColumn(6), trial, absl::StrCat("trial ", id));
  const bool ours = !s.getColumn(6).isNull() && trial->study_id() == s.getColumn(1).getInt64();
  if (!ours) {
    trial->Clear();
    trial->set_external(true);
    trial->set_last_step(-1);
  }
  const v1::TrialState known = trial->state();
  trial->set_trial_id(id);
  trial->set_study_id(s.getColumn(1).getInt64());
  trial->set_number(s.getColumn(2).getInt64());
  trial->set_state(ParseTrialState(s.getColumn(3).getString()));
  if (trial->state() == v1::TRIAL_STATE_UNSPECIFIED) return false;
  if (trial->state() != known && known == v1::TRIAL_STATE_WAITING) {
    trial->set_external(true);  // Another program has taken it.
    trial->clear_params();      // Its rows have them.
  }
  trial->clear_start_time();
  trial->clear_end_time();
  if (!s.getColumn(4).isNull()) {
    ParseDateTime(s.getColumn(4).getString(), trial->mutable_start_time());
  }
  if (!s.getColumn(5).isNull()) {
    ParseDateTime(s.getColumn(5).getString(), trial->mutable_end_time());
  }
  return true;
}

// A file with a trial whose state does not exist is not opened.
void CheckStates(Connection& c) {
  SQLite::Statement& s = c.Prepare(
      "SELECT trial_id, state FROM trials WHERE state NOT IN "
      "('WAITING', 'RUNNING', 'COMPLETE', 'PRUNED', 'FAIL') LIMIT 1");
  if (!s.executeStep()) return;
  const std::string what = absl::StrCat("trial ", s.getColumn(0).getInt64(),
                                        " has the unknown state ", s.getColumn(1).getString());
  s.reset();
  throw std::runtime_error(what);
}

}  // namespace

void LoadTrials(Connection& c, core::Snapshot* out, const std::string& ids) {
  TrialIndex index;
  SQLite::Statement& s = c.Prepare(absl::StrCat(
      "SELECT t.trial_id, t.study_id, t.number, t.state, t.datetime_start, t.datetime_complete, "
      "v.body FROM trials t LEFT JOIN vlm_trials v ON v.trial_id = t.trial_id ",
      "WHERE t.trial_id IN ", ids, " ORDER BY t.trial_id"));
  while (s.executeStep()) {
    v1::Trial& trial = out->trials.emplace_back();
    if (!ReadTrial(s, &trial)) {
      LeftOut(trial, "all of it", "its state does not exist");
      out->trials.pop_back();
      continue;
    }
    index[trial.trial_id()] = out->trials.size() - 1;
    out->last_trial_id = std::max(out->last_trial_id, trial.trial_id());
  }
  LoadTrialValues(c, out, index, ids);
}

namespace {

void LoadAttempts(Connection& c, core::Snapshot* out) {
  SQLite::Statement& a = c.Prepare(
      "SELECT attempt_id, body, command, rendezvous_host, rendezvous_port FROM vlm_attempts "
      "ORDER BY attempt_id");
  while (a.executeStep()) {
    core::PutAttempt& row = out->attempts.emplace_back();
    const std::string what = absl::StrCat("attempt ", a.getColumn(0).getInt64());
    ParseBody(a.getColumn(1), &row.attempt, what);
    ParseBody(a.getColumn(2), &row.command, what);
    row.rendezvous_host = a.getColumn(3).getString();
    row.rendezvous_port = a.getColumn(4).getInt();
  }
  SQLite::Statement& m = c.Prepare(
      "SELECT attempt_id, node, sequence, last_step, total_steps, outcome FROM vlm_report_marks "
      "JOIN vlm_attempts USING (attempt_id) WHERE state < ? ORDER BY attempt_id, node");
  m.bind(1, v1::ATTEMPT_STATE_SUCCEEDED);
  while (m.executeStep()) {
    core::Snapshot::ReportMark& mark = out->report_marks.emplace_back();
    mark.attempt_id = m.getColumn(0).getInt64();
    mark.node = m.getColumn(1).getInt();
    mark.sequence = m.getColumn(2).getInt64();
    mark.last_step = m.getColumn(3).getInt64();
    mark.total_steps = m.getColumn(4).getInt64();
    if (m.getColumn(5).isNull()) continue;
    mark.finished = true;
    ParseBody(m.getColumn(5), &mark.outcome, absl::StrCat("attempt ", mark.attempt_id));
  }
}

void LoadOwnTables(Connection& c, core::Snapshot* out) {
  LoadAttempts(c, out);
  LoadDeleted(c, out);
  SQLite::Statement& w = c.Prepare("SELECT body FROM vlm_workers ORDER BY worker_id");
  while (w.executeStep()) ParseBody(w.getColumn(0), &out->workers.emplace_back(), "a worker");
  SQLite::Statement& k = c.Prepare("SELECT body FROM vlm_checkpoints");
  while (k.executeStep()) {
    ParseBody(k.getColumn(0), &out->checkpoints.emplace_back(), "a checkpoint");
  }
  SQLite::Statement& r =
      c.Prepare("SELECT request_id, method, response FROM vlm_answers ORDER BY answer_id");
  while (r.executeStep()) {
    out->requests.push_back(
        {r.getColumn(0).getString(), r.getColumn(1).getString(), r.getColumn(2).getString()});
  }
  SQLite::Statement& l =
      c.Prepare("SELECT trial_id, max(last_sequence) FROM vlm_logs GROUP BY trial_id");
  while (l.executeStep()) {
    out->log_marks.emplace_back(l.getColumn(0).getInt64(), l.getColumn(1).getInt64());
  }
  SQLite::Statement& marks = c.Prepare("SELECT key, value FROM vlm_meta");
  while (marks.executeStep()) {
    const std::string key = marks.getColumn(0).getString();
    const int64_t value = marks.getColumn(1).getInt64();
    if (key == "last_study_id") out->last_study_id = std::max(out->last_study_id, value);
    if (key == "last_trial_id") out->last_trial_id = std::max(out->last_trial_id, value);
    if (key == "last_attempt_id") out->last_attempt_id = value;
    if (key == "last_event") out->last_event_sequence = value;
  }
}

}  // namespace

core::Snapshot LoadSnapshot(Connection& c, ParamKinds& kinds) {
  core::Snapshot out;
  LoadStudies(c, &out, "");
  CheckStates(c);
  PackMissing(c, kinds);
  if (core::Snapshot before = out; !LoadPacked(c, &out)) {
    VLM_LOG_WARNING("packed trials are damaged and are made anew out of Optuna's rows");
    out = std::move(before);
    DropAllPacked(c, kinds);
    PackMissing(c, kinds);
    if (!LoadPacked(c, &out)) throw std::runtime_error("vlm_packed_trials is damaged");
  }
  LoadTrials(c, &out,
             "(SELECT trial_id FROM trials WHERE NOT EXISTS (SELECT 1 FROM vlm_packed_trials p "
             "WHERE p.trial_id = trials.trial_id))");
  LoadOwnTables(c, &out);
  return out;
}

core::Snapshot LoadWholeSnapshot(Connection& c) {
  core::Snapshot out;
  LoadStudies(c, &out, "");
  CheckStates(c);
  LoadTrials(c, &out, "(SELECT trial_id FROM trials)");
  LoadOwnTables(c, &out);
  return out;
}

}  // namespace vlm::storage
