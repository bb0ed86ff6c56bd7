// The CUDA plugin on a machine that may have no GPU: it loads, or it says what is missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/process.h"
#include "worker/trainer/cuda/plugin.h"

namespace vlm::trainer {
namespace {

TEST(CudaPluginTest, AMissingPluginIsNotFound) {
  const absl::Status status = CudaPlugin::Get().Load("/nowhere/vlm_cuda.so");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("/nowhere/vlm_cuda.so"));
}

TEST(CudaPluginTest, AFileThatIsNoLibraryIsRefused) {
  const vlm::testing::TempDir dir;
  std::ofstream(dir / "vlm_cuda.so") << "not a library";
  const absl::Status status = CudaPlugin::Get().Load(dir / "vlm_cuda.so");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
}

#ifdef VLM_WITH_CUDA
// With every library of LibTorch installed it loads; with the CPU's part only, the loader's own
// words name the library that is missing. Either way nothing crashes and tensors go on working.
TEST(CudaPluginTest, ThePluginOfThisBuildLoadsOrSaysWhatIsMissing) {
  const absl::Status status = CudaPlugin::Get().Load(vlm::testing::Binary("vlm_cuda.so"));
  if (status.ok()) {
    EXPECT_TRUE(CudaPlugin::Get().loaded());
    EXPECT_GE(CudaPlugin::Get().device_count(), 0);
  } else {
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr(".so"));
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("make deps GPU=1"));
  }
  EXPECT_EQ(torch::ones({3}).sum().item<double>(), 3);
}
#endif

TEST(CudaPluginTest, WithoutThePluginThereIsNoDevice) {
  if (CudaPlugin::Get().loaded()) return;  // Said by the test above.
  EXPECT_EQ(CudaPlugin::Get().device_count(), 0);
  EXPECT_EQ(CudaPlugin::Get().PeakBytes(torch::kCPU), 0);
  int64_t bytes = 0;
  EXPECT_FALSE(CudaPlugin::Get().Describe(0, &bytes).ok());
}

}  // namespace
}  // namespace vlm::trainer
