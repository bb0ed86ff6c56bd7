// Which class of failure each error is.
#include "worker/trainer/loop/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <new>
#include <stdexcept>

#include "torch/torch.h"

namespace vlm::trainer {
namespace {

// What happens when a tensor of 4 PiB is asked for.
v1::Outcome OutcomeOfHugeTensor() {
  try {
    torch::empty({int64_t{1} << 50}, torch::kFloat32).fill_(1);
  } catch (const std::exception& error) {
    return OutcomeOf(error, /*distributed=*/false);
  }
  return {};
}

TEST(FailureTest, AnAllocationOfLibTorchThatFailsIsOutOfMemory) {
  EXPECT_EQ(OutcomeOfHugeTensor().failure_class(), v1::FAILURE_CLASS_OUT_OF_MEMORY);
}

TEST(FailureTest, BadAllocIsOutOfMemory) {
  EXPECT_EQ(OutcomeOf(std::bad_alloc(), false).failure_class(), v1::FAILURE_CLASS_OUT_OF_MEMORY);
}

TEST(FailureTest, ALostPeerIsInfra) {
  const std::runtime_error error("Read error [127.0.0.1]:4: Connection reset by peer");
  EXPECT_EQ(OutcomeOf(error, /*distributed=*/true).failure_class(), v1::FAILURE_CLASS_INFRA);
  EXPECT_EQ(OutcomeOf(error, /*distributed=*/false).failure_class(), v1::FAILURE_CLASS_UNKNOWN);
}

TEST(FailureTest, StatusCodesHaveTheirClass) {
  EXPECT_EQ(OutcomeOf(absl::InvalidArgumentError("row 3")).failure_class(),
            v1::FAILURE_CLASS_USER_ERROR);
  EXPECT_EQ(OutcomeOf(absl::NotFoundError("x")).failure_class(), v1::FAILURE_CLASS_USER_ERROR);
  EXPECT_EQ(OutcomeOf(absl::UnavailableError("x")).failure_class(), v1::FAILURE_CLASS_INFRA);
  EXPECT_EQ(OutcomeOf(absl::ResourceExhaustedError("x")).failure_class(), v1::FAILURE_CLASS_INFRA);
  EXPECT_EQ(OutcomeOf(absl::InternalError("x")).failure_class(), v1::FAILURE_CLASS_UNKNOWN);
}

TEST(FailureTest, DivergenceNamesStepAndRate) {
  const v1::Outcome outcome =
      OutcomeOf(Diverged(12, std::numeric_limits<double>::quiet_NaN(), 0.5));
  EXPECT_EQ(outcome.failure_class(), v1::FAILURE_CLASS_DIVERGED);
  EXPECT_THAT(outcome.reason(), ::testing::HasSubstr("step 12"));
}

TEST(FailureTest, ReasonsAreOneLine) {
  const v1::Outcome outcome = OutcomeOf(std::runtime_error("first\nsecond"), false);
  EXPECT_EQ(outcome.reason(), "first");
}

}  // namespace
}  // namespace vlm::trainer
