// The profiler's schedule against torch.profiler.schedule's definition.
#include "worker/trainer/profile/schedule.h"

#include <gtest/gtest.h>

#include <string>

namespace vlm::trainer {
namespace {

v1::ProfilerConfig Config(int wait, int warmup, int active, int repeat, int skip_first) {
  v1::ProfilerConfig config;
  config.set_enabled(true);
  config.set_wait(wait);
  config.set_warmup(warmup);
  config.set_active(active);
  config.set_repeat(repeat);
  config.set_skip_first(skip_first);
  return config;
}

// One letter a step: . none, w warm-up, r record, S record and save.
std::string Draw(const v1::ProfilerConfig& config, int steps) {
  std::string drawn;
  for (int step = 0; step < steps; ++step) {
    drawn += ".wrS"[static_cast<int>(ActionAt(config, step))];
  }
  return drawn;
}

TEST(ProfilerScheduleTest, OneCycleThenNothing) {
  EXPECT_EQ(Draw(Config(1, 1, 3, 1, 0), 8), ".wrrS...");
}

TEST(ProfilerScheduleTest, RepeatsAsOftenAsSaid) {
  EXPECT_EQ(Draw(Config(1, 1, 1, 2, 0), 9), ".wS.wS...");
}

TEST(ProfilerScheduleTest, RepeatZeroNeverEnds) {
  EXPECT_EQ(Draw(Config(0, 1, 2, 0, 0), 9), "wrSwrSwrS");
}

TEST(ProfilerScheduleTest, SkipFirstComesOnce) {
  EXPECT_EQ(Draw(Config(1, 0, 2, 2, 3), 10), "....rS.rS.");
}

TEST(ProfilerScheduleTest, WithoutWaitAndWarmupItRecordsAtOnce) {
  EXPECT_EQ(Draw(Config(0, 0, 1, 1, 0), 3), "S..");
}

TEST(ProfilerScheduleTest, SwitchedOffRecordsNothing) {
  v1::ProfilerConfig config = Config(0, 0, 1, 0, 0);
  config.set_enabled(false);
  EXPECT_EQ(Draw(config, 3), "...");
}

TEST(ProfilerScheduleTest, NoActiveStepsRecordNothing) {
  EXPECT_EQ(Draw(Config(1, 1, 0, 0, 0), 4), "....");
}

}  // namespace
}  // namespace vlm::trainer
