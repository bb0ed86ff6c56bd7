// What trainers say: numbered batches, applied once; ends, values, pruning, checkpoints, logs.
#include <cmath>
#include <limits>

#include "tests/core/core_fixture.h"

namespace vlm::core {
namespace {

class ReportTest : public CoreFixture {
 protected:
  ReportTest() { Attach("w1", 1); }
  v1::Offer Begin(const v1::StudySpec& spec) {
    EXPECT_TRUE(Submit("a", spec).ok());
    return AcceptNext("w1");
  }
  void AddCheckpoint(v1::ReportBatch* batch, int64_t step, const std::string& hash) {
    v1::Checkpoint* checkpoint = batch->mutable_report()->add_checkpoints();
    checkpoint->set_step(step);
    checkpoint->set_sha256(hash);
    checkpoint->set_uri("file:///work/ckpt.safetensors");
  }
};

TEST_F(ReportTest, TheFirstBatchMakesTheAttemptRunning) {
  const v1::Offer offer = Begin(Spec(1));
  EXPECT_EQ(Trial("a/0").attempts(0).state(), v1::ATTEMPT_STATE_RENDEZVOUS);
  Report(Points("w1", offer, 1, 10, 0.5));
  EXPECT_EQ(Trial("a/0").attempts(0).state(), v1::ATTEMPT_STATE_RUNNING);
}

TEST_F(ReportTest, ABatchIsAppliedOnceHoweverOftenItIsSent) {
  const v1::Offer offer = Begin(Spec(1));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Report(Points("w1", offer, 1, 10, 0.5)).sequence(), 1);
  EXPECT_EQ(store_.applied(offer.attempt_id(), 0), (std::vector<int64_t>{1}));
}

TEST_F(ReportTest, AGapIsNotAppliedAndTheAckSaysWhereToGoOn) {
  const v1::Offer offer = Begin(Spec(1));
  Report(Points("w1", offer, 1, 10, 0.5));
  EXPECT_EQ(Report(Points("w1", offer, 3, 30, 0.3)).sequence(), 1);
  EXPECT_EQ(Trial("a/0").last_step(), 10);
}

TEST_F(ReportTest, AnEndThatOvertakesItsPointsDoesNotCompleteTheTrial) {
  const v1::Offer offer = Begin(Spec(1));
  Report(End("w1", offer, 3, v1::ATTEMPT_STATE_SUCCEEDED));
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_RUNNING);

  Report(Points("w1", offer, 1, 10, 0.5));
  Report(Points("w1", offer, 2, 20, 0.4));
  Report(End("w1", offer, 3, v1::ATTEMPT_STATE_SUCCEEDED, 0.4));

  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_COMPLETE);
  EXPECT_EQ(store_.applied(offer.attempt_id(), 0), (std::vector<int64_t>{1, 2, 3}));
}

TEST_F(ReportTest, TheLastBatchMayBeSentAgainAfterTheEnd) {
  const v1::Offer offer = Begin(Spec(2));
  Report(Points("w1", offer, 1, 10, 0.5));
  Report(End("w1", offer, 2, v1::ATTEMPT_STATE_SUCCEEDED));
  const v1::ReportAck again = Report(End("w1", offer, 2, v1::ATTEMPT_STATE_SUCCEEDED));
  EXPECT_FALSE(again.fenced());
  EXPECT_EQ(again.sequence(), 2);
}

TEST_F(ReportTest, AStaleEpochIsFenced) {
  v1::Offer offer = Begin(Spec(1));
  offer.set_epoch(7);
  EXPECT_TRUE(Report(Points("w1", offer, 1, 10, 0.5)).fenced());
  EXPECT_TRUE(store_.applied(offer.attempt_id(), 0).empty());
}

TEST_F(ReportTest, AnotherWorkerCannotReportForTheNode) {
  const v1::Offer offer = Begin(Spec(1));
  EXPECT_TRUE(Report(Points("w9", offer, 1, 10, 0.5)).fenced());
}

TEST_F(ReportTest, ANodeThatDoesNotExistIsFenced) {
  v1::Offer offer = Begin(Spec(1));
  for (int node : {-1, 1, 1 << 30}) {
    offer.set_node(node);
    EXPECT_TRUE(Report(Points("w1", offer, 1, 10, 0.5)).fenced()) << node;
  }
}

TEST_F(ReportTest, AnEndBeforeTheStartIsAFailureNotASuccess) {
  ASSERT_TRUE(Submit("a", Spec(1)).ok());
  const v1::Offer offer = TakeOffers(sessions_["w1"]).at(0);
  Report(End("w1", offer, 1, v1::ATTEMPT_STATE_SUCCEEDED));
  EXPECT_EQ(Trial("a/0").attempts(0).state(), v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(Trial("a/0").attempts(0).failure_class(), v1::FAILURE_CLASS_UNKNOWN);
}

TEST_F(ReportTest, AnEndThatIsNoneIsAFailure) {
  const v1::Offer offer = Begin(Spec(1));
  Report(Points("w1", offer, 1, 10, 0.5));
  Report(End("w1", offer, 2, static_cast<v1::AttemptState>(99)));
  EXPECT_EQ(Trial("a/0").attempts(0).state(), v1::ATTEMPT_STATE_FAILED);
}

TEST_F(ReportTest, ANanValueFailsTheTrialAndIsNeverStored) {
  const v1::Offer offer = Begin(Spec(1));
  Report(End("w1", offer, 1, v1::ATTEMPT_STATE_SUCCEEDED, NAN));
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_FAIL);
  EXPECT_EQ(store_.Load().trials[0].values_size(), 0);
}

TEST_F(ReportTest, AnInfiniteValueIsAValue) {
  const v1::Offer offer = Begin(Spec(1));
  Report(End("w1", offer, 1, v1::ATTEMPT_STATE_SUCCEEDED, std::numeric_limits<double>::infinity()));
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_COMPLETE);
}

TEST_F(ReportTest, MoreValuesThanObjectivesFailTheTrial) {
  const v1::Offer offer = Begin(Spec(1));
  v1::ReportBatch batch = End("w1", offer, 1, v1::ATTEMPT_STATE_SUCCEEDED);
  batch.mutable_report()->mutable_outcome()->add_values(2);
  Report(batch);
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_FAIL);
}

TEST_F(ReportTest, AGangSucceedsWhenEveryNodeHasEnded) {
  Attach("w2", 1);
  v1::StudySpec spec = Spec(1);
  spec.mutable_train()->mutable_resources()->set_world_size(2);
  ASSERT_TRUE(Submit("gang", spec).ok());
  const v1::Offer one = AcceptNext("w1");
  const v1::Offer two = AcceptNext("w2");
  Report(Points("w1", one, 1, 10, 0.5));
  Report(End("w1", one, 2, v1::ATTEMPT_STATE_SUCCEEDED, 0.5));
  EXPECT_EQ(Trial("gang/0").state(), v1::TRIAL_STATE_RUNNING);

  Report(End("w2", two, 1, v1::ATTEMPT_STATE_SUCCEEDED, 7));

  EXPECT_EQ(Trial("gang/0").state(), v1::TRIAL_STATE_COMPLETE);
  EXPECT_DOUBLE_EQ(Trial("gang/0").values(0), 0.5);
}

TEST_F(ReportTest, TheMedianPrunerEndsATrialThatIsWorseThanTheMedian) {
  v1::StudySpec spec = Spec(3);
  spec.mutable_pruner()->set_name("median");
  ASSERT_TRUE(Submit("a", spec).ok());
  RunToEnd("w1", 0.1);
  RunToEnd("w1", 0.2);
  const v1::Offer offer = AcceptNext("w1");
  TakeInbox(sessions_["w1"]);
  Report(Points("w1", offer, 1, 10, 0.9));
  const auto inbox = TakeInbox(sessions_["w1"]);
  ASSERT_FALSE(inbox.empty());
  EXPECT_EQ(inbox.back().command().command().action(), v1::Command::ACTION_PRUNE);

  Report(End("w1", offer, 2, v1::ATTEMPT_STATE_PRUNED));

  EXPECT_EQ(Trial("a/2").state(), v1::TRIAL_STATE_PRUNED);
  EXPECT_DOUBLE_EQ(Trial("a/2").values(0), 0.9);
}

TEST_F(ReportTest, CompletedRungsAreStoredWithTheReportAndSurviveARestart) {
  v1::StudySpec spec = Spec(2);
  spec.mutable_pruner()->set_name("successive_halving");
  spec.mutable_pruner()->set_min_resource(10);
  spec.mutable_pruner()->set_reduction_factor(2);
  const v1::Offer first = Begin(spec);
  Report(Points("w1", first, 1, 10, 0.25));
  EXPECT_EQ(store_.Load().trials[0].system_attributes().at("completed_rung_0"), "0.25");
  Report(End("w1", first, 2, v1::ATTEMPT_STATE_SUCCEEDED, 0.25));
  std::erase_if(leases_["w1"], [](const auto&) { return true; });

  Restart();
  Attach("w1", 1);
  const v1::Offer second = AcceptNext("w1");
  TakeInbox(sessions_["w1"]);
  Report(Points("w1", second, 1, 10, 0.75));

  const auto inbox = TakeInbox(sessions_["w1"]);
  ASSERT_FALSE(inbox.empty());
  EXPECT_EQ(inbox.back().command().command().action(), v1::Command::ACTION_PRUNE);
  EXPECT_EQ(Trial("a/1").system_attributes().at("completed_rung_0"), "0.75");
}

TEST_F(ReportTest, SeveralValidationsOfABatchAreJudgedOneByOne) {
  v1::StudySpec spec = Spec(1);
  spec.mutable_pruner()->set_name("threshold");
  spec.mutable_pruner()->set_upper(1);
  const v1::Offer offer = Begin(spec);
  TakeInbox(sessions_["w1"]);
  v1::ReportBatch batch = Points("w1", offer, 1, 10, 5);
  batch.mutable_report()->add_validations()->set_step(20);  // Its value, 0, is within bounds.

  Report(batch);

  const auto inbox = TakeInbox(sessions_["w1"]);
  ASSERT_FALSE(inbox.empty());
  EXPECT_EQ(inbox.back().command().command().action(), v1::Command::ACTION_PRUNE);
}

TEST_F(ReportTest, IntermediateValuesAreKeptByStepAndTheFirstOneStays) {
  const v1::Offer offer = Begin(Spec(1));
  Report(Points("w1", offer, 1, 20, 0.5));
  Report(Points("w1", offer, 2, 10, 0.6));
  Report(Points("w1", offer, 3, 20, 0.7));
  const v1::Trial trial = Trial("a/0");
  ASSERT_EQ(trial.intermediate_values_size(), 2);
  EXPECT_EQ(trial.intermediate_values(0).step(), 10);
  EXPECT_DOUBLE_EQ(trial.intermediate_values(1).value(), 0.5);
}

TEST_F(ReportTest, TheNextAttemptStartsFromTheNewestCheckpoint) {
  const v1::Offer offer = Begin(Spec(1));
  v1::ReportBatch batch = Points("w1", offer, 1, 20, 0.5);
  AddCheckpoint(&batch, 10, "aa");
  AddCheckpoint(&batch, 20, "bb");
  Report(batch);
  Report(Failure("w1", offer, 2, v1::FAILURE_CLASS_UNKNOWN));
  Advance(absl::Seconds(2));

  const auto offers = TakeOffers(sessions_["w1"]);
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].resume_from().step(), 20);
  EXPECT_EQ(offers[0].resume_from().worker_id(), "w1");
}

TEST_F(ReportTest, OnlyTheNewestCheckpointsAreKept) {
  const v1::Offer offer = Begin(Spec(1));
  for (int i = 1; i <= 4; ++i) {
    v1::ReportBatch batch = Batch("w1", offer, i);
    AddCheckpoint(&batch, 10 * i, "hash");
    Report(batch);
  }
  EXPECT_EQ(store_.checkpoints().size(), 2u);
  EXPECT_EQ(Trial("a/0").checkpoint().step(), 40);
}

TEST_F(ReportTest, ADamagedCheckpointIsForgotten) {
  const v1::Offer offer = Begin(Spec(1));
  v1::ReportBatch batch = Batch("w1", offer, 1);
  AddCheckpoint(&batch, 10, "aa");
  AddCheckpoint(&batch, 20, "bb");
  Report(batch);
  Step({core::Call{0, CheckpointDamaged{Trial("a/0").checkpoint().checkpoint_id()}}});
  EXPECT_EQ(Trial("a/0").checkpoint().step(), 10);
  EXPECT_EQ(store_.checkpoints().size(), 1u);
}

TEST_F(ReportTest, LogLinesAreNumberedPerTrial) {
  const v1::Offer offer = Begin(Spec(1));
  for (int i = 1; i <= 2; ++i) {
    v1::ReportBatch batch = Batch("w1", offer, i);
    batch.mutable_report()->add_log_lines()->set_text("line");
    batch.mutable_report()->add_log_lines()->set_text("line");
    Report(batch);
  }
  EXPECT_EQ(store_.Load().log_marks, (std::vector<std::pair<int64_t, int64_t>>{{1, 4}}));
  EXPECT_EQ(Trial("a/0").last_log_lines_size(), 4);
}

TEST_F(ReportTest, ProgressIsPublishedAtMostFiveTimesASecond) {
  const v1::Offer offer = Begin(Spec(1));
  published_.clear();
  for (int i = 1; i <= 10; ++i) {
    clock_.Advance(absl::Milliseconds(50));
    Report(Points("w1", offer, i, i, 0.5));
  }
  const auto progress = std::count_if(published_.begin(), published_.end(),
                                      [](const auto& e) { return e.kind() == "trial.progress"; });
  EXPECT_GE(progress, 2);
  EXPECT_LE(progress, 3);
  EXPECT_DOUBLE_EQ(published_.back().trial().last_points().at("val_loss"), 0.5);
}

}  // namespace
}  // namespace vlm::core
