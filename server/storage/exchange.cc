#include "server/storage/exchange.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "common/status.h"
#include "server/storage/connection.h"
#include "server/storage/migrations.h"
#include "server/storage/parts.h"
#include "server/storage/store.h"

namespace vlm::storage {
namespace {

// Tables of Optuna in an order in which rows refer to earlier ones, with the columns of schema 12.
struct Table {
  const char* name;
  const char* columns;
  bool of_trials;  // Rows belong to a trial, not to the study itself.
};
constexpr Table kTables[] = {
    {"studies", "study_id, study_name", false},
    {"study_directions", "direction, study_id, objective", false},
    {"study_user_attributes", "study_id, \"key\", value_json", false},
    {"study_system_attributes", "study_id, \"key\", value_json", false},
    {"trials", "trial_id, number, study_id, state, datetime_start, datetime_complete", false},
    {"trial_params", "trial_id, param_name, param_value, distribution_json", true},
    {"trial_values", "trial_id, objective, value, value_type", true},
    {"trial_intermediate_values", "trial_id, step, intermediate_value, intermediate_value_type",
     true},
    {"trial_user_attributes", "trial_id, \"key\", value_json", true},
    {"trial_system_attributes", "trial_id, \"key\", value_json", true},
};

// People know the file by another name than that of its copy here.
absl::Status WithoutPath(const absl::Status& status, const std::string& path) {
  return absl::Status(status.code(),
                      absl::StrReplaceAll(status.message(), {{path, "the database"}}));
}

absl::StatusOr<OptunaStudy> Choose(core::Snapshot snapshot, const std::string& name) {
  std::vector<std::string> names;
  const core::Snapshot::StudyRow* chosen = nullptr;
  for (const core::Snapshot::StudyRow& row : snapshot.studies) {
    names.push_back(row.study.name());
    if (name.empty() || row.study.name() == name) chosen = &row;
  }
  if (names.empty()) return absl::NotFoundError("the database holds no study");
  if (name.empty() && names.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the database holds several studies; name one of: ", absl::StrJoin(names, ", ")));
  }
  if (chosen == nullptr) {
    return absl::NotFoundError(absl::StrCat("the database has no study \"", name,
                                            "\"; there are: ", absl::StrJoin(names, ", ")));
  }
  OptunaStudy out;
  out.study = chosen->study;
  for (v1::Trial& trial : snapshot.trials) {
    if (trial.study_id() == out.study.study_id()) out.trials.push_back(std::move(trial));
  }
  std::sort(out.trials.begin(), out.trials.end(),
            [](const v1::Trial& a, const v1::Trial& b) { return a.number() < b.number(); });
  return out;
}

}  // namespace

absl::StatusOr<OptunaStudy> ReadOptunaStudy(const std::string& path, const std::string& name) {
  auto store = Store::Open(path);
  if (!store.ok()) return WithoutPath(store.status(), path);
  auto snapshot = (*store)->Load(true);
  if (!snapshot.ok()) return WithoutPath(snapshot.status(), path);
  return Choose(*std::move(snapshot), name);
}

absl::Status Store::ExportStudy(int64_t study_id, const std::string& path) {
  return Guard(path, [&] {
    Connection target(path, true);
    CreateOptunaTables(target);
    SQLite::Statement& attach = target.Prepare("ATTACH ? AS source");
    attach.bind(1, parts_->path);
    attach.exec();
    SQLite::Transaction transaction(target.database());  // One state of the source throughout.
    for (const Table& table : kTables) {
      SQLite::Statement& copy = target.Prepare(absl::StrCat(
          "INSERT INTO main.", table.name, " (", table.columns, ") SELECT ", table.columns,
          " FROM source.", table.name,
          table.of_trials
              ? " WHERE trial_id IN (SELECT trial_id FROM source.trials WHERE study_id = ?)"
              : " WHERE study_id = ?",
          " ORDER BY rowid"));
      copy.bind(1, study_id);
      copy.exec();
    }
    transaction.commit();
  });
}

}  // namespace vlm::storage
