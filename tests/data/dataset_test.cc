#include "worker/trainer/data/dataset.h"

#include <filesystem>

#include "tests/data/data_fixture.h"

namespace vlm::data {
namespace {

using ::testing::ElementsAre;

class DatasetTest : public testing::DataTest {};

TEST_F(DatasetTest, ReadsTheReferencesCsvInFileOrder) {
  const auto dataset = OpenCsv(ReferenceCsv(10));

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->rows(), 10);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ((*dataset)->Caption(i), absl::StrCat("row ", i));
    EXPECT_EQ((*dataset)->Pixels(i).size(), 3u * 8 * 8);
    EXPECT_EQ((*dataset)->Pixels(i)[100], i);
  }
}

TEST_F(DatasetTest, ReadsPicturesByPathBesideTheCsv) {
  dir_.Write("pictures/a.png", testing::Png(1, 1, 10, 20, 30));
  const auto dataset = OpenCsv(
      "caption,extra,image_path\nfirst,x,pictures/a.png\n\"second, with comma\",y,"
      "pictures/../pictures/a.png\n");

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->Caption(1), "second, with comma");
  EXPECT_EQ((*dataset)->Pixels(1)[0], 10);
  EXPECT_EQ((*dataset)->Pixels(1)[64], 20);
  EXPECT_EQ((*dataset)->Pixels(1)[128], 30);
}

TEST_F(DatasetTest, ReadsAFolderWithCaptionsJsonl) {
  dir_.Write("set/a.png", testing::Png(3, 2, 7, 7, 7));
  dir_.Write("set/captions.jsonl",
             "{\"image\": \"a.png\", \"caption\": \"one\"}\n\n"
             "{\"caption\": \"caf\\u00e9\", \"image\": \"a.png\", \"more\": [1]}");
  const auto dataset = Open(dir_ / "set");

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->rows(), 2);
  EXPECT_EQ((*dataset)->Caption(1), "café");
}

TEST_F(DatasetTest, AByteOrderMarkAndCrlfAreNoMatter) {
  std::string text = "\xEF\xBB\xBF" + ReferenceCsv(2);
  for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) {
    text.replace(at, 1, "\r\n");
  }

  const auto dataset = OpenCsv(text);

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->Caption(1), "row 1");
}

TEST_F(DatasetTest, TheFirstRowsTrainTheRestValidateAndRepeatsStayInTheirPart) {
  config_.mutable_data()->set_repeat(3);
  const auto dataset = OpenCsv(ReferenceCsv(10));

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->train_size(), 27);
  EXPECT_EQ((*dataset)->val_size(), 1);
  for (int64_t i = 0; i < 27; ++i) EXPECT_EQ((*dataset)->TrainRow(i), i % 9);
  EXPECT_EQ((*dataset)->ValRow(0), 9);
}

TEST_F(DatasetTest, OneRowIsUsedForBoth) {
  const auto dataset = OpenCsv(ReferenceCsv(1));

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->train_size(), 1);
  EXPECT_EQ((*dataset)->val_size(), 1);
  EXPECT_EQ((*dataset)->ValRow(0), 0);
}

TEST_F(DatasetTest, AnEmptyPartIsAnErrorThatSaysWhatToDo) {
  config_.mutable_data()->set_train_fraction(0.05);

  ExpectCsvError(ReferenceCsv(4),
                 "0.05 of 4 rows leaves none for training; add rows, or set data.train_fraction");
}

TEST_F(DatasetTest, VocabularyIsTheCaptionsCharacters) {
  const auto dataset = OpenCsv(ReferenceCsv(3));

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->vocabulary().size(), 8);  // " 012orw" and <pad>
  EXPECT_EQ((*dataset)->model_vocab_size(), 8);
  EXPECT_THAT((*dataset)->Tokens(1), ElementsAre(5, 4, 6, 0, 2));
  EXPECT_EQ((*dataset)->longest(), 5);
}

TEST_F(DatasetTest, VocabularyOfTheFileTakesTheWholeRawText) {
  config_.mutable_data()->set_vocab(v1::VOCAB_SOURCE_FILE);
  dir_.Write("a.png", testing::Png(1, 1, 0, 0, 0));
  const auto dataset = OpenCsv("image_path,caption\r\na.png,b\r\na.png,b\r\n");

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  // "\n", and of the header and the paths: , . _ a b c e g h i m n o p t
  EXPECT_EQ((*dataset)->vocabulary().size(), 17);
  EXPECT_FALSE((*dataset)->vocabulary().Encode("\r").ok());
  EXPECT_TRUE((*dataset)->vocabulary().Encode("\n").ok());
}

TEST_F(DatasetTest, ALargerVocabSizeIsKept) {
  config_.set_vocab_size(6666);
  const auto dataset = OpenCsv(ReferenceCsv(3));

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->model_vocab_size(), 6666);
}

TEST_F(DatasetTest, ATooSmallVocabSizeNamesTheSizeNeeded) {
  config_.set_vocab_size(7);

  ExpectCsvError(ReferenceCsv(3), "set vocab_size to 8, or to 0");
}

TEST_F(DatasetTest, LongCaptionsAreCutAndCounted) {
  config_.set_block_size(3);
  const auto dataset = OpenCsv(ReferenceCsv(3));

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->cut_captions(), 3);
  EXPECT_EQ((*dataset)->longest(), 3);
  EXPECT_EQ((*dataset)->Tokens(0).size(), 3u);
  EXPECT_EQ((*dataset)->Caption(0), "row 0");
}

TEST_F(DatasetTest, WithoutBlockSizeTheLimitIsThePositionTable) {
  const auto dataset =
      OpenCsv("b64string_images,caption\n" + GreyBase64(1) + "," + std::string(1200, 'x') + "\n");

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->longest(), 999);
  EXPECT_EQ((*dataset)->cut_captions(), 1);
}

TEST_F(DatasetTest, OneThreadAndManyGiveTheSame) {
  options_.cache_dir.clear();
  const auto a = OpenCsv(ReferenceCsv(50));
  options_.threads = 8;
  const auto b = OpenCsv(ReferenceCsv(50));

  ASSERT_TRUE(a.ok() && b.ok());
  for (int i = 0; i < 50; ++i) {
    EXPECT_EQ((*a)->Caption(i), (*b)->Caption(i));
    EXPECT_EQ((*a)->Pixels(i), (*b)->Pixels(i));
  }
}

}  // namespace
}  // namespace vlm::data
