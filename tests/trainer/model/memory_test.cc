#include "worker/trainer/model/memory.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <thread>

namespace vlm::trainer {
namespace {

class MemoryTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { TuneAllocator(); }
};

TEST_F(MemoryTest, AFreedBlockIsUsedAgain) {
  const void* first = at::empty({1 << 20}).const_data_ptr();
  EXPECT_GT(CachedBytes(), 0);
  EXPECT_EQ(at::empty({1 << 20}).const_data_ptr(), first);
}

TEST_F(MemoryTest, ReleaseGivesTheCacheBack) {
  at::empty({1 << 20});
  ReleaseCachedMemory();
  EXPECT_EQ(CachedBytes(), 0);
}

TEST_F(MemoryTest, BlocksMayBeFreedByAnotherThread) {
  at::Tensor tensor = at::ones({1 << 20});
  std::thread([moved = std::move(tensor)]() mutable { moved.reset(); }).join();
  EXPECT_EQ(at::ones({1 << 20}).sum().item<double>(), 1 << 20);
}

TEST_F(MemoryTest, TensorsKeepTheirValuesThroughGrowth) {
  at::Tensor tensor = at::arange(1000, at::kFloat);
  tensor.resize_({1 << 20});
  EXPECT_EQ(tensor[999].item<float>(), 999);
}

TEST_F(MemoryTest, AnImpossibleSizeIsAnOutOfMemoryError) {
  EXPECT_THROW(at::empty({int64_t{1} << 50}, at::kByte), c10::OutOfMemoryError);
}

}  // namespace
}  // namespace vlm::trainer
