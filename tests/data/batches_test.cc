#include "worker/trainer/data/batches.h"

#include <numeric>
#include <set>

#include "tests/data/data_fixture.h"
#include "worker/trainer/data/random_order.h"

namespace vlm::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class BatchesTest : public testing::DataTest {
 protected:
  void SetUp() override { Use(20); }
  void Use(int rows) {
    auto dataset = OpenCsv(ReferenceCsv(rows));
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    dataset_ = *std::move(dataset);
  }
  std::unique_ptr<BatchLoader> Loader(const BatchOptions& options) {
    auto loader = BatchLoader::Make(*dataset_, options);
    EXPECT_TRUE(loader.ok()) << loader.status();
    return *std::move(loader);
  }
  std::vector<std::vector<int64_t>> NextRows(BatchLoader* loader, int batches) {
    std::vector<std::vector<int64_t>> rows;
    for (int i = 0; i < batches; ++i) {
      auto batch = loader->Next();
      rows.push_back(batch->rows);
      loader->Recycle(*std::move(batch));
    }
    return rows;
  }
  std::string ErrorOf(const BatchOptions& options) {
    return std::string(BatchLoader::Make(*dataset_, options).status().message());
  }

  std::unique_ptr<Dataset> dataset_;
};

TEST_F(BatchesTest, TargetsAreTheTokensShiftedAndPadded) {
  Use(11);  // Rows 9 and 10 validate.
  const auto loader = Loader({.part = BatchOptions::Part::kValidation, .batch_size = 2});
  const int64_t pad = dataset_->vocabulary().pad();
  const auto a = *dataset_->vocabulary().Encode("row 9");
  const auto b = *dataset_->vocabulary().Encode("row 10");

  const auto batch = loader->Next();

  ASSERT_TRUE(batch.ok());
  EXPECT_EQ(batch->length, 6);
  EXPECT_THAT(batch->tokens,
              ElementsAre(a[0], a[1], a[2], a[3], a[4], pad, b[0], b[1], b[2], b[3], b[4], b[5]));
  EXPECT_THAT(batch->targets,
              ElementsAre(a[1], a[2], a[3], a[4], pad, pad, b[1], b[2], b[3], b[4], b[5], pad));
}

TEST_F(BatchesTest, PixelsAreTheRowsPictures) {
  const auto loader = Loader({.batch_size = 4, .seed = 1});

  const auto batch = loader->Next();

  ASSERT_EQ(batch->pixels.size(), 4u * 3 * 8 * 8);
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(batch->pixels[i * 192 + 50], batch->rows[i]);
}

TEST_F(BatchesTest, AnEpochHasNoRowTwiceAndLeavesOutTheTail) {
  const auto loader = Loader({.batch_size = 4, .seed = 1});  // 18 training rows: 4 batches.
  for (int epoch = 0; epoch < 5; ++epoch) {
    std::set<int64_t> seen;
    for (const auto& rows : NextRows(loader.get(), 4)) seen.insert(rows.begin(), rows.end());
    EXPECT_EQ(seen.size(), 16u);
    EXPECT_LT(*seen.rbegin(), 18);
  }
}

TEST_F(BatchesTest, EpochsAndSeedsDiffer) {
  const auto a = NextRows(Loader({.batch_size = 18, .seed = 1}).get(), 2);
  const auto b = NextRows(Loader({.batch_size = 18, .seed = 2}).get(), 1);

  EXPECT_NE(a[0], a[1]);
  EXPECT_NE(a[0], b[0]);
}

TEST_F(BatchesTest, RanksShareTheSameGlobalBatches) {
  const auto whole = NextRows(Loader({.batch_size = 6, .seed = 3}).get(), 7);
  for (const int world : {2, 3, 6}) {
    for (int rank = 0; rank < world; ++rank) {
      const auto part = NextRows(
          Loader({.batch_size = 6, .rank = rank, .world_size = world, .seed = 3}).get(), 7);
      for (size_t i = 0; i < part.size(); ++i) {
        for (size_t k = 0; k < part[i].size(); ++k) {
          const size_t at = static_cast<size_t>(rank) + k * static_cast<size_t>(world);
          EXPECT_EQ(part[i][k], whole[i][at]);
        }
      }
    }
  }
}

TEST_F(BatchesTest, EveryRankPadsToTheLongestOfTheGlobalBatch) {
  // Rows 0..9 have five characters, rows 10..17 six.
  for (int rank = 0; rank < 18; ++rank) {
    const auto loader = Loader({.batch_size = 18, .rank = rank, .world_size = 18, .seed = 3});
    EXPECT_EQ(loader->Next()->length, 6);
  }
}

TEST_F(BatchesTest, ThreadsChangeNothing) {
  const auto alone = NextRows(Loader({.batch_size = 5, .seed = 4}).get(), 50);
  for (const int threads : {1, 2, 4}) {
    EXPECT_EQ(NextRows(Loader({.batch_size = 5, .seed = 4, .threads = threads}).get(), 50), alone);
  }
}

TEST_F(BatchesTest, AResumedLoaderGoesOnWhereItWas) {
  const auto whole = NextRows(Loader({.batch_size = 5, .seed = 4}).get(), 20);
  const auto loader = Loader({.batch_size = 5, .seed = 4, .start = 13, .threads = 2});

  EXPECT_EQ(loader->position(), 13);
  const auto rest = NextRows(loader.get(), 7);

  EXPECT_EQ(rest, std::vector(whole.begin() + 13, whole.end()));
  EXPECT_EQ(loader->position(), 20);
}

TEST_F(BatchesTest, ValidationWrapsAroundItsOwnRows) {
  const auto loader = Loader({.part = BatchOptions::Part::kValidation, .batch_size = 3});

  const auto rows = NextRows(loader.get(), 3);

  EXPECT_THAT(
      rows, ElementsAre(ElementsAre(18, 19, 18), ElementsAre(19, 18, 19), ElementsAre(18, 19, 18)));
}

TEST_F(BatchesTest, AFarValidationBatchDoesNotOverflow) {
  auto order =
      BatchOrder::Make(*dataset_, {.part = BatchOptions::Part::kValidation, .batch_size = 3});

  EXPECT_EQ(order->Rows(int64_t{1} << 62).size(), 3u);
}

TEST_F(BatchesTest, TooLargeABatchSaysWhichRepeatHelps) {
  EXPECT_THAT(ErrorOf({.batch_size = 40}),
              HasSubstr("batch_size 40 is more than the 18 training rows; lower it, add rows, or "
                        "set data.repeat to 3"));
}

TEST_F(BatchesTest, TheRepeatThatTheErrorNamesHelps) {
  config_.mutable_data()->set_repeat(3);
  Use(20);

  EXPECT_EQ(Loader({.batch_size = 40})->Next()->size, 40);
}

TEST_F(BatchesTest, ABatchThatRanksCannotShareIsRefused) {
  EXPECT_THAT(ErrorOf({.batch_size = 5, .rank = 0, .world_size = 2}),
              HasSubstr("batch_size 5 cannot be shared by resources.world_size 2"));
}

TEST_F(BatchesTest, AnAbandonedLoaderEndsItsThreads) {
  for (int i = 0; i < 20; ++i) Loader({.batch_size = 5, .seed = 4, .threads = 4});
  SUCCEED();
}

TEST(EpochOrderTest, IsAPermutation) {
  for (const int64_t n : {0, 1, 2, 1000}) {
    auto order = EpochOrder(7, 3, n);
    std::sort(order.begin(), order.end());
    std::vector<int64_t> all(static_cast<size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(order, all);
  }
}

// Checkpoints of one version must go on with the same rows in the next one.
TEST(EpochOrderTest, IsTheSameForEver) {
  EXPECT_THAT(EpochOrder(0, 0, 8), ElementsAre(7, 4, 0, 1, 5, 2, 3, 6));
}

TEST(EpochOrderTest, EveryPlaceIsEquallyLikely) {
  int counts[6][6] = {};
  for (int epoch = 0; epoch < 6000; ++epoch) {
    const auto order = EpochOrder(1, epoch, 6);
    for (size_t i = 0; i < 6; ++i) ++counts[i][order[i]];
  }
  for (const auto& row : counts) {
    for (const int count : row) EXPECT_NEAR(count, 1000, 150);  // Five standard deviations.
  }
}

}  // namespace
}  // namespace vlm::data
