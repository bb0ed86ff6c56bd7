#include "worker/trainer/optim/schedule.h"

#include <gtest/gtest.h>

namespace vlm::trainer {
namespace {

v1::OptimizerConfig Config(v1::Schedule schedule, int64_t warmup = 0) {
  v1::OptimizerConfig config;
  config.set_schedule(schedule);
  config.set_warmup_iters(warmup);
  config.set_min_lr_ratio(0.1);
  config.set_decay_fraction(0.2);
  return config;
}

TEST(ScheduleTest, ConstantStaysWhereItIs) {
  for (int64_t step : {0, 50, 99, 1000}) {
    EXPECT_EQ(LearningRate(Config(v1::SCHEDULE_CONSTANT), 0.5, step, 100), 0.5);
  }
}

TEST(ScheduleTest, WarmUpRisesLinearlyAndNeverWastesAStep) {
  const auto config = Config(v1::SCHEDULE_CONSTANT, 4);
  EXPECT_DOUBLE_EQ(LearningRate(config, 1, 0, 100), 0.2);
  EXPECT_DOUBLE_EQ(LearningRate(config, 1, 3, 100), 0.8);
  EXPECT_DOUBLE_EQ(LearningRate(config, 1, 4, 100), 1);
}

TEST(ScheduleTest, CosineGoesFromTheBaseToTheLeastAtTheLastStep) {
  const auto config = Config(v1::SCHEDULE_COSINE, 10);
  EXPECT_DOUBLE_EQ(LearningRate(config, 1, 10, 111), 1);
  EXPECT_NEAR(LearningRate(config, 1, 60, 111), 0.55, 1e-12);
  EXPECT_NEAR(LearningRate(config, 1, 110, 111), 0.1, 1e-12);
  EXPECT_NEAR(LearningRate(config, 1, 500, 111), 0.1, 1e-12);
}

TEST(ScheduleTest, WsdIsStableThenDecaysLinearlyOverTheLastPart) {
  const auto config = Config(v1::SCHEDULE_WSD);
  EXPECT_DOUBLE_EQ(LearningRate(config, 1, 0, 101), 1);
  EXPECT_DOUBLE_EQ(LearningRate(config, 1, 80, 101), 1);
  EXPECT_NEAR(LearningRate(config, 1, 90, 101), 0.55, 1e-12);
  EXPECT_NEAR(LearningRate(config, 1, 100, 101), 0.1, 1e-12);
}

TEST(ScheduleTest, ShortJobsNeverLeaveTheRange) {
  for (auto schedule : {v1::SCHEDULE_COSINE, v1::SCHEDULE_WSD, v1::SCHEDULE_CONSTANT}) {
    for (int64_t total : {1, 2, 5}) {
      for (int64_t step = 0; step < total; ++step) {
        const double rate = LearningRate(Config(schedule, 3), 1, step, total);
        EXPECT_GE(rate, 0.1 - 1e-12);
        EXPECT_LE(rate, 1 + 1e-12);
      }
    }
  }
}

}  // namespace
}  // namespace vlm::trainer
