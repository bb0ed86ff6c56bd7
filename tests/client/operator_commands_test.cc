// What an operator types: workers in and out of service, backups, checks.
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "tests/client/fake_worker.h"
#include "tests/client/program.h"

namespace vlm::client {
namespace {

using ::testing::HasSubstr;

class OperatorCommandsTest : public ProgramTest {
 protected:
  // Once it has attached.
  std::string NameOfTheWorker() {
    Json workers;
    EXPECT_TRUE(vlm::testing::Eventually(absl::Seconds(10), [&] {
      workers = Vlmctl({"worker", "list", "-o", "json"}).json();
      return !workers.empty();
    }));
    return workers.empty() ? "" : workers[0]["name"];
  }
};

TEST_F(OperatorCommandsTest, AWorkerIsCordonedAndUncordoned) {
  FakeWorker worker(addr_, 1);
  const std::string name = NameOfTheWorker();
  const Ran cordoned = Vlmctl({"worker", "cordon", name, "--reason", "new fans", "-o", "json"});
  ASSERT_EQ(cordoned.code, 0) << cordoned.err;
  EXPECT_EQ(cordoned.json()["cordoned"], true);
  EXPECT_THAT(Vlmctl({"worker", "list"}).out, HasSubstr("attached,cordoned"));
  EXPECT_THAT(Vlmctl({"worker", "list"}).out, HasSubstr("new fans"));
  EXPECT_EQ(Vlmctl({"worker", "uncordon", name, "-o", "json"}).json()["cordoned"], false);
}

TEST_F(OperatorCommandsTest, AnIdleWorkerIsDrainedAtOnceAndABusyOneInTime) {
  FakeWorker worker(addr_, 1);
  const std::string name = NameOfTheWorker();
  EXPECT_THAT(Vlmctl({"worker", "drain", name}).err, HasSubstr("nothing runs on worker"));
  ASSERT_EQ(Vlmctl({"worker", "uncordon", name}).code, 0);
  ASSERT_EQ(Vlmctl({"submit", SearchFile(), "--name", "demo", "--no-follow"}).code, 0);
  ASSERT_NE(worker.NextStarted().attempt_id(), 0);
  const Ran waited = Vlmctl({"worker", "drain", name, "--no-wait", "-o", "json"});
  EXPECT_EQ(waited.code, 0) << waited.err;
  EXPECT_EQ(Vlmctl({"worker", "evict", name}).code, 2);  // Nobody is there to ask.
  const Ran evicted = Vlmctl({"worker", "evict", name, "--yes"});
  EXPECT_EQ(evicted.code, 0) << evicted.err;
}

TEST_F(OperatorCommandsTest, AnUnknownWorkerIsNotFound) {
  const Ran ran = Vlmctl({"worker", "cordon", "nobody"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_THAT(ran.err, HasSubstr("vlmctl worker list"));
}

TEST_F(OperatorCommandsTest, ABackupCanBeServed) {
  Seed({3.0, 1.5});
  const std::string copy = dir_ / "copy";
  const Ran ran = Vlmctl({"admin", "backup", copy});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, copy + "\n");
  EXPECT_EQ(Vlmctl({"admin", "backup", copy}).code, 4);
  auto check = vlm::testing::Process::Start(
      {vlm::testing::Binary("vlm-coordinator"), "--data", copy, "--check"});
  ASSERT_TRUE(check.ok());
  EXPECT_EQ(*(*check)->Wait(), 0) << (*check)->Stderr();
}

TEST_F(OperatorCommandsTest, FsckNamesDamageAndItsExitCodeSaysSo) {
  Seed({3.0});
  const Ran whole = Vlmctl({"admin", "fsck"});
  EXPECT_EQ(whole.code, 0) << whole.err;
  EXPECT_THAT(whole.err, HasSubstr("no damage"));
}

TEST_F(OperatorCommandsTest, PriorityAndWeightOfAStudy) {
  Seed({3.0});
  const Ran edited =
      Vlmctl({"study", "edit", "demo", "--priority", "7", "--weight", "2", "-o", "json"});
  ASSERT_EQ(edited.code, 0) << edited.err;
  EXPECT_EQ(edited.json()["priority"], 7);
  EXPECT_EQ(edited.json()["weight"], 2);
  EXPECT_EQ(Vlmctl({"study", "edit", "demo", "--priority", "101"}).code, 2);
}

}  // namespace
}  // namespace vlm::client
