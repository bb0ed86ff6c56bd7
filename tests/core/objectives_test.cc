// Studies that name their metrics: objectives, constraints, enqueued configurations, seeds.
#include <cmath>

#include "tests/core/core_fixture.h"

namespace vlm::core {
namespace {

class ObjectivesTest : public CoreFixture {
 protected:
  ObjectivesTest() { Attach("w1", 1); }
  // Loss down, speed up.
  static v1::StudySpec TwoObjectives(int n_trials) {
    v1::StudySpec spec = Spec(n_trials);
    spec.add_directions(v1::DIRECTION_MAXIMIZE);
    spec.add_metrics("val_loss");
    spec.add_metrics("samples_per_s");
    spec.mutable_train()->set_metric("val_loss");
    return spec;
  }
  static v1::ReportBatch WithPoint(v1::ReportBatch batch, const std::string& name, double value) {
    v1::Series* series = batch.mutable_report()->add_series();
    series->set_name(name);
    series->add_points()->set_value(value);
    return batch;
  }
  // Runs the next trial over one validation to its end.
  void Run(double loss, double speed) {
    const v1::Offer offer = AcceptNext("w1");
    Report(WithPoint(Points("w1", offer, 1, 10, loss), "samples_per_s", speed));
    Report(End("w1", offer, 2, v1::ATTEMPT_STATE_SUCCEEDED, loss));
    leases_["w1"].clear();
  }
};

TEST_F(ObjectivesTest, TheLastPointsOfTheMetricsAreTheValues) {
  ASSERT_TRUE(Submit("a", TwoObjectives(1)).ok());
  Run(0.5, 120);

  const v1::Trial trial = Trial("a/0");
  ASSERT_EQ(trial.state(), v1::TRIAL_STATE_COMPLETE) << trial.reason();
  EXPECT_EQ(std::vector<double>(trial.values().begin(), trial.values().end()),
            (std::vector<double>{0.5, 120}));
  EXPECT_EQ(trial.system_attributes().at("vlm:intermediate:10"), "[0.5, 120.0]");
  EXPECT_EQ(trial.intermediate_values_size(), 0);
}

TEST_F(ObjectivesTest, AnObjectiveWithoutAPointFailsTheTrial) {
  ASSERT_TRUE(Submit("a", TwoObjectives(1)).ok());
  RunToEnd("w1", 0.5);
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_FAIL);
  EXPECT_NE(Trial("a/0").reason().find("samples_per_s"), std::string::npos);
}

TEST_F(ObjectivesTest, PointsSurviveARestart) {
  ASSERT_TRUE(Submit("a", TwoObjectives(1)).ok());
  const v1::Offer offer = AcceptNext("w1");
  Report(WithPoint(Points("w1", offer, 1, 10, 0.5), "samples_per_s", 120));

  Restart();
  Attach("w1", 1);
  Report(End("w1", offer, 2, v1::ATTEMPT_STATE_SUCCEEDED, 0.5));

  ASSERT_EQ(Trial("a/0").values_size(), 2) << Trial("a/0").reason();
  EXPECT_EQ(Trial("a/0").values(1), 120);
}

TEST_F(ObjectivesTest, OneObjectiveMayBeAnotherMetric) {
  v1::StudySpec spec = TwoObjectives(1);
  spec.mutable_metrics()->DeleteSubrange(0, 1);
  spec.mutable_directions()->Truncate(1);
  ASSERT_TRUE(Submit("a", spec).ok());
  Run(0.5, 120);
  EXPECT_EQ(Trial("a/0").values(0), 120);
  EXPECT_EQ(Trial("a/0").intermediate_values(0).value(), 120);
  EXPECT_EQ(Study("a").metric(), "samples_per_s");
}

TEST_F(ObjectivesTest, TheParetoPrunerEndsADominatedTrial) {
  v1::StudySpec spec = TwoObjectives(3);
  spec.mutable_pruner()->set_name("pareto");
  spec.mutable_pruner()->set_reduction_factor(2);
  spec.mutable_pruner()->set_n_min_trials(1);
  ASSERT_TRUE(Submit("a", spec).ok());
  Run(0.5, 120);
  Run(0.9, 200);
  const v1::Offer offer = AcceptNext("w1");
  TakeInbox(sessions_["w1"]);
  Report(WithPoint(Points("w1", offer, 1, 10, 0.6), "samples_per_s", 100));

  const auto inbox = TakeInbox(sessions_["w1"]);
  ASSERT_FALSE(inbox.empty());
  EXPECT_EQ(inbox.back().command().command().action(), v1::Command::ACTION_PRUNE);
  Report(End("w1", offer, 2, v1::ATTEMPT_STATE_PRUNED));
  EXPECT_EQ(Trial("a/2").state(), v1::TRIAL_STATE_PRUNED);
  EXPECT_EQ(Trial("a/2").values_size(), 0);
}

TEST_F(ObjectivesTest, ConstraintsSayByHowFarABoundIsMissed) {
  v1::StudySpec spec = Spec(2);
  v1::MetricConstraint* memory = spec.add_constraints();
  memory->set_name("memory");
  memory->set_metric("peak_rss_mb");
  memory->set_upper(4000);
  v1::MetricConstraint* speed = spec.add_constraints();
  speed->set_name("speed");
  speed->set_metric("samples_per_s");
  speed->set_lower(100);
  ASSERT_TRUE(Submit("a", spec).ok());
  const v1::Offer offer = AcceptNext("w1");
  Report(WithPoint(WithPoint(Points("w1", offer, 1, 10, 0.5), "samples_per_s", 120), "peak_rss_mb",
                   4500));
  Report(End("w1", offer, 2, v1::ATTEMPT_STATE_SUCCEEDED, 0.5));
  leases_["w1"].clear();

  const auto attributes = Trial("a/0").system_attributes();
  EXPECT_EQ(attributes.at("constraints:memory"), "500.0");
  EXPECT_EQ(attributes.at("constraints:speed"), "-20.0");
  EXPECT_EQ(attributes.at("constraints"), "[500.0, -20.0]");
  RunToEnd("w1", 0.5);  // Reports neither metric.
  EXPECT_FALSE(Trial("a/1").system_attributes().contains("constraints"));
}

TEST_F(ObjectivesTest, EnqueuedConfigurationsComeFirst) {
  v1::StudySpec spec = Spec(2);
  (*spec.add_enqueue()->mutable_params())["learning_rate"].set_float_value(0.005);
  ASSERT_TRUE(Submit("a", spec).ok());
  RunToEnd("w1", 0.5);
  EXPECT_EQ(Trial("a/0").params(0).value().float_value(), 0.005);
  EXPECT_EQ(Trial("a/0").system_attributes().at("fixed_params"), "{\"learning_rate\": 0.005}");
  EXPECT_EQ(Trial("a/1").params(0).value().float_value(), 0.001);
}

TEST_F(ObjectivesTest, AnEnqueuedValueOutOfRangeIsRefusedAndNothingIsMade) {
  v1::StudySpec spec = Spec(2);
  (*spec.add_enqueue()->mutable_params())["learning_rate"].set_float_value(5);
  EXPECT_EQ(Submit("a", spec).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(core_->state().studies.empty());
}

TEST_F(ObjectivesTest, AStudyMayBeginWithTheTrialsOfAnother) {
  ASSERT_TRUE(Submit("old", Spec(2)).ok());
  RunToEnd("w1", 0.5);
  RunToEnd("w1", 0.25);
  v1::StudySpec spec = Spec(1);
  spec.mutable_seed_from()->set_study("old");

  ASSERT_TRUE(Submit("new", spec).ok());

  EXPECT_EQ(Study("new").n_trials(), 3);
  EXPECT_EQ(Study("new").best_value(), 0.25);
  EXPECT_EQ(Trial("new/0").values(0), 0.5);
  EXPECT_EQ(Trial("new/1").system_attributes().at("vlm:seeded_from"), "1");
  EXPECT_EQ(Trial("new/1").intermediate_values_size(), 1);
  RunToEnd("w1", 0.75);
  EXPECT_EQ(Study("new").state(), v1::STUDY_STATE_COMPLETED);
}

TEST_F(ObjectivesTest, SeedsThatDoNotFitAreLeftOutAndNoneIsAnError) {
  ASSERT_TRUE(Submit("old", Spec(1)).ok());
  RunToEnd("w1", 0.5);  // Its learning rate is 0.001.
  v1::StudySpec spec = Spec(1);
  auto* range = spec.mutable_search_space(0)->mutable_distribution()->mutable_float_distribution();
  range->set_low(0.002);
  spec.mutable_seed_from()->set_study("old");
  const auto refused = Submit("new", spec);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition) << refused.status();
  EXPECT_FALSE(core_->state().study_names.contains("new"));

  spec.mutable_seed_from()->set_study("missing");
  EXPECT_EQ(Submit("new", spec).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ObjectivesTest, SeedsDoNotHideThatEveryTrialFails) {
  ASSERT_TRUE(Submit("old", Spec(1)).ok());
  RunToEnd("w1", 0.5);
  v1::StudySpec spec = Spec(5);
  spec.mutable_retry()->set_halt_after(2);
  spec.mutable_seed_from()->set_study("old");
  ASSERT_TRUE(Submit("new", spec).ok());
  for (int i = 0; i < 2; ++i) {
    const v1::Offer offer = AcceptNext("w1");
    Report(Failure("w1", offer, 1, v1::FAILURE_CLASS_USER_ERROR));
    leases_["w1"].clear();
  }
  EXPECT_EQ(Study("new").state(), v1::STUDY_STATE_FAILED);
}

TEST_F(ObjectivesTest, AnAskedTrialReportsOneValuePerObjective) {
  ASSERT_TRUE(Submit("a", TwoObjectives(3)).ok());
  v1::AskRequest ask;
  ask.set_study("a");
  ASSERT_TRUE(Call<v1::AskResponse>(ask).ok());
  v1::ReportValueRequest report;
  report.set_trial("a/1");
  report.set_step(1);
  report.set_value(0.5);
  EXPECT_EQ(Call<v1::ReportValueResponse>(report).status().code(),
            absl::StatusCode::kInvalidArgument);
  report.add_values(0.5);
  report.add_values(NAN);
  EXPECT_TRUE(Call<v1::ReportValueResponse>(report).ok());
  EXPECT_EQ(Trial("a/1").system_attributes().at("vlm:intermediate:1"), "[0.5, NaN]");
}

}  // namespace
}  // namespace vlm::core
