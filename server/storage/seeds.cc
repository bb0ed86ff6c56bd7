#include "server/storage/seeds.h"

#include <filesystem>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/core/optuna_json.h"
#include "server/search/sampler.h"
#include "server/storage/connection.h"
#include "server/storage/optuna_rows.h"

namespace vlm::storage {
namespace {

constexpr size_t kNamesShown = 5;

using Index = absl::flat_hash_map<int64_t, v1::Trial*>;

// -1 if the file has no such study.
int64_t FindStudyId(Connection& c, const std::string& name, std::vector<std::string>* names) {
  SQLite::Statement& s = c.Prepare("SELECT study_id, study_name FROM studies ORDER BY study_id");
  while (s.executeStep()) {
    if (s.getColumn(1).getString() == name) return s.getColumn(0).getInt64();
    if (names->size() < kNamesShown) names->push_back(s.getColumn(1).getString());
  }
  return -1;
}

std::vector<v1::Trial> ReadFinished(Connection& c, int64_t study_id) {
  std::vector<v1::Trial> trials;
  SQLite::Statement& s = c.Prepare(
      "SELECT trial_id, state, datetime_start, datetime_complete, "
      "(SELECT COUNT(*) FROM trials e WHERE e.study_id = t.study_id AND e.trial_id < t.trial_id) "
      "FROM trials t WHERE study_id = ? AND state IN ('COMPLETE', 'PRUNED') ORDER BY trial_id");
  s.bind(1, study_id);
  while (s.executeStep()) {
    v1::Trial& trial = trials.emplace_back();
    trial.set_trial_id(s.getColumn(0).getInt64());
    trial.set_state(ParseTrialState(s.getColumn(1).getString()));
    if (!s.getColumn(2).isNull()) {
      ParseDateTime(s.getColumn(2).getString(), trial.mutable_start_time());
    }
    if (!s.getColumn(3).isNull()) {
      ParseDateTime(s.getColumn(3).getString(), trial.mutable_end_time());
    }
    trial.set_number(s.getColumn(4).getInt64());
  }
  return trials;
}

SQLite::Statement& OfStudy(Connection& c, const std::string& columns, const std::string& table,
                           const std::string& order, int64_t study_id) {
  SQLite::Statement& s = c.Prepare(
      absl::StrCat("SELECT x.trial_id, ", columns, " FROM ", table,
                   " x JOIN trials USING (trial_id) WHERE study_id = ? ORDER BY x.", order));
  s.bind(1, study_id);
  return s;
}

void ReadParams(Connection& c, int64_t study_id, const Index& index) {
  SQLite::Statement& s = OfStudy(c, "param_name, param_value, distribution_json", "trial_params",
                                 "param_id", study_id);
  while (s.executeStep()) {
    const auto trial = index.find(s.getColumn(0).getInt64());
    if (trial == index.end()) continue;
    // A value or range that we cannot read is left out: the trial then lacks it and does not fit.
    const auto distribution = core::ParseDistribution(s.getColumn(3).getString());
    if (!distribution.ok()) continue;
    auto value = search::ToExternal(*distribution, s.getColumn(2).getDouble());
    if (!value.ok()) continue;
    v1::Param param;
    param.set_name(s.getColumn(1).getString());
    *param.mutable_distribution() = *distribution;
    *param.mutable_value() = *std::move(value);
    *trial->second->add_params() = std::move(param);
  }
}

void ReadNumbers(Connection& c, int64_t study_id, const Index& index) {
  SQLite::Statement& v = OfStudy(c, "value, value_type", "trial_values", "objective", study_id);
  while (v.executeStep()) {
    const auto trial = index.find(v.getColumn(0).getInt64());
    if (trial == index.end()) continue;
    trial->second->add_values(ValueOf(v.getColumn(1), v.getColumn(2).getString()));
  }
  SQLite::Statement& i = OfStudy(c, "step, intermediate_value, intermediate_value_type",
                                 "trial_intermediate_values", "step", study_id);
  while (i.executeStep()) {
    const auto trial = index.find(i.getColumn(0).getInt64());
    if (trial == index.end()) continue;
    v1::IntermediateValue& value = *trial->second->add_intermediate_values();
    value.set_step(i.getColumn(1).getInt64());
    value.set_value(ValueOf(i.getColumn(2), i.getColumn(3).getString()));
  }
  SQLite::Statement& a =
      OfStudy(c, "\"key\", value_json", "trial_system_attributes", "trial_id", study_id);
  while (a.executeStep()) {
    const auto trial = index.find(a.getColumn(0).getInt64());
    if (trial == index.end()) continue;
    (*trial->second->mutable_system_attributes())[a.getColumn(1).getString()] =
        a.getColumn(2).getString();
  }
}

}  // namespace

absl::StatusOr<std::vector<v1::Trial>> ReadOptunaTrials(const std::string& path,
                                                        const std::string& study) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return absl::NotFoundError(
        absl::StrCat("study.seed_from: no file ", path, " on the coordinator's machine"));
  }
  std::vector<v1::Trial> trials;
  std::vector<std::string> names;
  bool found = false;
  absl::Status read = Guard(absl::StrCat("study.seed_from ", path), [&] {
    Connection c(path, false);
    const int64_t study_id = FindStudyId(c, study, &names);
    if (study_id < 0) return;
    found = true;
    trials = ReadFinished(c, study_id);
    Index index;
    for (v1::Trial& trial : trials) index[trial.trial_id()] = &trial;
    ReadParams(c, study_id, index);
    ReadNumbers(c, study_id, index);
  });
  if (!read.ok()) return read;
  if (found) return trials;
  return absl::NotFoundError(absl::StrCat("study.seed_from: ", path, " has no study \"", study,
                                          "\"; it has ", absl::StrJoin(names, ", ")));
}

absl::StatusOr<std::vector<v1::Trial>> ReadSeeds(const v1::StudySpec& spec) {
  const v1::SeedSource& seed = spec.seed_from();
  if (!seed.csv().empty()) return ReadCsvTrials(seed.csv(), spec);
  if (!seed.optuna_db().empty()) return ReadOptunaTrials(seed.optuna_db(), seed.study());
  return std::vector<v1::Trial>();
}

}  // namespace vlm::storage
