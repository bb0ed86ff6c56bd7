#include "client/download.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/hash.h"
#include "gmock/gmock.h"
#include "tests/client/fake_worker.h"
#include "tests/client/program.h"

namespace vlm::client {
namespace {

using ::testing::HasSubstr;

TEST(CheckpointIdTest, IsNothingThatCouldLeaveAFolder) {
  EXPECT_TRUE(IsCheckpointId("ckpt-12-400"));
  for (const char* text : {"", "ckpt-1", "ckpt-1-2-3", "ckpt-a-1", "ckpt-1-../x", "CKPT-1-2",
                           "ckpt--1", "ckpt-1-", "ckpt-1-99999999999999999999"}) {
    EXPECT_FALSE(IsCheckpointId(text)) << text;
  }
}

class DownloadTest : public ProgramTest {
 protected:
  void SetUp() override {
    ProgramTest::SetUp();
    Seed({});
    worker_ = std::make_unique<FakeWorker>(addr_, 1);
    const v1::Offer offer = worker_->NextStarted();
    ASSERT_TRUE(worker_->RunTrial(offer, 1.0));
    id_ = "ckpt-" + std::to_string(offer.attempt_id()) + "-100";
  }
  std::unique_ptr<FakeWorker> worker_;
  std::string id_;
};

TEST_F(DownloadTest, ListNamesWhatTheTrialSaved) {
  EXPECT_EQ(Vlmctl({"ckpt", "list", "demo/0", "-o", "name"}).out, id_ + "\n");
}

TEST_F(DownloadTest, PullsByIdAndByTrialAndVerifies) {
  for (const std::string& what : {id_, std::string("demo/0")}) {
    const std::string file = dir_ / "w.safetensors";
    const Ran ran = Vlmctl({"ckpt", "pull", what, "--out", file});
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(*Sha256File(file), Sha256(std::string(3 << 20, 'w')));
    std::filesystem::remove(file);
  }
}

TEST_F(DownloadTest, AFolderGetsTheCheckpointsName) {
  const Ran ran = Vlmctl({"ckpt", "pull", id_, "--out", dir_.path()});
  EXPECT_EQ(ran.out, dir_.path() + "/" + id_ + ".safetensors\n");
}

TEST_F(DownloadTest, AnUnknownCheckpointLeavesNothingBehind) {
  const Ran ran = Vlmctl({"ckpt", "pull", "ckpt-999-1", "--out", dir_ / "x.safetensors"});
  EXPECT_EQ(ran.code, 3) << ran.err;
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
    EXPECT_THAT(entry.path().string(), ::testing::Not(HasSubstr("x.safetensors")));
  }
}

TEST_F(DownloadTest, DamagedBytesAreNotKept) {
  const std::string stored = dir_ / ("data/checkpoints/" + id_ + ".safetensors");
  {
    std::fstream file(stored, std::ios::in | std::ios::out | std::ios::binary);
    ASSERT_TRUE(file) << stored;
    file.seekp(1000);
    file.put('X');
  }
  const Ran ran = Vlmctl({"ckpt", "pull", id_, "--out", dir_ / "x.safetensors"});
  EXPECT_EQ(ran.code, 1) << ran.err;
  EXPECT_FALSE(std::ifstream(dir_ / "x.safetensors").good());
}

TEST_F(DownloadTest, GenerateHandsTheTrainerAVerifiedCopy) {
  std::filesystem::copy_file(vlm::testing::Binary("vlmctl"), dir_ / "vlmctl");
  Write("vlm-trainer", "#!/bin/sh\nprintf '<%s>' \"$@\"\necho\n");
  chmod((dir_ / "vlm-trainer").c_str(), 0755);
  const std::string image = Write("i.png", "x");
  auto process = *vlm::testing::Process::Start({dir_ / "vlmctl", "--addr", addr_, "generate",
                                                "--ckpt", "demo/0", "--image", image, "--prompt",
                                                "a \"b\" c", "--max-new", "7"});
  ASSERT_EQ(process->Wait().value_or(-1), 0) << process->Stderr();
  const std::string cached =
      dir_ / ("cache/vlmctl/checkpoints/" + id_ + "-" +
              Sha256(std::string(3 << 20, 'w')).substr(0, 16) + ".safetensors");
  EXPECT_EQ(process->Stdout(), "<--generate><--ckpt><" + cached + "><--image><" + image +
                                   "><--prompt><a \"b\" c><--max-new><7>\n");
  EXPECT_EQ(*Sha256File(cached), Sha256(std::string(3 << 20, 'w')));
}

TEST_F(DownloadTest, AFolderThatCannotBeWrittenIsNamed) {
  const Ran ran = Vlmctl({"ckpt", "pull", id_, "--out", "/proc/x.safetensors"});
  EXPECT_NE(ran.code, 0);
  EXPECT_THAT(ran.err, HasSubstr("/proc/x.safetensors"));
}

}  // namespace
}  // namespace vlm::client
