// Hashes, clocks, ids, status macros, and the lock wrapper.
#include <fstream>
#include <regex>
#include <set>
#include <thread>

#include "common/clock.h"
#include "common/hash.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "common/status.h"
#include "gtest/gtest.h"

namespace vlm {
namespace {

TEST(HashTest, IsSha256) {
  EXPECT_EQ(Sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(HashTest, PiecesGiveTheHashOfTheWhole) {
  Sha256Stream stream;
  for (const char* piece : {"a", "", "bc"}) stream.Update(piece);
  EXPECT_EQ(stream.Finish(), Sha256("abc"));
}

TEST(HashTest, AFilesHashIsItsContents) {
  const std::string path = ::testing::TempDir() + "/hash-test";
  std::ofstream(path) << std::string(3'000'000, 'x');
  EXPECT_EQ(*Sha256File(path), Sha256(std::string(3'000'000, 'x')));
  unlink(path.c_str());
}

TEST(HashTest, AMissingFileIsNamed) {
  const auto hash = Sha256File("/does/not/exist");
  EXPECT_EQ(hash.status().code(), absl::StatusCode::kNotFound);
  EXPECT_NE(hash.status().message().find("/does/not/exist"), std::string::npos);
  EXPECT_FALSE(Sha256File("/").ok());
}

TEST(ClockTest, TheRealOneGoesForward) {
  const absl::Duration first = RealClock().Monotonic();
  EXPECT_LE(first, RealClock().Monotonic());
  EXPECT_GT(RealClock().Wall(), absl::FromUnixSeconds(1'600'000'000));
}

TEST(ClockTest, TheFakeOneIsTurnedByHand) {
  FakeClock clock;
  const absl::Time wall = clock.Wall();
  clock.Advance(absl::Seconds(5));
  EXPECT_EQ(clock.Wall() - wall, absl::Seconds(5));
}

TEST(IdsTest, AreVersion4UuidsAndDiffer) {
  std::set<std::string> seen;
  const std::regex form("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}");
  for (int i = 0; i < 1000; ++i) {
    const std::string id = NewUuid();
    EXPECT_TRUE(std::regex_match(id, form)) << id;
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(StatusTest, AnnotateKeepsTheCodeAndAddsTheObject) {
  const absl::Status status = Annotate(absl::NotFoundError("gone"), "study.db");
  EXPECT_EQ(status, absl::NotFoundError("study.db: gone"));
  EXPECT_TRUE(Annotate(absl::OkStatus(), "x").ok());
}

absl::StatusOr<int> Half(int n) {
  if (n % 2 != 0) return absl::InvalidArgumentError("odd");
  return n / 2;
}

absl::StatusOr<int> Quarter(int n) {
  ASSIGN_OR_RETURN(const int half, Half(n));
  ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

TEST(StatusTest, AssignOrReturnPassesErrorsOn) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).status().message(), "odd");
}

TEST(MutexTest, ACondVarWakesAndTimesOut) {
  Mutex mutex;
  CondVar changed;
  bool ready = false;
  std::thread setter([&] {
    MutexLock lock(mutex);
    ready = true;
    changed.NotifyAll();
  });
  {
    MutexLock lock(mutex);
    while (!ready) changed.Wait(mutex);
    EXPECT_FALSE(changed.WaitFor(mutex, absl::Milliseconds(1)));
  }
  setter.join();
}

}  // namespace
}  // namespace vlm
