#include "worker/trainer/data/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace vlm::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Gives `step` bytes at a time, so that every state is cut everywhere.
CsvReader::Source InPieces(std::string text, size_t step) {
  return [text = std::move(text), step, at = size_t{0}](
             char* out, size_t size) mutable -> absl::StatusOr<size_t> {
    const size_t n = std::min({step, size, text.size() - at});
    text.copy(out, n, at);
    at += n;
    return n;
  };
}

std::vector<CsvRecord> ReadAll(const std::string& text, size_t step = 65536,
                               size_t max_record = 1000) {
  CsvReader reader(InPieces(text, step), max_record);
  std::vector<CsvRecord> records;
  CsvRecord record;
  while (*reader.Next(&record)) records.push_back(record);
  return records;
}

class CsvPiecesTest : public ::testing::TestWithParam<size_t> {};

TEST_P(CsvPiecesTest, ReadsQuotesLineBreaksAndLineEnds) {
  const auto records = ReadAll("a,b\r\n\"x, \"\"y\"\"\",\"two\nlines\"\n1,2\r\r\n3,", GetParam());

  ASSERT_EQ(records.size(), 4u);
  EXPECT_THAT(records[0].fields, ElementsAre("a", "b"));
  EXPECT_THAT(records[1].fields, ElementsAre("x, \"y\"", "two\nlines"));
  EXPECT_THAT(records[2].fields, ElementsAre("1", "2"));
  EXPECT_THAT(records[3].fields, ElementsAre("3", ""));
  EXPECT_EQ(records[1].line, 2);
  EXPECT_EQ(records[2].line, 4);
}

INSTANTIATE_TEST_SUITE_P(Pieces, CsvPiecesTest, ::testing::Values(1, 2, 3, 7, 65536));

TEST(CsvTest, SkipsAByteOrderMarkAndBlankLines) {
  const auto records = ReadAll("\xEF\xBB\xBF\n\na,b\n\n");

  ASSERT_EQ(records.size(), 1u);
  EXPECT_THAT(records[0].fields, ElementsAre("a", "b"));
  EXPECT_EQ(records[0].line, 3);
}

TEST(CsvTest, AnEmptyFileHasNoRecord) { EXPECT_TRUE(ReadAll("").empty()); }

TEST(CsvTest, KeepsZeroBytes) {
  const auto records = ReadAll(std::string("a\0b,c\n", 6));

  EXPECT_THAT(records[0].fields, ElementsAre(std::string("a\0b", 3), "c"));
}

TEST(CsvTest, AQuoteInsideAPlainFieldIsText) {
  EXPECT_THAT(ReadAll("5\" wide,x\n")[0].fields, ElementsAre("5\" wide", "x"));
}

TEST(CsvTest, TextAfterAClosingQuoteSpoilsThatRecordOnly) {
  const auto records = ReadAll("\"a\"b,c\nd,e\n");

  ASSERT_EQ(records.size(), 2u);
  EXPECT_THAT(records[0].error.message(), HasSubstr("closing quote"));
  EXPECT_TRUE(records[1].error.ok());
  EXPECT_THAT(records[1].fields, ElementsAre("d", "e"));
}

TEST(CsvTest, AQuoteThatIsNeverClosedNamesItsLine) {
  const auto records = ReadAll("a,b\nc,\"d\ne,f\n");

  ASSERT_EQ(records.size(), 2u);
  EXPECT_THAT(records[1].error.message(), HasSubstr("quote in line 2"));
}

TEST(CsvTest, ARecordOverTheLimitIsRefusedAndTheNextOneRead) {
  const auto records = ReadAll(absl::StrCat(std::string(2000, 'x'), ",b\nc,d\n"));

  ASSERT_EQ(records.size(), 2u);
  EXPECT_THAT(records[0].error.message(), HasSubstr("longer than 1000 bytes"));
  EXPECT_THAT(records[1].fields, ElementsAre("c", "d"));
}

TEST(CsvTest, AFieldOfManyMegabytesIsRead) {
  const std::string huge(20 << 20, 'A');

  const auto records = ReadAll(absl::StrCat(huge, ",b\n"), 65536, 64 << 20);

  EXPECT_EQ(records[0].fields[0].size(), huge.size());
}

TEST(CsvTest, AnErrorOfTheSourceIsReturned) {
  CsvReader reader([](char*, size_t) { return absl::DataLossError("disk"); });
  CsvRecord record;

  EXPECT_EQ(reader.Next(&record).status(), absl::DataLossError("disk"));
}

}  // namespace
}  // namespace vlm::data
