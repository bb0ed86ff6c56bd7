#include "worker/agent/work_dir.h"

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace vlm::agent {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class WorkDirTest : public ::testing::Test {
 protected:
  // An ended attempt of `bytes`, `age` hours old.
  void PutAttempt(const WorkDir& dir, int64_t id, int age, size_t bytes = 10) {
    const std::string folder = *dir.MakeAttemptFolder(id);
    std::ofstream(folder + "/trace") << std::string(bytes, 'x');
    fs::last_write_time(folder, fs::file_time_type::clock::now() - std::chrono::hours(age));
  }
  std::vector<std::string> Left(const WorkDir& dir) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir.path() + "/attempts")) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  testing::TempDir root_;
  const std::string path_ = root_ / "state/worker";
};

TEST_F(WorkDirTest, IdentityIsKept) {
  std::string id;
  {
    const auto dir = WorkDir::Open(path_);
    ASSERT_TRUE(dir.ok()) << dir.status();
    id = dir->worker_id();
  }
  EXPECT_EQ(WorkDir::Open(path_)->worker_id(), id);
  EXPECT_THAT(id, HasSubstr("w-"));
}

TEST_F(WorkDirTest, TwoAgentsCannotShareIt) {
  const auto first = WorkDir::Open(path_);
  const auto second = WorkDir::Open(path_);
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("--work-dir"));
}

TEST_F(WorkDirTest, FileInItsPlaceIsNamed) {
  std::ofstream(root_ / "file") << "x";
  const auto dir = WorkDir::Open(root_ / "file");
  EXPECT_THAT(std::string(dir.status().message()), HasSubstr(root_ / "file"));
}

TEST_F(WorkDirTest, FolderOfAnAttemptStartsEmpty) {
  const auto dir = WorkDir::Open(path_);
  PutAttempt(*dir, 1, 0);
  EXPECT_TRUE(fs::is_empty(*dir->MakeAttemptFolder(1)));
}

TEST_F(WorkDirTest, NewestAttemptsStay) {
  const auto dir = WorkDir::Open(path_);
  for (int id = 1; id <= 5; ++id) PutAttempt(*dir, id, 10 - id);
  dir->CleanAttempts(2, 1 << 20, {});
  EXPECT_THAT(Left(*dir), UnorderedElementsAre("4", "5"));
}

TEST_F(WorkDirTest, BoundInBytesHolds) {
  const auto dir = WorkDir::Open(path_);
  for (int id = 1; id <= 5; ++id) PutAttempt(*dir, id, 10 - id, 1000);
  dir->CleanAttempts(100, 2500, {});
  EXPECT_THAT(Left(*dir), UnorderedElementsAre("4", "5"));
}

TEST_F(WorkDirTest, BusyAttemptsAndForeignFilesStay) {
  const auto dir = WorkDir::Open(path_);
  PutAttempt(*dir, 1, 5);
  PutAttempt(*dir, 2, 4);
  fs::create_directory(dir->path() + "/attempts/notes");
  dir->CleanAttempts(0, 0, {1});
  EXPECT_THAT(Left(*dir), UnorderedElementsAre("1", "notes"));
}

}  // namespace
}  // namespace vlm::agent
