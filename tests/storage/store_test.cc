// The study file: an Optuna database with our tables, written in group commits.
#include <filesystem>
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"
#include "tests/storage/store_fixture.h"

namespace vlm::storage {
namespace {

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
  std::filesystem::copy_file(path_, folder_ / "copy.db");
  SQLite::Database copy(folder_ / "copy.db");
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
  EXPECT_EQ(store->Load(true)->trials[0].DebugString(), SampleTrial().DebugString());
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
  EXPECT_TRUE(std::isnan(store->Load(true)->trials[0].intermediate_values().rbegin()->value()));
}

TEST_F(StoreTest, AStepsFirstIntermediateValueStays) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  ASSERT_TRUE(Commit(*store, {core::PutIntermediateValue{1, 20, 99}}).ok());
  EXPECT_DOUBLE_EQ(store->Load(true)->trials[0].intermediate_values(0).value(), 0.5);
}

TEST_F(StoreTest, IdsSurviveTheDeletionOfTheirStudy) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  ASSERT_TRUE(Commit(*store, {core::DeleteStudy{1, {1}}}).ok());
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
  ASSERT_TRUE(Commit(*store, {core::DeleteStudy{1, {1}}}).ok());
  SQLite::Database db(path_);
  SQLite::Statement tables(db, "SELECT name FROM sqlite_master WHERE type = 'table'");
  const std::set<std::string> kept = {"version_info", "alembic_version", "vlm_meta",
                                      "vlm_events",   "vlm_answers",     "vlm_workers"};
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

}  // namespace
}  // namespace vlm::storage
