// Other programs that write Optuna's tables of the same file.
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "absl/strings/str_cat.h"
#include "tests/storage/samples.h"
#include "tests/storage/store_fixture.h"

namespace vlm::storage {
namespace {

class ForeignTest : public StoreTest {
 protected:
  void SetUp() override {
    store_ = Open();
    ASSERT_TRUE(store_->Load().ok());
    ASSERT_TRUE(Commit(*store_, SampleBatch()).ok());
  }
  core::ForeignRows Look() {
    auto rows = store_->TakeLock();
    EXPECT_TRUE(rows.ok()) << rows.status();
    store_->LetGo();
    return rows.ok() ? *std::move(rows) : core::ForeignRows();
  }
  std::unique_ptr<Store> store_;
};

TEST_F(ForeignTest, OurOwnWritesAreNoNews) {
  EXPECT_FALSE(store_->HasForeignRows());
  EXPECT_TRUE(Look().empty());
}

TEST_F(ForeignTest, WhatTheyWriteIsSeenOnceAndWhole) {
  Execute("INSERT INTO studies VALUES (2, 'theirs')");
  Execute("INSERT INTO study_user_attributes VALUES (NULL, 2, 'k', '1')");
  Execute("INSERT INTO trials VALUES (2, 0, 2, 'RUNNING', '2026-01-02 03:04:05.000006', NULL)");
  Execute(
      "INSERT INTO trial_params VALUES (NULL, 2, 'x', 0.5, '{\"type\": \"float\", \"low\": 0, "
      "\"high\": 1}')");
  EXPECT_TRUE(store_->HasForeignRows());

  const core::ForeignRows rows = Look();

  ASSERT_EQ(rows.studies.size(), 1u);
  EXPECT_EQ(rows.studies[0].study.name(), "theirs");
  EXPECT_EQ(rows.studies[0].user_attributes.at("k"), "1");
  ASSERT_EQ(rows.trials.size(), 1u);
  EXPECT_TRUE(rows.trials[0].external());
  EXPECT_DOUBLE_EQ(rows.trials[0].params(0).value().float_value(), 0.5);
  EXPECT_FALSE(store_->HasForeignRows());
  EXPECT_TRUE(Look().empty());
}

TEST_F(ForeignTest, OnlyWhatHasChangedIsRead) {
  Execute("INSERT INTO trials VALUES (2, 1, 1, 'WAITING', NULL, NULL)");
  Look();
  Execute("UPDATE trials SET state = 'RUNNING' WHERE trial_id = 2");
  const core::ForeignRows rows = Look();
  EXPECT_TRUE(rows.studies.empty());
  ASSERT_EQ(rows.trials.size(), 1u);
  EXPECT_EQ(rows.trials[0].trial_id(), 2);
  EXPECT_EQ(rows.trials[0].state(), v1::TRIAL_STATE_RUNNING);
}

TEST_F(ForeignTest, TheirUpsertsAndReplacementsAreNotDisturbed) {
  for (int i = 0; i < 3; ++i) {
    Execute(
        "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (1, 'k', '1') "
        "ON CONFLICT (trial_id, key) DO UPDATE SET value_json = excluded.value_json");
    Execute("INSERT OR REPLACE INTO trial_values VALUES (1, 1, 0, 0.5, 'FINITE')");
    Execute("INSERT OR FAIL INTO trial_heartbeats VALUES (NULL, " + absl::StrCat(i) + ", 'now')");
  }
  EXPECT_EQ(Look().trials.at(0).user_attributes().at("k"), "1");
}

TEST_F(ForeignTest, ALostStudyTakesOurRowsAlongAndItsIdsMayComeAgain) {
  for (const char* sql :
       {"DELETE FROM studies", "DELETE FROM trials", "INSERT INTO studies VALUES (1, 'again')",
        "INSERT INTO trials VALUES (1, 0, 1, 'WAITING', NULL, NULL)"}) {
    Execute(sql);
  }

  const core::ForeignRows rows = Look();

  EXPECT_EQ(rows.lost_studies, std::vector<int64_t>{1});
  EXPECT_FALSE(rows.studies.at(0).spec.has_train());
  EXPECT_TRUE(rows.trials.at(0).external());
  EXPECT_EQ(Count("SELECT count(*) FROM vlm_attempts"), 0);
  EXPECT_EQ(Count("SELECT count(*) FROM vlm_metric_blocks"), 0);
}

TEST_F(ForeignTest, WhatHappensWhileWeAreAwayIsCleanedUpAtTheStart) {
  store_.reset();
  for (const char* table : {"trial_params", "trial_values", "trial_user_attributes",
                            "trial_system_attributes", "trial_intermediate_values", "trials",
                            "study_directions", "study_system_attributes", "studies"}) {
    Execute(absl::StrCat("DELETE FROM ", table));
  }
  const core::Snapshot snapshot = OpenAndLoad();
  EXPECT_TRUE(snapshot.studies.empty());
  EXPECT_TRUE(snapshot.attempts.empty());
  EXPECT_EQ(snapshot.last_trial_id, 1) << "ids are not used again by us";
  EXPECT_EQ(Count("SELECT count(*) FROM vlm_studies"), 0);
}

TEST_F(ForeignTest, NobodyElseWritesWhileTheLockIsKept) {
  ASSERT_TRUE(store_->TakeLock().ok());
  for (int i = 0; i < 3; ++i) {
    EXPECT_THROW(Execute("INSERT INTO studies VALUES (NULL, 'x')"), SQLite::Exception);
    EXPECT_EQ(Count("SELECT count(*) FROM studies"), 1) << "readers go on";
    core::AppendEvent event;
    event.event.set_sequence(i + 2);
    ASSERT_TRUE(Commit(*store_, {event}).ok());
  }
  store_->LetGo();
  Execute("INSERT INTO studies VALUES (NULL, 'x')");
  EXPECT_EQ(Look().studies.at(0).study.study_id(), 2);
}

TEST_F(ForeignTest, AnotherProcessWithTheFileOpenIsCompany) {
  store_.reset();  // SQLite's memory of locks is not to be carried over a fork.
  int go[2];
  int there[2];
  ASSERT_EQ(pipe(go) + pipe(there), 0);
  char byte = 0;
  const pid_t child = fork();
  if (child == 0) {
    if (read(go[0], &byte, 1) != 1) _exit(1);
    SQLite::Database db(path_);
    db.execAndGet("SELECT count(*) FROM studies");
    if (write(there[1], &byte, 1) != 1) _exit(1);
    pause();
  }
  store_ = Open();
  EXPECT_FALSE(store_->HasCompany());
  ASSERT_EQ(write(go[1], &byte, 1), 1);
  ASSERT_EQ(read(there[0], &byte, 1), 1);
  EXPECT_TRUE(store_->HasCompany());
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(store_->HasCompany());
  for (int fd : {go[0], go[1], there[0], there[1]}) close(fd);
}

TEST_F(ForeignTest, AnUpgradeOfOptunasSchemaIsNoticedBeforeAnythingIsWritten) {
  Execute("UPDATE alembic_version SET version_num = 'v9.0.0.a'");
  const auto rows = store_->TakeLock();
  EXPECT_EQ(rows.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(rows.status().message().find("v9.0.0.a"), std::string::npos);
  Execute("UPDATE alembic_version SET version_num = 'v3.2.0.a'");
}

TEST_F(ForeignTest, HostileRowsAreLeftOutAndTheRestIsTaken) {
  Execute("INSERT INTO trials VALUES (2, 1, 1, 'running', NULL, NULL)");
  Execute("INSERT INTO trials VALUES (3, 77, 1, 'RUNNING', 'yesterday', NULL)");
  Execute(
      "INSERT INTO trial_params VALUES (NULL, 3, 'x', 1e300, '{\"type\": \"int\", \"low\": 0, "
      "\"high\": 1}')");
  Execute("INSERT INTO trial_params VALUES (NULL, 3, 'y', 1, 'no json')");
  Execute("INSERT INTO trial_values VALUES (NULL, 3, 0, NULL, 'FINITE')");
  Execute("INSERT INTO trial_user_attributes VALUES (NULL, NULL, 'k', NULL)");
  const core::ForeignRows rows = Look();
  ASSERT_EQ(rows.trials.size(), 1u);
  EXPECT_EQ(rows.trials[0].params_size() + rows.trials[0].values_size(), 0);
}

TEST_F(ForeignTest, AReadOnlyFileSaysSo) {
  store_.reset();
  const std::string folder = folder_ / "";
  if (mount(folder.c_str(), folder.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    GTEST_SKIP() << "only root can make a folder read-only for root";
  }
  mount(nullptr, folder.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr);
  const auto store = Store::Open(path_);
  EXPECT_FALSE(store.ok());
  EXPECT_NE(store.status().message().find("writable"), std::string::npos) << store.status();
  EXPECT_EQ(umount(folder.c_str()), 0);
}

}  // namespace
}  // namespace vlm::storage
