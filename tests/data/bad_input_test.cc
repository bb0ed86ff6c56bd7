// Each fault of a data set and its documented outcome (docs/data.md).
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/data/data_fixture.h"

namespace vlm::data {
namespace {

using ::testing::HasSubstr;

class BadInputTest : public testing::DataTest {
 protected:
  // Rows 1 and 3 are good, row 2 is what is tested.
  static std::string WithSecondRow(const std::string& row) {
    return absl::StrCat("b64string_images,caption\n", GreyBase64(1), ",one\n", row, "\n",
                        GreyBase64(3), ",three\n");
  }
  // Fails with the row by default; with on_error: skip the other two rows are used.
  void ExpectBadSecondRow(const std::string& row, const std::string& part) {
    ExpectCsvError(WithSecondRow(row), "inputs.csv: row 2 (line 3): " + part);
    config_.mutable_data()->set_on_error(v1::ON_ERROR_SKIP);
    const auto dataset = OpenCsv(WithSecondRow(row));
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    EXPECT_EQ((*dataset)->skipped_rows(), 1);
    ASSERT_EQ((*dataset)->rows(), 2);
    EXPECT_EQ((*dataset)->Caption(1), "three");
    EXPECT_EQ((*dataset)->Pixels(1)[0], 3);
  }
};

TEST_F(BadInputTest, AMissingInputPathIsNamed) {
  ExpectError(dir_ / "none.csv", absl::StatusCode::kNotFound, "none.csv");
}

TEST_F(BadInputTest, AnUnreadableInputPathIsNamed) {
  const std::string file = dir_.Write("inputs.csv", ReferenceCsv(2));
  ::chmod(file.c_str(), 0);
  ::chmod(dir_.path().c_str(), 0755);
  const uid_t me = ::geteuid();
  ASSERT_EQ(::seteuid(me == 0 ? 65534 : me), 0);  // Root can read everything.
  const auto dataset = Open(file);
  ASSERT_EQ(::seteuid(me), 0);

  EXPECT_EQ(dataset.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(dataset.status().message()), HasSubstr(file));
}

TEST_F(BadInputTest, AFolderWithoutCaptionsSaysWhatIsNeeded) {
  ExpectError(dir_.path(), absl::StatusCode::kNotFound, "a folder needs a file captions.jsonl");
}

TEST_F(BadInputTest, APipeIsRefusedInsteadOfWaitedFor) {
  ASSERT_EQ(::mkfifo((dir_ / "pipe").c_str(), 0600), 0);

  ExpectError(dir_ / "pipe", absl::StatusCode::kInvalidArgument, "not a regular file");
}

TEST_F(BadInputTest, AnEmptyFileIsAnError) { ExpectCsvError("", "the file is empty"); }

TEST_F(BadInputTest, AFileWithAHeaderOnlyIsAnError) {
  ExpectCsvError("b64string_images,caption\n", "holds no rows");
}

TEST_F(BadInputTest, AWrongHeaderIsShownBesideTheRightOnes) {
  ExpectCsvError("image,text\nx,y\n",
                 "the header is \"image,text\"; expected \"b64string_images,caption\"");
}

TEST_F(BadInputTest, BinaryInsteadOfCsvIsAnError) {
  ExpectCsvError(testing::Png(4, 4, 1, 2, 3), "expected \"b64string_images,caption\"");
}

TEST_F(BadInputTest, ARowThatIsNoBase64) {
  ExpectBadSecondRow("not*base64,two", "column b64string_images: is not base64: \"not*base64\"");
}

TEST_F(BadInputTest, ATruncatedPng) {
  const std::string png = testing::Png(40, 40, 1, 2, 3);
  ExpectBadSecondRow(testing::Base64(png.substr(0, png.size() / 2)) + ",two",
                     "column b64string_images: damaged PNG");
}

TEST_F(BadInputTest, GarbageInsteadOfAPicture) {
  ExpectBadSecondRow(testing::Base64("garbage") + ",two",
                     "column b64string_images: picture is neither PNG, JPEG nor WebP");
}

TEST_F(BadInputTest, APictureOf20000x20000) {
  ExpectBadSecondRow(testing::Base64(testing::PngHeaderOnly(20000, 20000)) + ",two",
                     "column b64string_images: picture of 20000x20000 pixels is larger than "
                     "data.max_pixels");
}

TEST_F(BadInputTest, APictureOf1x1IsGood) {
  const auto dataset =
      OpenCsv(WithSecondRow(testing::Base64(testing::Png(1, 1, 9, 9, 9)) + ",two"));

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->Pixels(1)[191], 9);
}

TEST_F(BadInputTest, ACaptionWithAnUnknownCharacter) {
  options_.vocabulary = Vocabulary({' ', 'e', 'h', 'n', 'o', 'r', 't'});

  ExpectBadSecondRow(GreyBase64(2) + ",two",
                     "column caption: character U+0077 'w' at position 2 is not among");
}

TEST_F(BadInputTest, AnEmptyCaption) {
  ExpectBadSecondRow(GreyBase64(2) + ",", "column caption: is empty");
}

TEST_F(BadInputTest, ACaptionThatIsNotUtf8) {
  ExpectBadSecondRow(GreyBase64(2) + ",tw\xE9", "column caption: is not UTF-8");
}

TEST_F(BadInputTest, ACaptionWithAZeroByte) {
  ExpectBadSecondRow(GreyBase64(2) + std::string(",t\0o", 4), "column caption: holds a zero byte");
}

TEST_F(BadInputTest, ARowWithTooManyColumns) {
  ExpectBadSecondRow(GreyBase64(2) + ",two, with a comma", "has 3 columns, the header has 2");
}

TEST_F(BadInputTest, ARowWithAnOpenQuoteTakesTheRest) {
  ExpectCsvError(WithSecondRow(GreyBase64(2) + ",\"two"),
                 "inputs.csv: row 2 (line 3): has a quote in line 3 that is not closed");
}

TEST_F(BadInputTest, TheFirstBadRowIsNamedHoweverManyThreadsRead) {
  std::string csv = ReferenceCsv(40);
  for (int i = 0; i < 20; ++i) csv += "bad!,x\n";
  options_.threads = 8;

  for (int i = 0; i < 20; ++i) ExpectCsvError(csv, "inputs.csv: row 41 (line 42)");
}

TEST_F(BadInputTest, OnlyBadRowsAreAnErrorEvenIfTheyMayBeSkipped) {
  config_.mutable_data()->set_on_error(v1::ON_ERROR_SKIP);

  ExpectCsvError("b64string_images,caption\n!,a\n!,b\n", "all 2 rows of");
}

class BadPathTest : public BadInputTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(BadPathTest, IsNotFollowed) {
  dir_.Write("outside.png", testing::Png(1, 1, 1, 1, 1));
  const std::string csv =
      dir_.Write("set/inputs.csv", absl::StrCat("image_path,caption\n", GetParam(), ",x\n"));

  ExpectError(csv, absl::StatusCode::kInvalidArgument, "row 1 (line 2): column image_path: path");
}

INSTANTIATE_TEST_SUITE_P(Paths, BadPathTest,
                         ::testing::Values("../outside.png", "a/../../outside.png", "/etc/passwd",
                                           "./.././outside.png", ""));

TEST_F(BadInputTest, AMissingPictureFileIsNamed) {
  ExpectCsvError("image_path,caption\nnone.png,x\n", "none.png");
}

class BadJsonlTest : public BadInputTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(BadJsonlTest, IsABadRow) {
  dir_.Write("a.png", testing::Png(1, 1, 1, 1, 1));
  dir_.Write("captions.jsonl",
             absl::StrCat("{\"image\": \"a.png\", \"caption\": \"x\"}\n", GetParam(), "\n"));

  ExpectError(dir_.path(), absl::StatusCode::kInvalidArgument, "captions.jsonl: row 2 (line 2): ");
}

INSTANTIATE_TEST_SUITE_P(Lines, BadJsonlTest,
                         ::testing::Values("{", "[]", "7", "{\"image\": \"a.png\"}",
                                           "{\"caption\": \"x\"}",
                                           "{\"image\": 1, \"caption\": \"x\"}",
                                           "{\"image\": \"../a.png\", \"caption\": \"x\"}",
                                           "{\"image\": \"a.png\", \"caption\": \"\xFF\"}"));

}  // namespace
}  // namespace vlm::data
