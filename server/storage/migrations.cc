#include "server/storage/migrations.h"

#include <cstdio>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "common/log.h"
#include "common/status.h"
#include "server/storage/foreign.h"

namespace vlm::storage {
namespace {

constexpr char kAlembicHead[] = "v3.2.0.a";

// Schema 12 of Optuna, which has not moved since 3.2. Constraints matter: Optuna's upserts need
// the UNIQUE ones.
constexpr char kOptunaTables[] = R"sql(
CREATE TABLE studies (study_id INTEGER NOT NULL PRIMARY KEY, study_name VARCHAR(512) NOT NULL);
CREATE TABLE version_info (version_info_id INTEGER NOT NULL PRIMARY KEY CHECK (version_info_id=1),
  schema_version INTEGER, library_version VARCHAR(256));
CREATE TABLE study_directions (study_direction_id INTEGER NOT NULL PRIMARY KEY,
  direction VARCHAR(8) NOT NULL, study_id INTEGER NOT NULL REFERENCES studies (study_id),
  objective INTEGER NOT NULL, UNIQUE (study_id, objective));
CREATE TABLE study_user_attributes (study_user_attribute_id INTEGER NOT NULL PRIMARY KEY,
  study_id INTEGER REFERENCES studies (study_id), "key" VARCHAR(512), value_json TEXT,
  UNIQUE (study_id, "key"));
CREATE TABLE study_system_attributes (study_system_attribute_id INTEGER NOT NULL PRIMARY KEY,
  study_id INTEGER REFERENCES studies (study_id), "key" VARCHAR(512), value_json TEXT,
  UNIQUE (study_id, "key"));
CREATE TABLE trials (trial_id INTEGER NOT NULL PRIMARY KEY, number INTEGER,
  study_id INTEGER REFERENCES studies (study_id), state VARCHAR(8) NOT NULL,
  datetime_start DATETIME, datetime_complete DATETIME);
CREATE TABLE trial_user_attributes (trial_user_attribute_id INTEGER NOT NULL PRIMARY KEY,
  trial_id INTEGER REFERENCES trials (trial_id), "key" VARCHAR(512), value_json TEXT,
  UNIQUE (trial_id, "key"));
CREATE TABLE trial_system_attributes (trial_system_attribute_id INTEGER NOT NULL PRIMARY KEY,
  trial_id INTEGER REFERENCES trials (trial_id), "key" VARCHAR(512), value_json TEXT,
  UNIQUE (trial_id, "key"));
CREATE TABLE trial_params (param_id INTEGER NOT NULL PRIMARY KEY,
  trial_id INTEGER REFERENCES trials (trial_id), param_name VARCHAR(512), param_value FLOAT,
  distribution_json TEXT, UNIQUE (trial_id, param_name));
CREATE TABLE trial_values (trial_value_id INTEGER NOT NULL PRIMARY KEY,
  trial_id INTEGER NOT NULL REFERENCES trials (trial_id), objective INTEGER NOT NULL,
  value FLOAT, value_type VARCHAR(7) NOT NULL, UNIQUE (trial_id, objective));
CREATE TABLE trial_intermediate_values (trial_intermediate_value_id INTEGER NOT NULL PRIMARY KEY,
  trial_id INTEGER NOT NULL REFERENCES trials (trial_id), step INTEGER NOT NULL,
  intermediate_value FLOAT, intermediate_value_type VARCHAR(7) NOT NULL, UNIQUE (trial_id, step));
CREATE TABLE trial_heartbeats (trial_heartbeat_id INTEGER NOT NULL PRIMARY KEY,
  trial_id INTEGER NOT NULL UNIQUE REFERENCES trials (trial_id), heartbeat DATETIME NOT NULL);
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,
  CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
INSERT INTO version_info VALUES (1, 12, '5.0.0');
INSERT INTO alembic_version VALUES ('v3.2.0.a');
)sql";

// Migration 1. Bodies are serialized messages of proto/vlm/v1; columns repeat what is searched.
constexpr char kMigration1[] = R"sql(
CREATE TABLE vlm_meta (key TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE vlm_studies (study_id INTEGER NOT NULL PRIMARY KEY, state INTEGER NOT NULL,
  config_hash TEXT NOT NULL, spec BLOB NOT NULL, body BLOB NOT NULL,
  first_attempt_time TEXT NOT NULL, sampler_state BLOB);
CREATE TABLE vlm_trials (trial_id INTEGER NOT NULL PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE vlm_attempts (attempt_id INTEGER NOT NULL PRIMARY KEY, trial_id INTEGER NOT NULL,
  number INTEGER NOT NULL, state INTEGER NOT NULL, body BLOB NOT NULL, command BLOB NOT NULL,
  rendezvous_host TEXT NOT NULL, rendezvous_port INTEGER NOT NULL, UNIQUE (trial_id, number));
CREATE TABLE vlm_report_marks (attempt_id INTEGER NOT NULL, node INTEGER NOT NULL,
  sequence INTEGER NOT NULL, last_step INTEGER NOT NULL, total_steps INTEGER NOT NULL,
  outcome BLOB, PRIMARY KEY (attempt_id, node)) WITHOUT ROWID;
CREATE TABLE vlm_workers (worker_id TEXT NOT NULL PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE vlm_checkpoints (checkpoint_id TEXT NOT NULL PRIMARY KEY, trial_id INTEGER NOT NULL,
  step INTEGER NOT NULL, sha256 TEXT NOT NULL, size_bytes INTEGER NOT NULL, uri TEXT NOT NULL,
  body BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX vlm_checkpoints_by_trial ON vlm_checkpoints (trial_id);
CREATE TABLE vlm_events (sequence INTEGER NOT NULL PRIMARY KEY, study_id INTEGER NOT NULL,
  trial_id INTEGER NOT NULL, kind TEXT NOT NULL, message TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE vlm_requests (request_id TEXT NOT NULL PRIMARY KEY, method TEXT NOT NULL,
  response BLOB NOT NULL, created_s INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE vlm_metric_blocks (block_id INTEGER NOT NULL PRIMARY KEY, trial_id INTEGER NOT NULL,
  attempt INTEGER NOT NULL, data BLOB NOT NULL);
CREATE INDEX vlm_metric_blocks_by_trial ON vlm_metric_blocks (trial_id);
CREATE TABLE vlm_profiles (profile_id INTEGER NOT NULL PRIMARY KEY, trial_id INTEGER NOT NULL,
  data BLOB NOT NULL);
CREATE INDEX vlm_profiles_by_trial ON vlm_profiles (trial_id);
CREATE TABLE vlm_logs (trial_id INTEGER NOT NULL, first_sequence INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (trial_id, first_sequence)) WITHOUT ROWID;
INSERT INTO vlm_meta VALUES ('schema', 1);
)sql";

// Migration 3: studies that can be restored; see deleted.h. (2 made the change triggers.)
constexpr char kMigration3[] = R"sql(
CREATE TABLE vlm_deleted_studies (study_id INTEGER NOT NULL PRIMARY KEY, summary BLOB NOT NULL,
  body BLOB NOT NULL);
)sql";

// Migration 4: finished trials in few bytes; see packed.h.
constexpr char kMigration4[] = R"sql(
CREATE TABLE vlm_param_kinds (study_id INTEGER NOT NULL, slot INTEGER NOT NULL,
  name TEXT NOT NULL, distribution BLOB NOT NULL, PRIMARY KEY (study_id, slot)) WITHOUT ROWID;
CREATE TABLE vlm_packed_trials (trial_id INTEGER NOT NULL PRIMARY KEY, study_id INTEGER NOT NULL,
  number INTEGER NOT NULL, state INTEGER NOT NULL, has_extras INTEGER NOT NULL,
  numbers BLOB NOT NULL, rest BLOB NOT NULL);
)sql";

// Migration 5: answers are kept in the order in which they were given. Under their ids, which are
// random, each one dirtied a page of its own. The heart sees to it that no id comes twice.
constexpr char kMigration5[] = R"sql(
CREATE TABLE vlm_answers (answer_id INTEGER NOT NULL PRIMARY KEY, created_s INTEGER NOT NULL,
  request_id TEXT NOT NULL, method TEXT NOT NULL, response BLOB NOT NULL);
INSERT INTO vlm_answers (created_s, request_id, method, response)
  SELECT created_s, request_id, method, response FROM vlm_requests ORDER BY created_s;
DROP TABLE vlm_requests;
)sql";

int64_t Scalar(Connection& c, const std::string& sql) {
  SQLite::Statement& s = c.Prepare(sql);
  const int64_t value = s.executeStep() ? s.getColumn(0).getInt64() : 0;
  s.reset();  // A statement that is not at its end keeps a read transaction open.
  return value;
}

bool HasTable(Connection& c, const std::string& name) {
  SQLite::Statement& s = c.Prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?");
  s.bind(1, name);
  const bool found = s.executeStep();
  s.reset();
  return found;
}

absl::Status CheckOwner(Connection& c, const std::string& path) {
  if (!HasTable(c, "studies") || !HasTable(c, "trials") || !HasTable(c, "alembic_version")) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is a database of another program; name another --data directory"));
  }
  RETURN_IF_ERROR(CheckRevision(c, path));
  if (HasTable(c, "vlm_meta")) {
    const int64_t version = Scalar(c, "SELECT value FROM vlm_meta WHERE key = 'schema'");
    if (version > kSchemaVersion) {
      return absl::FailedPreconditionError(
          absl::StrCat(path, " was written by a newer vlmctl (schema ", version,
                       ", this one knows ", kSchemaVersion, "); update vlmctl"));
    }
  }
  return absl::OkStatus();
}

void BackUp(Connection& c, const std::string& path, int64_t migration) {
  const std::string backup = absl::StrCat(path, ".before-migration-", migration);
  std::filesystem::remove(backup);
  SQLite::Statement& vacuum = c.Prepare("VACUUM INTO ?");
  vacuum.bind(1, backup);
  vacuum.exec();
  VLM_LOG_INFO("backed the study file up before its migration", {{"backup", backup}});
}

}  // namespace

absl::Status CheckRevision(Connection& c, const std::string& path) {
  SQLite::Statement& s = c.Prepare("SELECT version_num FROM alembic_version");
  const std::string revision = s.executeStep() ? s.getColumn(0).getString() : "none";
  s.reset();
  if (revision == kAlembicHead) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(path, " has Optuna's schema ", revision, ", not ", kAlembicHead,
                   "; run `optuna storage upgrade` on it, or update vlmctl"));
}

void CreateOptunaTables(Connection& c) {
  SQLite::Transaction transaction(c.database());
  c.Execute(kOptunaTables);
  transaction.commit();
}

absl::Status Migrate(Connection& c, const std::string& path) {
  absl::Status owner;
  int64_t tables = 0;
  int64_t version = 0;
  RETURN_IF_ERROR(Guard(path, [&] {
    tables = Scalar(c, "SELECT count(*) FROM sqlite_master WHERE type = 'table'");
    if (tables > 0) owner = CheckOwner(c, path);
    if (owner.ok() && HasTable(c, "vlm_meta")) {
      version = Scalar(c, "SELECT value FROM vlm_meta WHERE key = 'schema'");
    }
  }));
  RETURN_IF_ERROR(owner);
  return Guard(path, [&] {
    c.Execute("PRAGMA journal_mode = WAL");
    c.Execute("PRAGMA synchronous = FULL");
    if (tables == 0) CreateOptunaTables(c);
    // An upgrade of Optuna's schema drops triggers.
    if (version == kSchemaVersion) return MakeChangeTriggers(c);
    if (tables > 0) BackUp(c, path, version + 1);
    SQLite::Transaction transaction(c.database());
    if (version < 1) c.Execute(kMigration1);
    if (version < 3) c.Execute(kMigration3);
    if (version < 4) c.Execute(kMigration4);
    if (version < 5) c.Execute(kMigration5);
    MakeChangeTriggers(c);
    c.Execute(
        absl::StrCat("UPDATE vlm_meta SET value = ", kSchemaVersion, " WHERE key = 'schema'"));
    transaction.commit();
    // The file itself is a database from its first moment on, not only together with its log.
    c.Execute("PRAGMA wal_checkpoint(TRUNCATE)");
  });
}

}  // namespace vlm::storage
