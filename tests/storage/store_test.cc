// The study file: an Optuna database with our tables, written in group commits.
#include "server/storage/store.h"

#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>

#include "SQLiteCpp/SQLiteCpp.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "server/storage/writer.h"
#include "tests/storage/samples.h"

namespace vlm::storage {
namespace {

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() : folder_(::testing::TempDir() + "/store-XXXXXX") {
    EXPECT_NE(mkdtemp(folder_.data()), nullptr);
    path_ = folder_ + "/study.db";
  }
  ~StoreTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Store> Open() {
    auto store = Store::Open(path_);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  core::Snapshot OpenAndLoad() {
    auto snapshot = Open()->Load();
    EXPECT_TRUE(snapshot.ok()) << snapshot.status();
    return snapshot.ok() ? *std::move(snapshot) : core::Snapshot();
  }
  absl::Status Commit(Store& store, const core::Batch& batch) { return store.Commit({&batch}); }
  int64_t Count(const std::string& sql) {
    SQLite::Database db(path_);
    return db.execAndGet(sql).getInt64();
  }
  std::string Text(const std::string& sql) {
    SQLite::Database db(path_);
    return db.execAndGet(sql).getString();
  }
  void Execute(const std::string& sql) {
    SQLite::Database db(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    db.exec(sql);
  }
  std::string Bytes() {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::string folder_;
  std::string path_;
};

TEST_F(StoreTest, AFreshFileIsAnOptunaDatabase) {
  Open();
  EXPECT_EQ(Count("SELECT schema_version FROM version_info"), 12);
  EXPECT_EQ(Text("SELECT group_concat(version_num) FROM alembic_version"), "v3.2.0.a");
  for (const char* table :
       {"studies", "study_directions", "study_user_attributes", "study_system_attributes", "trials",
        "trial_user_attributes", "trial_system_attributes", "trial_params", "trial_values",
        "trial_intermediate_values", "trial_heartbeats"}) {
    EXPECT_EQ(Count(absl::StrCat("SELECT count(*) FROM ", table)), 0) << table;
  }
}

TEST_F(StoreTest, AFreshFileIsWholeWithoutItsLog) {
  auto store = Open();
  std::filesystem::copy_file(path_, folder_ + "/copy.db");
  SQLite::Database copy(folder_ + "/copy.db");
  EXPECT_EQ(copy.execAndGet("SELECT count(*) FROM vlm_meta").getInt(), 1);
}

TEST_F(StoreTest, WhatWasCommittedComesBackAsTheSameSnapshot) {
  ASSERT_TRUE(Commit(*Open(), SampleBatch()).ok());
  const core::Snapshot snapshot = OpenAndLoad();

  ASSERT_EQ(snapshot.studies.size(), 1u);
  EXPECT_EQ(snapshot.studies[0].study.DebugString(), SampleStudy().DebugString());
  EXPECT_EQ(snapshot.studies[0].spec.DebugString(), SampleSpec().DebugString());
  EXPECT_EQ(snapshot.studies[0].sampler_state, std::string("state\0bytes", 11));
  ASSERT_EQ(snapshot.trials.size(), 1u);
  EXPECT_EQ(snapshot.trials[0].DebugString(), SampleTrial().DebugString());
  ASSERT_EQ(snapshot.attempts.size(), 1u);
  EXPECT_EQ(snapshot.attempts[0].attempt.DebugString(), SampleAttempt().DebugString());
  EXPECT_EQ(snapshot.attempts[0].command.action(), v1::Command::ACTION_STOP);
  EXPECT_EQ(snapshot.attempts[0].rendezvous_port, 4711);
}

TEST_F(StoreTest, MarksWorkersCheckpointsRequestsAndIdsComeBack) {
  ASSERT_TRUE(Commit(*Open(), SampleBatch()).ok());
  const core::Snapshot snapshot = OpenAndLoad();

  ASSERT_EQ(snapshot.report_marks.size(), 1u);
  EXPECT_EQ(snapshot.report_marks[0].sequence, 1);
  EXPECT_EQ(snapshot.report_marks[0].last_step, 20);
  ASSERT_EQ(snapshot.workers.size(), 1u);
  ASSERT_EQ(snapshot.checkpoints.size(), 1u);
  EXPECT_EQ(snapshot.checkpoints[0].sha256(), "abc");
  ASSERT_EQ(snapshot.requests.size(), 1u);
  EXPECT_EQ(snapshot.requests[0].response, "answer");
  EXPECT_EQ(snapshot.last_study_id, 1);
  EXPECT_EQ(snapshot.last_event_sequence, 1);
  EXPECT_EQ(snapshot.log_marks, (std::vector<std::pair<int64_t, int64_t>>{{1, 2}}));
}

TEST_F(StoreTest, OptunasColumnsHoldOptunasFormats) {
  ASSERT_TRUE(Commit(*Open(), SampleBatch()).ok());
  EXPECT_EQ(Text("SELECT direction FROM study_directions"), "MINIMIZE");
  EXPECT_EQ(Text("SELECT state FROM trials"), "COMPLETE");
  EXPECT_EQ(Text("SELECT datetime_start FROM trials"), "2023-11-14 22:13:20.123456");
  EXPECT_EQ(Text("SELECT value_type FROM trial_values"), "FINITE");
  EXPECT_EQ(Count("SELECT param_value = 1.0 FROM trial_params WHERE param_name = 'batch_size'"), 1);
  EXPECT_EQ(Text("SELECT value_json FROM study_system_attributes"), "[\"val_loss\"]");
}

TEST_F(StoreTest, ApplyingABatchTwiceChangesNothing) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  core::Batch again = SampleBatch();
  std::erase_if(again, [](const auto& m) {  // Events and points carry their own keys.
    return std::holds_alternative<core::AppendEvent>(m) ||
           std::holds_alternative<core::ApplyReport>(m);
  });
  ASSERT_TRUE(Commit(*store, again).ok());
  EXPECT_EQ(store->Load()->trials[0].DebugString(), SampleTrial().DebugString());
}

TEST_F(StoreTest, ABatchIsStoredWholeOrNotAtAll) {
  auto store = Open();
  core::Batch batch = SampleBatch();
  core::PutTrial bad{SampleTrial()};
  bad.trial.set_trial_id(9);
  bad.trial.set_values(0, NAN);
  batch.push_back(bad);

  EXPECT_FALSE(Commit(*store, batch).ok());

  EXPECT_EQ(Count("SELECT count(*) FROM studies"), 0);
  EXPECT_EQ(Count("SELECT count(*) FROM vlm_events"), 0);
}

TEST_F(StoreTest, NanIsNeverStoredAsAValueAndInfinityIsATypeOfItsOwn) {
  auto store = Open();
  core::PutTrial put{SampleTrial()};
  put.trial.set_values(0, -std::numeric_limits<double>::infinity());
  ASSERT_TRUE(Commit(*store, {core::PutStudy{SampleStudy(), SampleSpec(), ""}, put}).ok());
  EXPECT_EQ(Text("SELECT value_type FROM trial_values"), "INF_NEG");
  EXPECT_EQ(Count("SELECT value IS NULL FROM trial_values"), 1);
  put.trial.set_values(0, NAN);
  EXPECT_FALSE(Commit(*store, {put}).ok());
  EXPECT_EQ(Count("SELECT count(*) FROM trial_values WHERE value_type = 'NAN'"), 0);
}

TEST_F(StoreTest, IntermediateValuesMayBeNan) {
  auto store = Open();
  core::Batch batch = SampleBatch();
  batch.push_back(core::PutIntermediateValue{1, 30, NAN});
  ASSERT_TRUE(Commit(*store, batch).ok());
  EXPECT_EQ(Text("SELECT intermediate_value_type FROM trial_intermediate_values WHERE step = 30"),
            "NAN");
  EXPECT_TRUE(std::isnan(store->Load()->trials[0].intermediate_values().rbegin()->value()));
}

TEST_F(StoreTest, AStepsFirstIntermediateValueStays) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  ASSERT_TRUE(Commit(*store, {core::PutIntermediateValue{1, 20, 99}}).ok());
  EXPECT_DOUBLE_EQ(store->Load()->trials[0].intermediate_values(0).value(), 0.5);
}

TEST_F(StoreTest, IdsSurviveTheDeletionOfTheirStudy) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  ASSERT_TRUE(Commit(*store, {core::DeleteStudy{1}}).ok());
  store.reset();
  const core::Snapshot snapshot = OpenAndLoad();

  EXPECT_TRUE(snapshot.studies.empty());
  EXPECT_EQ(snapshot.last_study_id, 1);
  EXPECT_EQ(snapshot.last_trial_id, 1);
  EXPECT_EQ(snapshot.last_attempt_id, 1);
}

TEST_F(StoreTest, DeletingAStudyLeavesNoRowOfIt) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  ASSERT_TRUE(Commit(*store, {core::DeleteStudy{1}}).ok());
  SQLite::Database db(path_);
  SQLite::Statement tables(db, "SELECT name FROM sqlite_master WHERE type = 'table'");
  const std::set<std::string> kept = {"version_info", "alembic_version", "vlm_meta",
                                      "vlm_events",   "vlm_requests",    "vlm_workers"};
  while (tables.executeStep()) {
    const std::string table = tables.getColumn(0).getString();
    if (kept.count(table) != 0) continue;
    EXPECT_EQ(db.execAndGet("SELECT count(*) FROM " + table).getInt64(), 0) << table;
  }
}

TEST_F(StoreTest, SeriesOfOverlappingAttemptsAreTheNewersFromItsFirstStepOn) {
  auto store = Open();
  core::Batch batch = SampleBatch();
  batch.push_back(SampleReport(2, {{10, 5.0}, {20, 4.0}}));
  ASSERT_TRUE(Commit(*store, batch).ok());
  const auto series = store->ReadSeries(1, {"val_loss"}, 0);
  ASSERT_TRUE(series.ok());
  ASSERT_EQ(series->size(), 1u);
  EXPECT_EQ((*series)[0].points_size(), 2);
  EXPECT_DOUBLE_EQ((*series)[0].points(1).value(), 4.0);
}

TEST_F(StoreTest, LogsAreReadFromASequenceAndByTail) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  EXPECT_EQ(store->ReadLogs(1, 0, 0)->size(), 2u);
  EXPECT_EQ(store->ReadLogs(1, 1, 0)->at(0).text(), "two");
  EXPECT_EQ(store->ReadLogs(1, 0, 1)->at(0).text(), "two");
  EXPECT_TRUE(store->ReadLogs(7, 0, 0)->empty());
}

TEST_F(StoreTest, EventsComeBackOldestFirst) {
  auto store = Open();
  core::Batch batch;
  for (int i = 1; i <= 5; ++i) {
    core::AppendEvent event;
    event.event.set_sequence(i);
    batch.push_back(event);
  }
  ASSERT_TRUE(Commit(*store, batch).ok());
  const auto events = store->ReadEvents(3);
  ASSERT_EQ(events->size(), 3u);
  EXPECT_EQ(events->at(0).sequence(), 3);
}

// ---- files that are not ours, damaged, or of the future ----

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
  for (const char* table :
       {"meta", "studies", "trials", "attempts", "report_marks", "workers", "checkpoints", "events",
        "requests", "metric_blocks", "profiles", "logs"}) {
    Execute(absl::StrCat("DROP TABLE vlm_", table));
  }
  Execute("INSERT INTO studies VALUES (5, 'theirs')");
  const core::Snapshot snapshot = OpenAndLoad();
  ASSERT_EQ(snapshot.studies.size(), 1u);
  EXPECT_FALSE(snapshot.studies[0].spec.has_train());
  EXPECT_EQ(snapshot.last_study_id, 5);
  EXPECT_TRUE(std::filesystem::exists(path_ + ".before-migration-1"));
}

TEST_F(StoreTest, AForeignTrialWeHaveNoFormForDoesNotCloseTheFile) {
  Open();
  Execute("INSERT INTO studies VALUES (5, 'theirs')");
  Execute("INSERT INTO trials VALUES (7, 0, 5, 'RUNNING', NULL, NULL)");
  Execute(
      "INSERT INTO trial_params VALUES (1, 7, 'x', 0.0, "
      "'{\"name\": \"CategoricalDistribution\", \"attributes\": {\"choices\": [NaN]}}')");
  const core::Snapshot snapshot = OpenAndLoad();
  ASSERT_EQ(snapshot.trials.size(), 1u);
  EXPECT_EQ(snapshot.trials[0].params_size(), 0);
}

// ---- power and space ----

TEST_F(StoreTest, EveryCommitThatReturnedSurvivesAKill) {
  int channel[2];
  ASSERT_EQ(pipe(channel), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto store = Store::Open(path_);
    for (int i = 1;; ++i) {
      core::AppendEvent event;
      event.event.set_sequence(i);
      const core::Batch batch = {event};
      if (!store.ok() || !(*store)->Commit({&batch}).ok()) _exit(1);
      if (write(channel[1], &i, sizeof(i)) != sizeof(i)) _exit(1);
    }
  }
  int acknowledged = 0;
  for (int i = 0; i < 20; ++i) ASSERT_EQ(read(channel[0], &acknowledged, sizeof(int)), 4);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(channel[0]);
  close(channel[1]);
  EXPECT_GE(OpenAndLoad().last_event_sequence, acknowledged);
}

TEST_F(StoreTest, AFullDiskIsAnAnswerAndNotACrash) {
  if (mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=1m") != 0) {
    GTEST_SKIP() << "a small file system can only be mounted by root";
  }
  {
    auto store = Open();
    absl::Status status;
    core::Batch batch = SampleBatch();
    ASSERT_TRUE(Commit(*store, batch).ok());
    for (int i = 2; i < 2000 && status.ok(); ++i) {
      core::PutRequest request{absl::StrCat("r", i), "Submit", std::string(4096, 'x')};
      status = Commit(*store, {request});
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
    EXPECT_NE(status.message().find("free some space"), std::string::npos);
    EXPECT_EQ(store->ReadLogs(1, 0, 0)->size(), 2u) << "what is stored stays readable";
  }
  EXPECT_EQ(umount(folder_.c_str()), 0);
}

// ---- the writer ----

TEST_F(StoreTest, TheWriterCallsBackInOrderAfterTheCommit) {
  auto store = Open();
  std::vector<int> order;
  {
    Writer writer(store.get());
    for (int i = 1; i <= 100; ++i) {
      core::Batch batch;
      if (i % 2 == 0) {
        core::AppendEvent event;
        event.event.set_sequence(i);
        batch.push_back(event);
      }
      writer.Enqueue(std::move(batch), [&order, i] { order.push_back(i); });
    }
  }
  ASSERT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(Count("SELECT count(*) FROM vlm_events"), 50);
}

TEST_F(StoreTest, ReadsAndCommitsGoOnAtTheSameTime) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  std::thread reader([&] {
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(store->ReadSeries(1, {}, 0).ok());
  });
  for (int i = 2; i < 52; ++i) {
    core::AppendEvent event;
    event.event.set_sequence(i);
    EXPECT_TRUE(Commit(*store, {event}).ok());
  }
  reader.join();
}

}  // namespace
}  // namespace vlm::storage
