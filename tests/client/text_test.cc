#include "client/output/text.h"

#include "gtest/gtest.h"

namespace vlm::client {
namespace {

TEST(SanitizeTest, KeepsPrintableTextOfAnyLanguage) {
  EXPECT_EQ(Sanitize("plain, tab\t, Grüße, 日本, 🙂"), "plain, tab\t, Grüße, 日本, 🙂");
}

TEST(SanitizeTest, ShowsEscapesInsteadOfObeyingThem) {
  EXPECT_EQ(Sanitize("\x1b[31mred\x07"), "\\x1b[31mred\\x07");
  EXPECT_EQ(Sanitize("a\rb\nc\x7f"), "a\\x0db\\x0ac\\x7f");
}

TEST(SanitizeTest, ShowsC1ControlsAndDirectionOverrides) {
  EXPECT_EQ(Sanitize("\xc2\x9b"
                     "31m"),
            "\\u009b31m");
  EXPECT_EQ(Sanitize("abc\xe2\x80\xae"
                     "def"),
            "abc\\u202edef");
}

TEST(SanitizeTest, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(Sanitize("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(Sanitize("\xc0\xaf"), "\\xc0\\xaf");           // Overlong slash.
  EXPECT_EQ(Sanitize("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // Surrogate.
}

TEST(SanitizeTest, LinesKeepTheirBreaks) { EXPECT_EQ(SanitizeLines("a\nb\x1b"), "a\nb\\x1b"); }

TEST(WidthTest, CountsColumnsNotBytes) {
  EXPECT_EQ(DisplayWidth("abc"), 3u);
  EXPECT_EQ(DisplayWidth("Grüße"), 5u);
  EXPECT_EQ(DisplayWidth("日本"), 4u);
  EXPECT_EQ(DisplayWidth("e\xcc\x81"), 1u);  // Combining accent.
}

TEST(WidthTest, ColoursTakeNoColumns) { EXPECT_EQ(DisplayWidth("\x1b[1;32mok\x1b[0m"), 2u); }

TEST(FitTest, LeavesWhatFits) { EXPECT_EQ(Fit("abc", 3), "abc"); }

TEST(FitTest, CutsToTheColumnAndMarksIt) {
  EXPECT_EQ(Fit("abcdef", 4), "abc…");
  EXPECT_EQ(Fit("日本語", 4), "日…");
  EXPECT_EQ(Fit("abc", 0), "");
}

TEST(FitTest, EndsTheColourOfWhatItCuts) {
  EXPECT_EQ(Fit("\x1b[31mabcdef\x1b[0m", 3), "\x1b[31mab…\x1b[0m");
}

TEST(NumberTest, HasSixDigitsAtMostAndNamesWhatIsNoNumber) {
  EXPECT_EQ(HumanNumber(1.93214567), "1.93215");
  EXPECT_EQ(HumanNumber(0.00001), "1e-05");
  EXPECT_EQ(HumanNumber(std::nan("")), "NaN");
  EXPECT_EQ(HumanNumber(-std::numeric_limits<double>::infinity()), "-Infinity");
}

TEST(DurationTest, HasTwoUnitsAtMost) {
  EXPECT_EQ(HumanDuration(absl::Seconds(-3)), "0s");
  EXPECT_EQ(HumanDuration(absl::Seconds(59.9)), "59s");
  EXPECT_EQ(HumanDuration(absl::Seconds(125)), "2m05s");
  EXPECT_EQ(HumanDuration(absl::Minutes(185)), "3h05m");
  EXPECT_EQ(HumanDuration(absl::Hours(52)), "2d4h");
}

TEST(BytesTest, PicksTheUnit) {
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1536), "1.5 KiB");
  EXPECT_EQ(HumanBytes(int64_t{5} << 40), "5.0 TiB");
}

TEST(TimeTest, IsRfc3339InUtcAndEmptyIfUnset) {
  google::protobuf::Timestamp time;
  EXPECT_EQ(FormatTimestamp(time), "");
  time.set_seconds(1'700'000'000);
  EXPECT_EQ(FormatTimestamp(time), "2023-11-14T22:13:20Z");
  time.set_nanos(250'000'000);
  EXPECT_EQ(FormatTimestamp(time), "2023-11-14T22:13:20.25Z");
}

}  // namespace
}  // namespace vlm::client
