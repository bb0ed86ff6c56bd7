#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <random>
#include <thread>

#include "tests/data/data_fixture.h"
#include "worker/trainer/data/cache_file.h"
#include "worker/trainer/data/checksum.h"

namespace vlm::data {
namespace {

namespace fs = std::filesystem;

class CacheTest : public testing::DataTest {
 protected:
  std::string CacheFile() {
    for (const auto& entry : fs::directory_iterator(dir_ / "cache")) {
      if (entry.path().extension() == ".pictures") return entry.path().string();
    }
    return "";
  }
  size_t CacheFiles() {
    size_t count = 0;
    for (const auto& entry : fs::directory_iterator(dir_ / "cache")) {
      count += entry.path().extension() != ".lock";
    }
    return count;
  }
  void ExpectTenGoodRows(const absl::StatusOr<std::unique_ptr<Dataset>>& dataset, bool cached) {
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    EXPECT_EQ((*dataset)->from_cache(), cached);
    ASSERT_EQ((*dataset)->rows(), 10);
    for (int i = 0; i < 10; ++i) EXPECT_EQ((*dataset)->Pixels(i)[7], i);
  }
};

TEST_F(CacheTest, TheSecondOpenDecodesNothing) {
  ExpectTenGoodRows(OpenCsv(ReferenceCsv(10)), false);

  ExpectTenGoodRows(Open(dir_ / "inputs.csv"), true);
}

TEST_F(CacheTest, SkippedRowsAreCountedFromTheCacheToo) {
  config_.mutable_data()->set_on_error(v1::ON_ERROR_SKIP);
  ASSERT_TRUE(OpenCsv(ReferenceCsv(3) + "!,bad\n").ok());

  const auto dataset = Open(dir_ / "inputs.csv");

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_TRUE((*dataset)->from_cache());
  EXPECT_EQ((*dataset)->skipped_rows(), 1);
}

TEST_F(CacheTest, AnEditedInputReplacesItsCache) {
  ASSERT_TRUE(OpenCsv(ReferenceCsv(3)).ok());

  ExpectTenGoodRows(OpenCsv(ReferenceCsv(10)), false);

  EXPECT_EQ(CacheFiles(), 1u);
}

TEST_F(CacheTest, AnEditedPictureIsDecodedAgain) {
  dir_.Write("a.png", testing::Png(1, 1, 1, 1, 1));
  const std::string csv = "image_path,caption\na.png,x\na.png,y\n";
  ASSERT_TRUE(OpenCsv(csv).ok());

  dir_.Write("a.png", testing::Png(2, 1, 200, 1, 1));
  const auto dataset = Open(dir_ / "inputs.csv");

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->Pixels(0)[0], 200);
}

TEST_F(CacheTest, EveryImageSizeHasItsOwn) {
  ASSERT_TRUE(OpenCsv(ReferenceCsv(3)).ok());
  config_.set_img_size(16);

  const auto dataset = Open(dir_ / "inputs.csv");

  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ((*dataset)->Pixels(0).size(), 3u * 16 * 16);
  EXPECT_EQ(CacheFiles(), 2u);
}

TEST_F(CacheTest, DamageAnywhereIsNoticedAndTheCacheMadeAnew) {
  ASSERT_TRUE(OpenCsv(ReferenceCsv(10)).ok());
  const std::string good = testing::ReadFile(CacheFile());
  std::vector<size_t> places = {0, 8, 33, 4096, 4096 + 191, good.size() - 1};
  for (size_t at = 6100; at < good.size(); at += 97) places.push_back(at);
  for (const size_t at : places) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    dir_.Write("cache/" + fs::path(CacheFile()).filename().string(), bad);
    ExpectTenGoodRows(Open(dir_ / "inputs.csv"), false);
    ExpectTenGoodRows(Open(dir_ / "inputs.csv"), true);
  }
}

TEST_F(CacheTest, ACutFileIsMadeAnew) {
  ASSERT_TRUE(OpenCsv(ReferenceCsv(10)).ok());
  const auto size = fs::file_size(CacheFile());
  for (const uintmax_t left : {uintmax_t{0}, uintmax_t{100}, uintmax_t{4096}, size - 1}) {
    fs::resize_file(CacheFile(), left);
    ExpectTenGoodRows(Open(dir_ / "inputs.csv"), false);
  }
}

TEST_F(CacheTest, AFolderThatCannotBeWrittenCostsOnlyTheDecoding) {
  dir_.Write("cache", "a file where the folder should be");

  ExpectTenGoodRows(OpenCsv(ReferenceCsv(10)), false);
}

TEST_F(CacheTest, WithoutAFolderNothingIsKept) {
  options_.cache_dir.clear();
  ExpectTenGoodRows(OpenCsv(ReferenceCsv(10)), false);

  ExpectTenGoodRows(Open(dir_ / "inputs.csv"), false);
}

// A limit on file sizes stands for a full disk: both stop a write in the middle.
TEST_F(CacheTest, AFullDiskIsAnErrorMessageAndLeavesNoFile) {
  config_.set_img_size(64);
  config_.set_input_path(dir_.Write("inputs.csv", ReferenceCsv(10)));
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{20000, 20000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const auto dataset = Dataset::Open(config_, options_);
    ::_exit(absl::IsResourceExhausted(dataset.status()) ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);

  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(CacheFiles(), 0u);
}

TEST_F(CacheTest, SeveralAtOnceAllGetTheData) {
  const std::string input = dir_.Write("inputs.csv", ReferenceCsv(10));
  config_.set_input_path(input);
  std::vector<absl::StatusOr<std::unique_ptr<Dataset>>> opened(6);
  std::vector<std::thread> threads;
  for (auto& dataset : opened) {
    threads.emplace_back([&] { dataset = Dataset::Open(config_, options_); });
  }
  for (std::thread& thread : threads) thread.join();

  int decoded = 0;
  for (const auto& dataset : opened) {
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    EXPECT_EQ((*dataset)->Pixels(9)[0], 9);
    decoded += !(*dataset)->from_cache();
  }
  EXPECT_EQ(decoded, 1);
  EXPECT_EQ(CacheFiles(), 1u);
}

TEST_F(CacheTest, AWriterThatDiedLeavesNothingThatIsRead) {
  dir_.Write("cache/half.pictures.abcdef", "VLMPIX01 half of a file");
  ExpectTenGoodRows(OpenCsv(ReferenceCsv(10)), false);

  ExpectTenGoodRows(Open(dir_ / "inputs.csv"), true);
}

TEST(ChecksumTest, IsXxh64) {
  EXPECT_EQ(Checksum(""), 0xEF46DB3751D8E999u);
  EXPECT_EQ(Checksum("a"), 0xD24EC4F1A98C6E5Bu);
  EXPECT_EQ(Checksum("abc"), 0x44BC2CF5AD770999u);
  EXPECT_EQ(Checksum("Nobody inspects the spammish repetition"), 0xFBCEA83C8A378BF1u);
}

TEST(CacheIndexTest, AnyPrefixIsRefused) {
  CacheIndex index;
  index.key = "key";
  index.made_of = {{"file", 3, 4}};
  index.rows = {{0, 1, 2, 3, "caption"}};
  index.complaints = {"row 9"};
  index.file_characters = {'a', 0x1F600};
  const std::string bytes = SerializeIndex(index);

  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(ParseIndex(absl::string_view(bytes).substr(0, size)).ok()) << size;
  }
  ASSERT_TRUE(ParseIndex(bytes).ok());
  EXPECT_EQ(ParseIndex(bytes)->rows[0].caption, "caption");
}

TEST(CacheIndexTest, RandomBytesNeverCrash) {
  std::mt19937 random(5);
  CacheIndex index;
  index.rows = {{0, 1, 2, 3, "caption"}};
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = SerializeIndex(index);
    bytes[random() % bytes.size()] = static_cast<char>(random());
    (void)ParseIndex(bytes);
  }
  SUCCEED();
}

}  // namespace
}  // namespace vlm::data
