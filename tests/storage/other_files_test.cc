// Files that are not ours, damaged, or of the future.
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/storage/store_fixture.h"

namespace vlm::storage {
namespace {

TEST_F(StoreTest, AFileOfAnotherProgramIsRefusedAndUntouched) {
  Execute("CREATE TABLE recipes (name TEXT)");
  const std::string before = Bytes();
  const auto store = Store::Open(path_);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(store.status().message().find("another program"), std::string::npos);
  EXPECT_EQ(Bytes(), before);
}

TEST_F(StoreTest, AFileOfANewerVersionIsRefusedAndUntouched) {
  Open();
  Execute("PRAGMA journal_mode = DELETE");
  Execute("UPDATE vlm_meta SET value = 99 WHERE key = 'schema'");
  const std::string before = Bytes();
  const auto store = Store::Open(path_);
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(store.status().message().find("newer vlmctl"), std::string::npos);
  EXPECT_EQ(Bytes(), before);
}

TEST_F(StoreTest, AnOlderOptunaSchemaIsRefusedWithTheRemedy) {
  Open();
  Execute("UPDATE alembic_version SET version_num = 'v3.0.0.d'");
  EXPECT_NE(Store::Open(path_).status().message().find("optuna storage upgrade"),
            std::string::npos);
}

TEST_F(StoreTest, AFileThatIsNoDatabaseIsDamage) {
  std::ofstream(path_) << std::string(8192, 'x');
  EXPECT_EQ(Store::Open(path_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(StoreTest, ADamagedBodyIsNamed) {
  ASSERT_TRUE(Commit(*Open(), SampleBatch()).ok());
  Execute("UPDATE vlm_attempts SET body = x'FFFF'");
  const auto snapshot = Open()->Load();
  EXPECT_EQ(snapshot.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(snapshot.status().message().find("attempt 1"), std::string::npos);
}

TEST_F(StoreTest, ADamagedBlockIsDamageNotWrongData) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  Execute("UPDATE vlm_metric_blocks SET data = substr(data, 1, length(data) - 3)");
  EXPECT_EQ(store->ReadSeries(1, {}, 0).status().code(), absl::StatusCode::kDataLoss);
  Execute("UPDATE vlm_metric_blocks SET data = x'FFFFFFFF00'");
  EXPECT_EQ(store->ReadSeries(1, {}, 0).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(StoreTest, AnOptunaFileIsMigratedAfterABackup) {
  Open();
  Execute("PRAGMA journal_mode = DELETE");
  for (const char* table : {"meta", "studies", "trials", "attempts", "report_marks", "workers",
                            "checkpoints", "events", "answers", "metric_blocks", "profiles", "logs",
                            "deleted_studies", "param_kinds", "packed_trials"}) {
    Execute(absl::StrCat("DROP TABLE vlm_", table));
  }
  Execute("INSERT INTO studies VALUES (5, 'theirs')");
  const core::Snapshot snapshot = OpenAndLoad();
  ASSERT_EQ(snapshot.studies.size(), 1u);
  EXPECT_FALSE(snapshot.studies[0].spec.has_train());
  EXPECT_EQ(snapshot.last_study_id, 5);
  EXPECT_TRUE(std::filesystem::exists(path_ + ".before-migration-1"));
}

TEST_F(StoreTest, AFileOfTheFirstVersionIsMigratedAfterABackup) {
  {
    auto store = Open();
    ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  }
  for (const char* table : {"deleted_studies", "param_kinds", "packed_trials", "answers"}) {
    Execute(absl::StrCat("DROP TABLE vlm_", table));
  }
  Execute(
      "CREATE TABLE vlm_requests (request_id TEXT NOT NULL PRIMARY KEY, method TEXT NOT NULL, "
      "response BLOB NOT NULL, created_s INTEGER NOT NULL) WITHOUT ROWID");
  for (const char* id : {"b", "a"}) {  // The second one is the older one.
    Execute(absl::StrCat("INSERT INTO vlm_requests VALUES ('", id, "', 'Tell', x'08', ",
                         "unixepoch() - ", id[0] == 'a' ? 60 : 0, ")"));
  }
  Execute("UPDATE vlm_meta SET value = 1 WHERE key = 'schema'");
  const core::Snapshot snapshot = OpenAndLoad();
  EXPECT_EQ(snapshot.studies.size(), 1u);
  EXPECT_TRUE(snapshot.deleted.empty());
  ASSERT_EQ(snapshot.requests.size(), 2u);
  EXPECT_EQ(snapshot.requests[0].request_id, "a");
  EXPECT_EQ(snapshot.requests[1].method, "Tell");
  EXPECT_TRUE(std::filesystem::exists(path_ + ".before-migration-2"));
  OpenAndLoad();  // And is of the present version from then on.
}

TEST_F(StoreTest, AForeignTrialWeHaveNoFormForDoesNotCloseTheFile) {
  Open();
  Execute("INSERT INTO studies VALUES (5, 'theirs')");
  Execute("INSERT INTO trials VALUES (7, 0, 5, 'RUNNING', NULL, NULL)");
  Execute(
      "INSERT INTO trial_params VALUES (1, 7, 'x', 3.0, "
      "'{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [NaN]}}')");
  const core::Snapshot snapshot = OpenAndLoad();
  ASSERT_EQ(snapshot.trials.size(), 1u);
  EXPECT_EQ(snapshot.trials[0].params_size(), 0);
}

}  // namespace
}  // namespace vlm::storage
