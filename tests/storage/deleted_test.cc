// Deleted studies in the file: out of Optuna's tables, whole in ours, gone after a purge.
#include "server/storage/deleted.h"

#include "tests/storage/store_fixture.h"

namespace vlm::storage {
namespace {

v1::WholeStudy SampleWhole() {
  v1::WholeStudy whole;
  *whole.mutable_study() = SampleStudy();
  *whole.add_trials() = SampleTrial();
  whole.add_checkpoints()->set_checkpoint_id("ckpt-1-20");
  return whole;
}

// The heart's batch of a deletion that can be undone.
core::Batch Deletion() {
  return {core::DeleteStudy{1, {1}, false, true}, core::PutDeletedStudy{SampleWhole()}};
}

TEST_F(StoreTest, ADeletedStudyIsInNoTableOfOptunaButWholeInOurs) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  ASSERT_TRUE(Commit(*store, Deletion()).ok());
  for (const char* table : {"studies", "trials", "trial_params", "trial_values",
                            "trial_intermediate_values", "study_directions"}) {
    EXPECT_EQ(Count(absl::StrCat("SELECT count(*) FROM ", table)), 0) << table;
  }
  EXPECT_EQ(store->ReadDeletedStudy(1)->DebugString(), SampleWhole().DebugString());
  EXPECT_EQ(store->ReadDeletedStudy(2).status().code(), absl::StatusCode::kNotFound);
  store.reset();
  const core::Snapshot snapshot = OpenAndLoad();
  EXPECT_TRUE(snapshot.studies.empty());
  ASSERT_EQ(snapshot.deleted.size(), 1u);
  EXPECT_EQ(snapshot.deleted[0].study().name(), SampleStudy().name());
  EXPECT_EQ(snapshot.deleted[0].checkpoints(0).checkpoint_id(), "ckpt-1-20");
  EXPECT_TRUE(snapshot.deleted[0].trials().empty());  // Those are read when they are needed.
}

TEST_F(StoreTest, SeriesStayUntilThePurge) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  const int64_t blocks = Count("SELECT count(*) FROM vlm_metric_blocks");
  ASSERT_GT(blocks, 0);
  ASSERT_TRUE(Commit(*store, Deletion()).ok());
  EXPECT_EQ(Count("SELECT count(*) FROM vlm_metric_blocks"), blocks);
  ASSERT_TRUE(Commit(*store, {core::DropDeletedStudy{1, true}}).ok());
  for (const char* table : kSeriesTables) {
    EXPECT_EQ(Count(absl::StrCat("SELECT count(*) FROM ", table)), 0) << table;
  }
  EXPECT_EQ(Count("SELECT count(*) FROM vlm_deleted_studies"), 0);
}

TEST_F(StoreTest, ARestoredStudyKeepsItsSeries) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  const int64_t blocks = Count("SELECT count(*) FROM vlm_metric_blocks");
  ASSERT_TRUE(Commit(*store, Deletion()).ok());
  core::Batch back = SampleBatch();
  std::erase_if(back, [](const core::Mutation& m) {
    return !std::holds_alternative<core::PutStudy>(m) && !std::holds_alternative<core::PutTrial>(m);
  });
  back.push_back(core::DropDeletedStudy{1, false});
  ASSERT_TRUE(Commit(*store, back).ok());
  EXPECT_EQ(Count("SELECT count(*) FROM vlm_metric_blocks"), blocks);
  store.reset();
  const core::Snapshot snapshot = OpenAndLoad();
  EXPECT_EQ(snapshot.studies.size(), 1u);
  EXPECT_TRUE(snapshot.deleted.empty());
}

TEST_F(StoreTest, ADamagedDeletedStudyIsNamed) {
  {
    auto store = Open();
    ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
    ASSERT_TRUE(Commit(*store, Deletion()).ok());
  }
  Execute("UPDATE vlm_deleted_studies SET body = x'00112233'");
  auto store = Open();
  EXPECT_FALSE(store->ReadDeletedStudy(1).ok());
  store.reset();
  Execute("UPDATE vlm_deleted_studies SET summary = x'ff'");
  EXPECT_NE(Open()->Load().status().message().find("deleted study 1"), std::string::npos);
}

}  // namespace
}  // namespace vlm::storage
