// vlm.v1.Fleet's session and reports with a scripted worker.
#include "tests/contract/coordinator_fixture.h"

namespace vlm {
namespace {

class AttachTest : public CoordinatorFixture {
 protected:
  ScriptedWorker worker_{channel_, "w1"};
};

TEST_F(AttachTest, HelloIsAnsweredWithTheRules) {
  const v1::HelloAck ack = worker_.Hello();
  EXPECT_GT(ack.beat_interval_s(), 0);
  EXPECT_GT(ack.lease_s(), ack.beat_interval_s());
}

TEST_F(AttachTest, AWholeTrialFromSubmitToComplete) {
  worker_.Hello();
  Submit("a", 1);
  const v1::Offer offer = worker_.RunTrial(0.25);

  EXPECT_EQ(offer.config().input_path(), "/data/pictures.csv");
  const v1::Trial trial = Trial("a/0");
  EXPECT_EQ(trial.state(), v1::TRIAL_STATE_COMPLETE);
  EXPECT_DOUBLE_EQ(trial.values(0), 0.25);
  EXPECT_EQ(trial.attempts(0).state(), v1::ATTEMPT_STATE_SUCCEEDED);
  v1::GetStudyRequest request;
  request.set_study("a");
  v1::GetStudyResponse response;
  ASSERT_TRUE(Call(&v1::Control::Stub::GetStudy, request, &response).ok());
  EXPECT_EQ(response.study().state(), v1::STUDY_STATE_COMPLETED);
}

TEST_F(AttachTest, MetricsLogsAndProfilesOfATrialCanBeRead) {
  worker_.Hello();
  Submit("a", 1);
  worker_.RunTrial(0.25);
  v1::ReadMetricsRequest metrics;
  metrics.set_trial("a/0");
  v1::ReadMetricsResponse series;
  ASSERT_TRUE(Call(&v1::Control::Stub::ReadMetrics, metrics, &series).ok());
  EXPECT_DOUBLE_EQ(series.series(0).points(0).value(), 0.25);
  v1::GetProfileRequest profile;
  profile.set_trial("a/0");
  v1::GetProfileResponse profiles;
  ASSERT_TRUE(Call(&v1::Control::Stub::GetProfile, profile, &profiles).ok());
  EXPECT_EQ(profiles.profiles(0).trace_file(), "t.json.gz");
  EXPECT_DOUBLE_EQ(profiles.phases(0).wall_ms(), 12);
  EXPECT_EQ(Trial("a/0").last_log_lines(0), "hello from rank 0");
}

TEST_F(AttachTest, TheLogTailOutlivesARestart) {
  worker_.Hello();
  Submit("a", 1);
  worker_.RunTrial(0.25);
  Stop();
  Start();
  EXPECT_EQ(Trial("a/0").last_log_lines(0), "hello from rank 0");
}

TEST_F(AttachTest, AFirstMessageThatIsNoHelloEndsTheStream) {
  v1::WorkerMessage message;
  message.mutable_beat();
  worker_.Send(message);
  EXPECT_EQ(worker_.FinishAttach().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(AttachTest, ASecondAgentWithTheSameIdIsRefused) {
  worker_.Hello();
  ScriptedWorker second(channel_, "w1");
  v1::WorkerMessage message;
  message.mutable_hello()->set_worker_id("w1");
  message.mutable_hello()->set_session_id("another");
  message.mutable_hello()->add_slots();
  second.Send(message);
  EXPECT_EQ(second.FinishAttach().error_code(), grpc::StatusCode::ALREADY_EXISTS);
}

TEST_F(AttachTest, AStaleReportIsFencedInBand) {
  worker_.Hello();
  Submit("a", 1);
  v1::Offer offer = worker_.ReceiveOffer();
  offer.set_epoch(5);
  EXPECT_TRUE(worker_.Report(worker_.Batch(offer, 1)).fenced());
}

TEST_F(AttachTest, ABrokenStreamIsNoticedAndTheTrialRunsAgain) {
  {
    ScriptedWorker doomed(channel_, "w0");
    doomed.Hello();
    Submit("a", 1);
    doomed.Accept(doomed.ReceiveOffer());
  }
  worker_.Hello();
  const v1::Offer offer = worker_.ReceiveOffer();
  EXPECT_EQ(offer.epoch(), 2);
  EXPECT_EQ(Trial("a/0").attempts(0).state(), v1::ATTEMPT_STATE_LOST);
}

TEST_F(AttachTest, ARestartedCoordinatorTakesTheAttemptUpAgain) {
  worker_.Hello();
  Submit("a", 1);
  const v1::Offer offer = worker_.ReceiveOffer();
  worker_.Accept(offer);
  worker_.Receive();
  ASSERT_EQ(worker_.Report(worker_.Batch(offer, 1)).sequence(), 1);
  Stop();
  Start();

  ScriptedWorker again(channel_, "w1");
  EXPECT_EQ(again.Hello(1, &offer).fenced_size(), 0);
  EXPECT_EQ(again.Report(again.Batch(offer, 1)).sequence(), 1);
  v1::ReportBatch end = again.Batch(offer, 2);
  end.mutable_report()->mutable_outcome()->set_state(v1::ATTEMPT_STATE_SUCCEEDED);
  end.mutable_report()->mutable_outcome()->add_values(1);
  EXPECT_EQ(again.Report(end).sequence(), 2);
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_COMPLETE);
}

TEST_F(AttachTest, StoppingTheCoordinatorEndsStreamsAsUnavailable) {
  worker_.Hello();
  Stop();
  EXPECT_EQ(worker_.FinishAttach().error_code(), grpc::StatusCode::UNAVAILABLE);
}

}  // namespace
}  // namespace vlm
