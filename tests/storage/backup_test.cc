// Backups beside a writer, and the check of a whole directory.
#include "server/storage/backup.h"

#include <atomic>
#include <filesystem>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/hash.h"
#include "gmock/gmock.h"
#include "server/storage/check.h"
#include "tests/storage/store_fixture.h"

namespace vlm::storage {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class BackupTest : public StoreTest {
 protected:
  BackupTest() : data_(folder_.path()), to_(other_ / "copy") {}
  absl::Status BackUpNow(bool checkpoints = true) {
    return BackUp(data_, to_, checkpoints, [](const BackupProgress&) { return true; });
  }
  // A checkpoint of the sample trial in our own store; its file has `bytes`.
  void AddCheckpoint(Store& store, const std::string& id, const std::string& bytes) {
    fs::create_directories(data_ + "/checkpoints");
    std::ofstream(data_ + "/checkpoints/" + id + ".safetensors") << bytes;
    v1::Checkpoint checkpoint;
    checkpoint.set_checkpoint_id(id);
    checkpoint.set_trial_id(1);
    checkpoint.set_sha256(Sha256(bytes));
    checkpoint.set_size_bytes(static_cast<int64_t>(bytes.size()));
    checkpoint.set_uri("coordinator:" + id);
    ASSERT_TRUE(Commit(store, {core::PutCheckpoint{checkpoint}}).ok());
  }
  std::vector<std::string> Findings(const std::string& dir) {
    std::vector<std::string> found;
    CheckSink sink;
    sink.finding = [&](const Finding& f) {
      found.push_back(absl::StrCat(f.damage ? "damage " : "note ", f.subject, " ", f.message));
    };
    sink.progress = [](int64_t) { return true; };
    EXPECT_TRUE(CheckDataDir(dir, true, sink).ok());
    return found;
  }

  const testing::TempDir other_;
  const std::string data_;
  const std::string to_;
};

TEST_F(BackupTest, TheCopyIsADataDirectoryOfOneMoment) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  AddCheckpoint(*store, "ckpt-1-10", "weights");
  ASSERT_TRUE(BackUpNow().ok());
  auto copy = Store::Open(to_ + "/study.db");
  ASSERT_TRUE(copy.ok()) << copy.status();
  const auto snapshot = (*copy)->Load(true);
  ASSERT_TRUE(snapshot.ok());
  EXPECT_EQ(snapshot->studies.size(), 1u);
  EXPECT_EQ(*Sha256File(to_ + "/checkpoints/ckpt-1-10.safetensors"), Sha256("weights"));
  EXPECT_TRUE(Findings(to_).empty());
}

TEST_F(BackupTest, WritersGoOnMeanwhile) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  std::atomic<bool> ending = false;
  std::atomic<int> commits = 0;
  std::thread writer([&] {
    while (!ending) {
      const bool stored = Commit(*store, {core::PutSamplerState{1, std::to_string(commits)}}).ok();
      EXPECT_TRUE(stored);
      if (!stored) break;
      ++commits;
    }
  });
  EXPECT_TRUE(BackUpNow().ok());
  ending = true;
  writer.join();
  EXPECT_GT(commits, 0);
  EXPECT_TRUE(Findings(to_).empty());
}

TEST_F(BackupTest, ACheckpointThatWentAwayIsNotInTheCopysFile) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  AddCheckpoint(*store, "ckpt-1-10", "old");
  AddCheckpoint(*store, "ckpt-1-20", "new");
  fs::remove(data_ + "/checkpoints/ckpt-1-10.safetensors");
  ASSERT_TRUE(BackUpNow().ok());
  SQLite::Database copy(to_ + "/study.db");
  EXPECT_EQ(copy.execAndGet("SELECT count(*) FROM vlm_checkpoints WHERE uri LIKE 'coordinator:%'")
                .getInt(),
            1);
}

TEST_F(BackupTest, OnlyIntoAnEmptyFolderOutsideOfTheData) {
  auto store = Open();
  EXPECT_EQ(BackUp(data_, "relative", true, {}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(BackUp(data_, data_ + "/backup", true, {}).code(), absl::StatusCode::kInvalidArgument);
  fs::create_directories(to_);
  std::ofstream(to_ + "/mine") << "x";
  EXPECT_EQ(BackUpNow().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(fs::exists(to_ + "/mine"));
}

TEST_F(BackupTest, WhoGivesUpLeavesNothingBehind) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  EXPECT_EQ(BackUp(data_, to_, true, [](const BackupProgress&) { return false; }).code(),
            absl::StatusCode::kCancelled);
  EXPECT_FALSE(fs::exists(to_));
}

TEST_F(BackupTest, TheCheckNamesWhatIsDamaged) {
  auto store = Open();
  ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  AddCheckpoint(*store, "ckpt-1-10", "weights");
  AddCheckpoint(*store, "ckpt-1-20", "more weights");
  EXPECT_TRUE(Findings(data_).empty());
  std::ofstream(data_ + "/checkpoints/ckpt-1-10.safetensors") << "weight_";
  fs::remove(data_ + "/checkpoints/ckpt-1-20.safetensors");
  Execute("UPDATE vlm_attempts SET body = x'FFFF'");
  Execute("UPDATE vlm_metric_blocks SET data = x'FFFFFFFF00'");
  const auto found = Findings(data_);
  EXPECT_THAT(found, ::testing::Contains(HasSubstr("damage study.db: attempt 1 ")));
  EXPECT_THAT(found, ::testing::Contains(HasSubstr("series of trial 1 ")));
  EXPECT_THAT(found,
              ::testing::Contains(HasSubstr("ckpt-1-10.safetensors no longer has its hash")));
  EXPECT_THAT(found, ::testing::Contains(HasSubstr("ckpt-1-20.safetensors is missing")));
}

TEST_F(BackupTest, FlippedBytesInAPageAreFound) {
  {
    auto store = Open();
    ASSERT_TRUE(Commit(*store, SampleBatch()).ok());
  }
  Execute("PRAGMA wal_checkpoint(TRUNCATE)");
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  for (int page = 4; page < 12; ++page) {
    file.seekp(page * 4096 + 8);
    file.write("\xff\xff\xff\xff", 4);
  }
  file.close();
  CheckSink sink;
  bool damage = false;
  sink.finding = [&](const Finding& f) { damage = damage || f.damage; };
  sink.progress = [](int64_t) { return true; };
  const absl::Status checked = CheckDataDir(data_, true, sink);
  EXPECT_TRUE(damage || checked.code() == absl::StatusCode::kDataLoss) << checked;
}

}  // namespace
}  // namespace vlm::storage
