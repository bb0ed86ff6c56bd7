#include "client/output/records.h"

#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vlm::client {
namespace {

using ::testing::HasSubstr;

Records Two() {
  Records out;
  out.columns = {{"id", "ID"},
                 {"name", "NAME"},
                 {"secret", "SECRET", Show::kWide},
                 {"raw", "RAW", Show::kDataOnly}};
  out.rows = {{"a", {{1}, {"short"}, {"x"}, {Json{{"k", 1}}}}},
              {"b", {{20}, {"a longer name"}, {nullptr}, {Json{{"k", 2}, {"l", "x,y"}}}}}};
  return out;
}

TEST(TableTest, AlignsColumnsAndHidesTheWideOnes) {
  EXPECT_EQ(Render(Two(), Format::kTable),
            "ID  NAME\n"
            "1   short\n"
            "20  a longer name\n");
}

TEST(TableTest, WideShowsMoreAndADashForNothing) {
  EXPECT_EQ(Render(Two(), Format::kWide),
            "ID  NAME           SECRET\n"
            "1   short          x\n"
            "20  a longer name  -\n");
}

TEST(TableTest, OneObjectIsLinesWithoutTheEmptyOnes) {
  Records one = Two();
  one.single = true;
  one.rows.pop_back();
  one.rows[0].cells[0] = Cell{nullptr};
  EXPECT_EQ(Render(one, Format::kTable), "NAME:  short\n");
}

TEST(TableTest, ControlCharactersOfTheServerStayVisible) {
  Records records = Two();
  records.rows[0].cells[1] = Cell{"\x1b]0;title\x07"};
  EXPECT_THAT(Render(records, Format::kTable), HasSubstr("\\x1b]0;title\\x07"));
}

TEST(JsonTest, AListIsAnArrayWithEveryColumn) {
  const Json parsed = Json::parse(Render(Two(), Format::kJson));
  ASSERT_EQ(parsed.size(), 2u);
  EXPECT_EQ(parsed[1]["raw"]["l"], "x,y");
  EXPECT_TRUE(parsed[1]["secret"].is_null());
}

TEST(JsonTest, AnEmptyListIsAnEmptyArray) {
  Records none = Two();
  none.rows.clear();
  EXPECT_EQ(Render(none, Format::kJson), "[]\n");
}

TEST(JsonTest, NumbersThatJsonLacksAreTexts) {
  EXPECT_EQ(JsonNumber(std::nan("")), "NaN");
  EXPECT_EQ(JsonNumber(std::numeric_limits<double>::infinity()), "Infinity");
  EXPECT_EQ(JsonNumber(1.5), 1.5);
}

TEST(JsonTest, NoByteOfAStringReachesTheTerminalRaw) {
  const std::string text = DumpJson(Json("\x1b\x7f\xc2\x9b\xff"), false);
  for (const char c : text) EXPECT_TRUE(c >= 0x20 || static_cast<unsigned char>(c) >= 0xA0) << text;
  EXPECT_EQ(Json::parse(text).get<std::string>().substr(0, 4), "\x1b\x7f\xc2\x9b");
}

TEST(YamlTest, QuotesWhatAReaderCouldMistake) {
  EXPECT_EQ(DumpYaml(Json{{"a", "plain-word"}, {"b", "no"}, {"c", "12"}, {"d", "x: y"}}),
            "a: plain-word\nb: \"no\"\nc: \"12\"\nd: \"x: y\"\n");
}

TEST(YamlTest, NestsMapsAndLists) {
  EXPECT_EQ(DumpYaml(Json::parse(R"([{"a":1,"b":[1,2],"c":{}},{"a":[]}])")),
            "- a: 1\n  b:\n    - 1\n    - 2\n  c: {}\n- a: []\n");
}

TEST(CsvTest, FlattensObjectsAndQuotesCommas) {
  EXPECT_EQ(Render(Two(), Format::kCsv),
            "id,name,secret,raw.k,raw.l\n"
            "1,short,x,1,\n"
            "20,a longer name,,2,\"x,y\"\n");
}

TEST(CsvTest, KeepsEveryDigit) {
  Records records;
  records.columns = {{"v", "V"}};
  records.rows = {{"r", {{0.1234567890123}}}};
  EXPECT_EQ(Render(records, Format::kCsv), "v\n0.1234567890123\n");
}

TEST(NameTest, IsOneNameALine) { EXPECT_EQ(Render(Two(), Format::kName), "a\nb\n"); }

TEST(FormatTest, AnUnknownOneNamesThoseThereAre) {
  EXPECT_TRUE(ParseFormat("yaml").ok());
  EXPECT_THAT(std::string(ParseFormat("xml").status().message()), HasSubstr("table, wide, json"));
}

}  // namespace
}  // namespace vlm::client
