#include "server/storage/foreign.h"

#include <sqlite3.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "server/storage/load.h"
#include "server/storage/migrations.h"
#include "server/storage/packed.h"

namespace vlm::storage {
namespace {

// What vlm_changes.kind says about vlm_changes.id.
constexpr int kStudy = 1;      // A study or what hangs on it was written.
constexpr int kTrial = 2;      // A trial or what hangs on it was written.
constexpr int kLostStudy = 3;  // A study was removed; its id may be in use again.

// Heartbeats are left out: they change nothing that we keep.
struct Watched {
  const char* table;
  const char* id;
  int kind;
};
constexpr Watched kWatched[] = {{"studies", "study_id", kStudy},
                                {"study_directions", "study_id", kStudy},
                                {"study_user_attributes", "study_id", kStudy},
                                {"study_system_attributes", "study_id", kStudy},
                                {"trials", "trial_id", kTrial},
                                {"trial_user_attributes", "trial_id", kTrial},
                                {"trial_system_attributes", "trial_id", kTrial},
                                {"trial_params", "trial_id", kTrial},
                                {"trial_values", "trial_id", kTrial},
                                {"trial_intermediate_values", "trial_id", kTrial}};

// A plain INSERT behind a test: a conflict clause would be overridden by the one of the statement
// that fires the trigger.
std::string Note(int kind, const std::string& id) {
  return absl::StrCat("INSERT INTO vlm_changes (kind, id) SELECT ", kind, ", ", id, " WHERE ", id,
                      " IS NOT NULL AND NOT EXISTS (SELECT 1 FROM vlm_changes WHERE kind = ", kind,
                      " AND id = ", id, "); ");
}

void Make(Connection& c, const Watched& w, const std::string& event, const std::string& body) {
  c.Execute(absl::StrCat("CREATE TRIGGER IF NOT EXISTS vlm_", w.table, "_", event, " AFTER ", event,
                         " ON ", w.table, " BEGIN ", body, "END"));
}

std::string Noted(int kind) {
  return absl::StrCat("(SELECT id FROM vlm_changes WHERE kind = ", kind, ")");
}

}  // namespace

void MakeChangeTriggers(Connection& c) {
  c.Execute(
      "CREATE TABLE IF NOT EXISTS vlm_changes (kind INTEGER NOT NULL, id INTEGER NOT NULL, "
      "PRIMARY KEY (kind, id)) WITHOUT ROWID");
  for (const Watched& w : kWatched) {
    const std::string fresh = Note(w.kind, absl::StrCat("NEW.", w.id));
    const std::string old = Note(w.kind, absl::StrCat("OLD.", w.id));
    const bool study = w.table == absl::string_view("studies");
    Make(c, w, "INSERT", fresh);
    Make(c, w, "UPDATE", fresh + old);
    Make(c, w, "DELETE", study ? old + Note(kLostStudy, "OLD.study_id") : old);
  }
}

void SwitchTriggersOff(Connection& c) {
  sqlite3_db_config(c.database().getHandle(), SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
}

int64_t DataVersion(Connection& c) {
  SQLite::Statement& s = c.Prepare("PRAGMA data_version");
  s.executeStep();
  const int64_t version = s.getColumn(0).getInt64();
  s.reset();
  return version;
}

void DropOrphans(Connection& c) {
  SQLite::Statement& any = c.Prepare("SELECT 1 FROM vlm_changes LIMIT 1");
  const bool changed = any.executeStep();
  any.reset();
  if (!changed) return;
  // Trials that are gone, and those of a study that has the id of one that is gone.
  const std::string gone =
      " NOT IN (SELECT trial_id FROM trials WHERE study_id NOT IN " + Noted(kLostStudy) + ")";
  c.Execute(
      "DELETE FROM vlm_report_marks WHERE attempt_id IN (SELECT attempt_id FROM vlm_attempts "
      "WHERE trial_id" +
      gone + ")");
  for (const char* table : kTrialTables) {
    c.Execute(absl::StrCat("DELETE FROM ", table, " WHERE trial_id", gone));
  }
  c.Execute("DELETE FROM vlm_studies WHERE study_id IN " + Noted(kLostStudy) +
            " OR study_id NOT IN (SELECT study_id FROM studies)");
  DropOrphanedKinds(c, Noted(kLostStudy));
}

void DropStaleRows(Connection& c) { DropStalePacked(c, Noted(kTrial)); }

core::ForeignRows TakeForeignRows(Connection& c, ParamKinds& kinds) {
  core::ForeignRows out;
  SQLite::Statement& lost =
      c.Prepare(absl::StrCat("SELECT id FROM vlm_changes WHERE kind = ", kLostStudy));
  while (lost.executeStep()) out.lost_studies.push_back(lost.getColumn(0).getInt64());
  lost.reset();
  if (!out.lost_studies.empty()) DropOrphans(c);
  for (const int64_t study_id : out.lost_studies) kinds.Forget(study_id);
  DropStaleRows(c);
  core::Snapshot rows;
  LoadStudies(c, &rows, "WHERE s.study_id IN " + Noted(kStudy));
  LoadTrials(c, &rows, Noted(kTrial));
  ForgetChanges(c);
  out.studies = std::move(rows.studies);
  out.trials = std::move(rows.trials);
  for (const v1::Trial& trial : out.trials) WritePacked(c, kinds, trial);
  return out;
}

void ForgetChanges(Connection& c) { c.Execute("DELETE FROM vlm_changes"); }

}  // namespace vlm::storage
