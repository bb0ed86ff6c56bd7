#include "server/storage/apply.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "server/storage/blocks.h"
#include "server/storage/deleted.h"
#include "server/storage/migrations.h"
#include "server/storage/optuna_rows.h"
#include "vlm/v1/control.pb.h"

namespace vlm::storage {
namespace {

void BindBody(SQLite::Statement& s, int index, const google::protobuf::MessageLite& message) {
  const std::string bytes = message.SerializeAsString();
  s.bind(index, bytes.data(), static_cast<int>(bytes.size()));
}

void BindBytes(SQLite::Statement& s, int index, const std::string& bytes) {
  s.bind(index, bytes.data(), static_cast<int>(bytes.size()));
}

struct Applier {
  Connection& c;
  IdMarks* marks;
  ParamKinds* kinds;

  void operator()(const core::PutStudy& m) {
    marks->study = std::max(marks->study, m.study.study_id());
    WriteStudyRows(c, m.study);
    SQLite::Statement& s = c.Prepare(
        "INSERT INTO vlm_studies (study_id, state, config_hash, spec, body, first_attempt_time) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (study_id) DO UPDATE SET state = excluded.state, "
        "body = excluded.body, first_attempt_time = excluded.first_attempt_time");
    s.bind(1, m.study.study_id());
    s.bind(2, m.study.state());
    s.bind(3, m.study.config_hash());
    BindBody(s, 4, m.spec);
    BindBody(s, 5, m.study);
    s.bind(6, m.first_attempt_time);
    s.exec();
  }
  void operator()(const core::PutStudyAttribute& m) { WriteAttribute(c, m); }
  void operator()(const core::DeleteStudy& m) {
    for (const int64_t trial_id : m.trial_ids) {
      SQLite::Statement& marks_of_attempts = c.Prepare(
          "DELETE FROM vlm_report_marks WHERE attempt_id IN "
          "(SELECT attempt_id FROM vlm_attempts WHERE trial_id = ?)");
      marks_of_attempts.bind(1, trial_id);
      marks_of_attempts.exec();
      for (const char* table : kTrialTables) {
        if (m.keep_series && IsSeriesTable(table)) continue;
        SQLite::Statement& s =
            c.Prepare(std::string("DELETE FROM ") + table + " WHERE trial_id = ?");
        s.bind(1, trial_id);
        s.exec();
      }
    }
    SQLite::Statement& s = c.Prepare("DELETE FROM vlm_studies WHERE study_id = ?");
    s.bind(1, m.study_id);
    s.exec();
    DropPackedOfStudy(c, *kinds, m.study_id);
    if (!m.rows_are_gone) DeleteStudyRows(c, m.study_id);
  }
  void operator()(const core::PutTrial& m) {
    marks->trial = std::max(marks->trial, m.trial.trial_id());
    WriteTrialRows(c, m);
    WritePacked(c, *kinds, m.trial);
    v1::Trial body = m.trial;  // What Optuna's tables have no column for.
    body.clear_values();
    body.clear_intermediate_values();
    body.clear_attempts();
    body.clear_checkpoint();
    body.clear_user_attributes();
    body.clear_system_attributes();
    if (m.trial.state() != v1::TRIAL_STATE_WAITING || m.trial.external()) body.clear_params();
    SQLite::Statement& s = c.Prepare(
        "INSERT INTO vlm_trials (trial_id, body) VALUES (?, ?) "
        "ON CONFLICT (trial_id) DO UPDATE SET body = excluded.body");
    s.bind(1, m.trial.trial_id());
    BindBody(s, 2, body);
    s.exec();
  }
  void operator()(const core::PutTrialParam& m) { WriteParam(c, m.trial_id, m.param); }
  void operator()(const core::PutTrialAttribute& m) { WriteAttribute(c, m); }
  void operator()(const core::PutIntermediateValue& m) { WriteIntermediateValue(c, m); }
  void operator()(const core::PutAttempt& m) {
    marks->attempt = std::max(marks->attempt, m.attempt.attempt_id());
    SQLite::Statement& s = c.Prepare(
        "INSERT INTO vlm_attempts (attempt_id, trial_id, number, state, body, command, "
        "rendezvous_host, rendezvous_port) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (attempt_id) DO UPDATE SET state = excluded.state, body = excluded.body, "
        "command = excluded.command, rendezvous_host = excluded.rendezvous_host, "
        "rendezvous_port = excluded.rendezvous_port");
    s.bind(1, m.attempt.attempt_id());
    s.bind(2, m.attempt.trial_id());
    s.bind(3, m.attempt.number());
    s.bind(4, m.attempt.state());
    BindBody(s, 5, m.attempt);
    BindBody(s, 6, m.command);
    s.bind(7, m.rendezvous_host);
    s.bind(8, m.rendezvous_port);
    s.exec();
  }
  void operator()(const core::ApplyReport& m) {
    SQLite::Statement& mark = c.Prepare(
        "INSERT INTO vlm_report_marks (attempt_id, node, sequence, last_step, total_steps, "
        "outcome) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (attempt_id, node) DO UPDATE SET "
        "sequence = excluded.sequence, last_step = max(last_step, excluded.last_step), "
        "total_steps = max(total_steps, excluded.total_steps), outcome = excluded.outcome");
    mark.bind(1, m.attempt_id);
    mark.bind(2, m.node);
    mark.bind(3, m.report.sequence());
    mark.bind(4, m.report.last_step());
    mark.bind(5, m.report.total_steps());
    if (m.report.has_outcome()) BindBody(mark, 6, m.report.outcome());
    mark.exec();
    if (m.report.series_size() > 0) {
      v1::Report points;
      *points.mutable_series() = m.report.series();
      SQLite::Statement& s =
          c.Prepare("INSERT INTO vlm_metric_blocks (trial_id, attempt, data) VALUES (?, ?, ?)");
      s.bind(1, m.trial_id);
      s.bind(2, m.attempt_number);
      BindBytes(s, 3, Pack(points));
      s.exec();
    }
    if (m.report.phases_size() > 0 || m.report.profiles_size() > 0) {
      v1::GetProfileResponse body;
      *body.mutable_profiles() = m.report.profiles();
      if (m.node == 0 && m.report.rank() == 0) *body.mutable_phases() = m.report.phases();
      SQLite::Statement& s = c.Prepare("INSERT INTO vlm_profiles (trial_id, data) VALUES (?, ?)");
      s.bind(1, m.trial_id);
      BindBytes(s, 2, Pack(body));
      s.exec();
    }
    if (m.report.log_lines_size() > 0) {
      v1::TailLogsResponse lines;
      *lines.mutable_lines() = m.report.log_lines();
      SQLite::Statement& s = c.Prepare(
          "INSERT OR REPLACE INTO vlm_logs (trial_id, first_sequence, last_sequence, data) "
          "VALUES (?, ?, ?, ?)");
      s.bind(1, m.trial_id);
      s.bind(2, m.first_log_sequence);
      s.bind(3, m.first_log_sequence + m.report.log_lines_size() - 1);
      BindBytes(s, 4, Pack(lines));
      s.exec();
    }
  }
  void operator()(const core::PutWorker& m) {
    SQLite::Statement& s = c.Prepare(
        "INSERT INTO vlm_workers (worker_id, body) VALUES (?, ?) "
        "ON CONFLICT (worker_id) DO UPDATE SET body = excluded.body");
    s.bind(1, m.worker.worker_id());
    BindBody(s, 2, m.worker);
    s.exec();
  }
  void operator()(const core::DropWorker& m) {
    SQLite::Statement& s = c.Prepare("DELETE FROM vlm_workers WHERE worker_id = ?");
    s.bind(1, m.worker_id);
    s.exec();
  }
  void operator()(const core::PutCheckpoint& m) {
    SQLite::Statement& s = c.Prepare(
        "INSERT OR REPLACE INTO vlm_checkpoints (checkpoint_id, trial_id, step, sha256, "
        "size_bytes, uri, body) VALUES (?, ?, ?, ?, ?, ?, ?)");
    s.bind(1, m.checkpoint.checkpoint_id());
    s.bind(2, m.checkpoint.trial_id());
    s.bind(3, m.checkpoint.step());
    s.bind(4, m.checkpoint.sha256());
    s.bind(5, m.checkpoint.size_bytes());
    s.bind(6, m.checkpoint.uri());
    BindBody(s, 7, m.checkpoint);
    s.exec();
  }
  void operator()(const core::DeleteCheckpoint& m) {
    SQLite::Statement& s = c.Prepare("DELETE FROM vlm_checkpoints WHERE checkpoint_id = ?");
    s.bind(1, m.checkpoint_id);
    s.exec();
  }
  void operator()(const core::AppendEvent& m) {
    marks->event = std::max(marks->event, m.event.sequence());
    SQLite::Statement& s = c.Prepare(
        "INSERT INTO vlm_events (sequence, study_id, trial_id, kind, message, body) "
        "VALUES (?, ?, ?, ?, ?, ?)");
    s.bind(1, m.event.sequence());
    s.bind(2, m.event.study_id());
    s.bind(3, m.event.trial_id());
    s.bind(4, m.event.kind());
    s.bind(5, m.event.message());
    BindBody(s, 6, m.event);
    s.exec();
  }
  void operator()(const core::PutRequest& m) {
    SQLite::Statement& s = c.Prepare(
        "INSERT INTO vlm_answers (created_s, request_id, method, response) VALUES (?, ?, ?, ?)");
    s.bind(1, absl::ToUnixSeconds(absl::Now()));
    s.bind(2, m.request_id);
    s.bind(3, m.method);
    BindBytes(s, 4, m.response);
    s.exec();
  }
  void operator()(const core::PutSpec& m) {
    SQLite::Statement& s =
        c.Prepare("UPDATE vlm_studies SET spec = ?, config_hash = ? WHERE study_id = ?");
    BindBody(s, 1, m.spec);
    s.bind(2, m.config_hash);
    s.bind(3, m.study_id);
    s.exec();
  }
  void operator()(const core::PutDeletedStudy& m) { WriteDeleted(c, m.whole); }
  void operator()(const core::DropDeletedStudy& m) { DropDeleted(c, m); }
  void operator()(const core::PutSamplerState& m) {
    SQLite::Statement& s = c.Prepare("UPDATE vlm_studies SET sampler_state = ? WHERE study_id = ?");
    BindBytes(s, 1, m.state);
    s.bind(2, m.study_id);
    s.exec();
  }
};

}  // namespace

void Apply(Connection& c, const core::Mutation& mutation, IdMarks* marks, ParamKinds* kinds) {
  std::visit(Applier{c, marks, kinds}, mutation);
}

void WriteMarks(Connection& c, const IdMarks& marks) {
  const std::pair<const char*, int64_t> rows[] = {{"last_study_id", marks.study},
                                                  {"last_trial_id", marks.trial},
                                                  {"last_attempt_id", marks.attempt},
                                                  {"last_event", marks.event}};
  for (const auto& [key, value] : rows) {
    SQLite::Statement& s = c.Prepare(
        "INSERT INTO vlm_meta (key, value) VALUES (?, ?) "
        "ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)");
    s.bind(1, key);
    s.bind(2, value);
    s.exec();
  }
}

}  // namespace vlm::storage
