#include "worker/trainer/data/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/trainer/data/utf8.h"

namespace vlm::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Vocabulary Make(absl::string_view text) {
  const auto points = DecodeUtf8(text);
  return Vocabulary(std::set<char32_t>(points->begin(), points->end()));
}

TEST(VocabularyTest, IdsFollowTheSortedCharactersAndPadIsLast) {
  const Vocabulary vocabulary = Make("cab é");

  EXPECT_EQ(vocabulary.size(), 6);
  EXPECT_EQ(vocabulary.pad(), 5);
  EXPECT_THAT(*vocabulary.Encode("abc é"), ElementsAre(1, 2, 3, 0, 4));
}

TEST(VocabularyTest, DecodeTurnsIdsBackAndLeavesOutPad) {
  const Vocabulary vocabulary = Make("ab€");

  EXPECT_EQ(vocabulary.Decode({2, 0, 1, 3, 3, -1, 99}), "€ab");
}

TEST(VocabularyTest, AnUnknownCharacterIsNamedWithItsPosition) {
  const auto ids = Make("ab").Encode("abé");

  EXPECT_EQ(ids.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(ids.status().message(), HasSubstr("U+00E9 'é' at position 3"));
}

TEST(VocabularyTest, TextThatIsNotUtf8IsRefused) {
  EXPECT_THAT(Make("ab").Encode("a\xFF").status().message(), HasSubstr("not UTF-8 at byte 1"));
}

TEST(VocabularyTest, JsonGivesTheSameVocabularyBack) {
  const Vocabulary vocabulary = Make("a\"\\\n€😀");

  const auto again = Vocabulary::FromJson(vocabulary.ToJson());

  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(*again == vocabulary);
  EXPECT_EQ(again->Encode("😀"), vocabulary.Encode("😀"));
}

class BadJsonTest : public ::testing::TestWithParam<const char*> {};

TEST_P(BadJsonTest, IsRefused) {
  EXPECT_EQ(Vocabulary::FromJson(GetParam()).status().code(), absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Documents, BadJsonTest,
                         ::testing::Values("", "[]", "{}", "{\"characters\": \"ab\", \"pad\": 2}",
                                           "{\"characters\": [\"a\", \"b\"], \"pad\": 3}",
                                           "{\"characters\": [\"b\", \"a\"], \"pad\": 2}",
                                           "{\"characters\": [\"a\", \"a\"], \"pad\": 2}",
                                           "{\"characters\": [\"ab\"], \"pad\": 1}",
                                           "{\"characters\": [\"\"], \"pad\": 1}",
                                           "{\"characters\": [1], \"pad\": 1}",
                                           "{\"characters\": [\"a\"], \"pad\": 1.5}"));

class Utf8Test : public ::testing::TestWithParam<const char*> {};

TEST_P(Utf8Test, InvalidBytesAreRefused) { EXPECT_FALSE(DecodeUtf8(GetParam()).ok()); }

INSTANTIATE_TEST_SUITE_P(Bytes, Utf8Test,
                         ::testing::Values("\x80", "\xC0\x80", "\xC3", "\xC3(", "\xE0\x80\x80",
                                           "\xED\xA0\x80", "\xF0\x80\x80\x80", "\xF4\x90\x80\x80",
                                           "\xF8\x88\x80\x80\x80", "\xE2\x82"));

TEST(Utf8Test, EveryCodePointSurvivesTheWayThereAndBack) {
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    AppendUtf8(c, &text);
    absl::string_view left = text;
    char32_t back = 0;
    ASSERT_TRUE(NextCodePoint(&left, &back)) << static_cast<uint32_t>(c);
    ASSERT_EQ(back, c);
    ASSERT_TRUE(left.empty());
  }
}

}  // namespace
}  // namespace vlm::data
