#include "worker/agent/log_capture.h"

#include <fstream>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"

namespace vlm::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LogCaptureTest : public ::testing::Test {
 protected:
  void Limit(LogLimits limits) { capture_ = std::make_unique<LogCapture>(limits, clock_); }
  std::vector<std::string> Texts() {
    std::vector<std::string> texts;
    for (const v1::LogLine& line : capture_->Take()) texts.push_back(line.text());
    return texts;
  }

  FakeClock clock_;
  std::unique_ptr<LogCapture> capture_ = std::make_unique<LogCapture>(LogLimits{}, clock_);
};

TEST_F(LogCaptureTest, PiecesBecomeLines) {
  EXPECT_FALSE(capture_->Add(false, "he"));
  EXPECT_TRUE(capture_->Add(false, "llo\nwor"));
  EXPECT_THAT(Texts(), ElementsAre("hello"));
  capture_->Add(false, "ld\n\n");
  EXPECT_THAT(Texts(), ElementsAre("world", ""));
}

TEST_F(LogCaptureTest, StreamsDoNotMix) {
  capture_->Add(false, "out");
  capture_->Add(true, "err\n");
  capture_->Add(false, "put\n");
  const auto lines = capture_->Take();
  ASSERT_THAT(lines, SizeIs(2));
  EXPECT_EQ(lines[0].stream(), "stderr");
  EXPECT_EQ(lines[1].text(), "output");
}

TEST_F(LogCaptureTest, LinesHaveTimeAndRank) {
  capture_->Add(false, "early\n");
  testing::TempDir dir;
  capture_->Attach(3, dir / "rank3.log");
  const auto lines = capture_->Take();
  EXPECT_EQ(lines[0].rank(), 3);
  EXPECT_EQ(lines[0].time_ms(), absl::ToUnixMillis(clock_.Wall()));
}

TEST_F(LogCaptureTest, FinishEndsALineWithoutLineBreak) {
  capture_->Add(true, "last words");
  capture_->Finish();
  EXPECT_THAT(Texts(), ElementsAre("last words"));
}

TEST_F(LogCaptureTest, LongLineIsCutAndSaysSo) {
  capture_->Add(false, std::string((16 << 10) + 100, 'x'));
  capture_->Add(false, std::string(23, 'y') + "\nnext\n");
  const auto texts = Texts();
  ASSERT_THAT(texts, SizeIs(2));
  EXPECT_EQ(texts[0].substr(16 << 10), " ... (123 bytes cut)");
  EXPECT_EQ(texts[1], "next");
}

TEST_F(LogCaptureTest, CarriageReturnBeforeTheLineBreakIsNotPartOfTheLine) {
  capture_->Add(false, "dos\r\n");
  EXPECT_THAT(Texts(), ElementsAre("dos"));
}

TEST_F(LogCaptureTest, BytesThatAreNoUtf8AreReplaced) {
  EXPECT_EQ(CleanText("ok \xc3\xa9 \xf0\x9f\x98\x80"), "ok \xc3\xa9 \xf0\x9f\x98\x80");
  EXPECT_EQ(CleanText("\xff"), "\xef\xbf\xbd");
  EXPECT_EQ(CleanText("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd");           // Overlong.
  EXPECT_EQ(CleanText("\xed\xa0\x80").substr(0, 3), "\xef\xbf\xbd");      // Surrogate.
  EXPECT_EQ(CleanText("cut \xe2\x82").substr(0, 7), "cut \xef\xbf\xbd");  // Broken off.
}

TEST_F(LogCaptureTest, TerminalsDoNotObeyALog) {
  EXPECT_EQ(CleanText("\x1b[2Jgone\ttab"), " [2Jgone\ttab");
}

TEST_F(LogCaptureTest, FloodIsCountedNotKept) {
  for (int i = 0; i < 30'000; ++i) capture_->Add(false, std::string(99, 'x') + "\n");
  clock_.Advance(absl::Seconds(10));
  std::vector<std::string> texts;
  for (auto more = Texts(); !more.empty(); more = Texts()) {
    texts.insert(texts.end(), more.begin(), more.end());
  }
  EXPECT_LE(texts.size() * 100, (1u << 20) + 200);
  capture_->Add(false, "after\n");
  EXPECT_THAT(Texts(), ElementsAre(HasSubstr("lines dropped"), "after"));
}

TEST_F(LogCaptureTest, RateIsBoundOverTime) {
  Limit({.burst_bytes = 100, .bytes_per_second = 10});
  for (int i = 0; i < 20; ++i) capture_->Add(false, "123456789\n");
  EXPECT_THAT(Texts(), SizeIs(10));
  clock_.Advance(absl::Seconds(2));
  for (int i = 0; i < 20; ++i) capture_->Add(false, "123456789\n");
  EXPECT_THAT(Texts(), SizeIs(3));  // The mark and two lines.
}

TEST_F(LogCaptureTest, FileHoldsWhatIsNotForwardedToo) {
  testing::TempDir dir;
  Limit({.burst_bytes = 30});
  capture_->Add(false, "before\n");
  capture_->Attach(0, dir / "rank0.log");
  for (int i = 0; i < 10; ++i) capture_->Add(true, "123456789\n");
  std::ifstream in(dir / "rank0.log");
  const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_THAT(text, HasSubstr("Z stdout before\n"));
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 11);
}

TEST_F(LogCaptureTest, FileIsBound) {
  testing::TempDir dir;
  Limit({.file_bytes = 1000});
  capture_->Attach(0, dir / "rank0.log");
  for (int i = 0; i < 100; ++i) capture_->Add(true, "123456789\n");
  EXPECT_LT(std::ifstream(dir / "rank0.log", std::ios::ate).tellg(), 1100);
}

TEST_F(LogCaptureTest, TailPrefersStderr) {
  capture_->Add(false, "progress\n");
  EXPECT_EQ(capture_->Tail(), "progress");
  capture_->Add(true, "cause\nremedy\n");
  EXPECT_EQ(capture_->Tail(), "cause\nremedy");
}

TEST_F(LogCaptureTest, WriterAndTakerMayRunAtOnce) {
  std::thread writer([this] {
    for (int i = 0; i < 1000; ++i) capture_->Add(false, "line\n");
  });
  size_t taken = 0;
  while (taken < 1000) taken += capture_->Take().size();
  writer.join();
  EXPECT_EQ(taken, 1000u);
}

}  // namespace
}  // namespace vlm::agent
