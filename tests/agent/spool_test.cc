#include "worker/agent/spool.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace vlm::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A batch says its text in one log line.
v1::Report Batch(const std::string& text) {
  v1::Report report;
  report.add_log_lines()->set_text(text);
  return report;
}

class SpoolTest : public ::testing::Test {
 protected:
  void SetUp() override { Create(1 << 20); }
  void Create(int64_t max_bytes) {
    v1::HeldLease lease;
    lease.set_attempt_id(7);
    lease.set_epoch(2);
    auto made = Spool::Create(path_, lease, max_bytes);
    ASSERT_TRUE(made.ok()) << made.status();
    spool_ = *std::move(made);
  }
  void Write(const std::string& text) { ASSERT_TRUE(spool_->Append(Batch(text)).ok()); }
  // Everything after `sequence`, as text.
  std::vector<std::string> After(int64_t sequence) {
    std::vector<std::string> texts;
    while (true) {
      const auto report = spool_->ReadAfter(sequence);
      EXPECT_TRUE(report.ok()) << report.status();
      if (!report.ok() || !report->has_value()) return texts;
      sequence = (*report)->sequence();
      texts.push_back((*report)->log_lines(0).text());
    }
  }
  absl::Status Reopen() {
    spool_.reset();
    auto opened = Spool::Recover(path_, 1 << 20);
    if (opened.ok()) spool_ = *std::move(opened);
    return opened.status();
  }
  void CutEnd(int64_t bytes) {
    std::filesystem::resize_file(path_, std::filesystem::file_size(path_) - bytes);
  }
  void FlipByte(int64_t from_end) {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(-from_end, std::ios::end);
    const int byte = file.get();
    file.seekp(-from_end, std::ios::end);
    file.put(static_cast<char>(byte ^ 0x10));
  }

  testing::TempDir dir_;
  const std::string path_ = dir_ / "7-2.spool";
  std::unique_ptr<Spool> spool_;
};

TEST_F(SpoolTest, ReadsBatchesBackInOrderWithNumbersFromOne) {
  Write("a");
  Write("b");
  EXPECT_THAT(After(0), ElementsAre("a", "b"));
  EXPECT_THAT(After(1), ElementsAre("b"));
  EXPECT_EQ(spool_->last_sequence(), 2);
}

TEST_F(SpoolTest, AcknowledgedBatchesAreNotReadAgain) {
  Write("a");
  Write("b");
  Write("c");
  spool_->Acknowledge(2);
  EXPECT_THAT(After(0), ElementsAre("c"));
}

TEST_F(SpoolTest, RecoversEverythingThatWasWritten) {
  Write("a");
  Write("b");
  ASSERT_TRUE(Reopen().ok());
  EXPECT_THAT(After(0), ElementsAre("a", "b"));
  EXPECT_EQ(spool_->lease().attempt_id(), 7);
  EXPECT_EQ(spool_->lease().epoch(), 2);
  EXPECT_THAT(spool_->damage(), IsEmpty());
}

TEST_F(SpoolTest, GoesOnNumberingAfterRecovery) {
  Write("a");
  ASSERT_TRUE(Reopen().ok());
  Write("b");
  EXPECT_EQ(spool_->last_sequence(), 2);
  EXPECT_THAT(After(0), ElementsAre("a", "b"));
}

TEST_F(SpoolTest, NotesAreKeptAndNeverRead) {
  v1::Report note;
  note.add_checkpoints()->set_checkpoint_id("ckpt-7-10");
  Write("a");
  ASSERT_TRUE(spool_->AppendNote(note).ok());
  Write("b");
  ASSERT_TRUE(Reopen().ok());
  EXPECT_THAT(After(0), ElementsAre("a", "b"));
  ASSERT_EQ(spool_->notes().size(), 1u);
  EXPECT_EQ(spool_->notes()[0].checkpoints(0).checkpoint_id(), "ckpt-7-10");
}

TEST_F(SpoolTest, KnowsTheOutcomeAfterRecovery) {
  v1::Report last;
  last.mutable_outcome()->set_state(v1::ATTEMPT_STATE_SUCCEEDED);
  ASSERT_TRUE(spool_->Append(last).ok());
  ASSERT_TRUE(Reopen().ok());
  EXPECT_TRUE(spool_->HasOutcome());
}

TEST_F(SpoolTest, AcknowledgedBytesLeaveTheDisk) {
  for (int i = 0; i < 40; ++i) {
    Write(std::string(100'000, 'x'));
    spool_->Acknowledge(spool_->last_sequence());
  }
  EXPECT_LT(std::filesystem::file_size(path_), 2u << 20);
  Write("last");
  ASSERT_TRUE(Reopen().ok());
  EXPECT_EQ(spool_->last_sequence(), 41);
  EXPECT_EQ(spool_->ReadAfter(40)->value().log_lines(0).text(), "last");
}

TEST_F(SpoolTest, RemoveDeletesTheFile) {
  spool_->Remove();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

// ---- damage and want of room ----

TEST_F(SpoolTest, TornLastRecordIsLeftOutAndNamed) {
  Write("a");
  Write("b");
  CutEnd(1);
  ASSERT_TRUE(Reopen().ok());
  EXPECT_THAT(After(0), ElementsAre("a"));
  EXPECT_THAT(spool_->damage(), HasSubstr("torn record at byte"));
  Write("c");
  ASSERT_TRUE(Reopen().ok());
  EXPECT_THAT(After(0), ElementsAre("a", "c"));
}

TEST_F(SpoolTest, EveryCutOfTheLastRecordIsTorn) {
  Write("a");
  const auto whole = std::filesystem::file_size(path_);
  Write("b");
  const auto size = std::filesystem::file_size(path_);
  for (auto cut = size - 1; cut > whole; --cut) {
    std::filesystem::resize_file(path_, cut);
    ASSERT_TRUE(Reopen().ok());
    EXPECT_THAT(After(0), ElementsAre("a"));
    EXPECT_THAT(spool_->damage(), HasSubstr("torn"));
    std::filesystem::resize_file(path_, whole);
    Write("b");  // At the number that was given up.
  }
}

TEST_F(SpoolTest, FlippedBitEndsTheFileThere) {
  Write("a");
  Write("b");
  FlipByte(2);
  ASSERT_TRUE(Reopen().ok());
  EXPECT_THAT(After(0), ElementsAre("a"));
  EXPECT_THAT(spool_->damage(), HasSubstr("wrong checksum"));
}

TEST_F(SpoolTest, FlippedLengthIsNotBelieved) {
  Write("a");
  Write(std::string(100, 'b'));
  FlipByte(100 + 2 + 2 + 8 - 3);  // The highest byte of the length.
  ASSERT_TRUE(Reopen().ok());
  EXPECT_THAT(After(0), ElementsAre("a"));
}

TEST_F(SpoolTest, FlipWhileInUseIsDataLossNotWrongData) {
  Write("a");
  FlipByte(1);
  EXPECT_EQ(spool_->ReadAfter(0).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SpoolTest, FileWithoutAWholeFirstRecordIsRefused) {
  std::filesystem::resize_file(path_, 3);
  EXPECT_EQ(Reopen().code(), absl::StatusCode::kDataLoss);
  std::filesystem::resize_file(path_, 0);
  EXPECT_EQ(Reopen().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SpoolTest, ArbitraryBytesAreRefused) {
  std::ofstream(path_) << std::string(5000, '\xff');
  EXPECT_EQ(Reopen().code(), absl::StatusCode::kDataLoss);
}

TEST_F(SpoolTest, FullSpoolRefusesUntilSomethingIsAcknowledged) {
  Create(1000);
  while (spool_->Append(Batch("x")).ok()) {
  }
  EXPECT_TRUE(spool_->Full());
  EXPECT_EQ(spool_->Append(Batch("y")).status().code(), absl::StatusCode::kResourceExhausted);
  spool_->Acknowledge(spool_->last_sequence());
  EXPECT_TRUE(spool_->Append(Batch("z")).ok());
}

TEST_F(SpoolTest, FullDiskIsAnErrorAndLeavesNoHalfRecord) {
  Write("a");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{static_cast<rlim_t>(std::filesystem::file_size(path_)) + 20, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const auto refused = spool_->Append(Batch(std::string(500, 'b')));
  const auto kept = spool_->Append(Batch("must"), /*must=*/true);
  setrlimit(RLIMIT_FSIZE, &before);

  EXPECT_EQ(refused.status().code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(kept.ok());
  EXPECT_THAT(After(0), ElementsAre("a", "must"));
}

}  // namespace
}  // namespace vlm::agent
