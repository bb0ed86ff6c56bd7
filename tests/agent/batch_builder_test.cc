#include "worker/agent/batch_builder.h"

#include "gtest/gtest.h"

namespace vlm::agent {
namespace {

constexpr absl::Duration kStart = absl::Seconds(5);

v1::Report Step(int64_t step) {
  v1::Report report;
  report.set_last_step(step);
  v1::Series& series = *report.add_series();
  series.set_name("train_loss");
  series.add_points()->set_step(step);
  return report;
}

TEST(BatchBuilderTest, JoinsPointsOfASeriesInOrder) {
  BatchBuilder builder(2);
  builder.Add(Step(1), kStart);
  builder.Add(Step(2), kStart);
  const v1::Report batch = builder.Take();
  ASSERT_EQ(batch.series_size(), 1);
  ASSERT_EQ(batch.series(0).points_size(), 2);
  EXPECT_EQ(batch.series(0).points(1).step(), 2);
  EXPECT_EQ(batch.last_step(), 2);
  EXPECT_EQ(batch.rank(), 2);
  EXPECT_TRUE(builder.empty());
}

TEST(BatchBuilderTest, WaitsATenthOfASecondForMore) {
  BatchBuilder builder(0);
  EXPECT_FALSE(builder.Due(kStart));
  builder.Add(Step(1), kStart);
  EXPECT_FALSE(builder.Due(kStart + absl::Milliseconds(99)));
  EXPECT_TRUE(builder.Due(kStart + absl::Milliseconds(100)));
}

TEST(BatchBuilderTest, ValidationGoesAtOnce) {
  BatchBuilder builder(0);
  v1::Report report = Step(10);
  report.add_validations()->set_step(10);
  builder.Add(std::move(report), kStart);
  EXPECT_TRUE(builder.Due(kStart));
}

TEST(BatchBuilderTest, LargeBatchGoesAtOnce) {
  BatchBuilder builder(0);
  std::vector<v1::LogLine> lines(1);
  lines[0].set_text(std::string(300 << 10, 'x'));
  builder.AddLines(std::move(lines), kStart);
  EXPECT_TRUE(builder.Due(kStart));
}

TEST(BatchBuilderTest, KeepsTheTotalThatOnlyTheFirstReportNames) {
  BatchBuilder builder(0);
  v1::Report first = Step(1);
  first.set_total_steps(100);
  builder.Add(std::move(first), kStart);
  builder.Add(Step(2), kStart);
  EXPECT_EQ(builder.Take().total_steps(), 100);
}

TEST(BatchBuilderTest, OutcomeStaysOutside) {
  BatchBuilder builder(0);
  v1::Report last = Step(1);
  last.mutable_outcome()->set_state(v1::ATTEMPT_STATE_SUCCEEDED);
  builder.Add(std::move(last), kStart);
  EXPECT_FALSE(builder.Take().has_outcome());
}

}  // namespace
}  // namespace vlm::agent
