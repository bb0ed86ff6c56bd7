// Watch and TailLogs: from the present, resumed, followed, and given up.
#include "tests/contract/coordinator_fixture.h"

namespace vlm {
namespace {

class WatchTest : public CoordinatorFixture {
 protected:
  struct Reader {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> stream;
    ~Reader() { context.TryCancel(); }
    v1::WatchResponse Read() {
      v1::WatchResponse response;
      EXPECT_TRUE(stream->Read(&response)) << "the watch has ended";
      return response;
    }
    // The next event of this kind.
    v1::Event Find(const std::string& kind) {
      for (int i = 0; i < 1000; ++i) {
        const v1::WatchResponse response = Read();
        for (const v1::Event& event : response.events()) {
          if (event.kind() == kind) return event;
        }
      }
      return {};
    }
  };
  std::unique_ptr<Reader> Watch(int64_t sequence, const std::string& study = "") {
    auto reader = std::make_unique<Reader>();
    v1::WatchRequest request;
    request.set_sequence(sequence);
    request.set_study(study);
    reader->stream = control_->Watch(&reader->context, request);
    return reader;
  }
};

TEST_F(WatchTest, StartsWithThePresentStateAndGoesOnWithChanges) {
  Submit("a");
  auto watch = Watch(0, "a");
  const v1::WatchResponse first = watch->Read();
  ASSERT_GE(first.events_size(), 1);
  EXPECT_EQ(first.events(0).study().name(), "a");

  v1::UpdateStudyRequest pause;
  pause.set_study("a");
  pause.set_action(v1::UpdateStudyRequest::ACTION_PAUSE);
  v1::UpdateStudyResponse response;
  ASSERT_TRUE(Call(&v1::Control::Stub::UpdateStudy, pause, &response).ok());

  EXPECT_EQ(watch->Find("study.state").study().state(), v1::STUDY_STATE_PAUSED);
}

TEST_F(WatchTest, ResumesWithoutGapOrRepetition) {
  Submit("a");
  const int64_t seen = Watch(0)->Read().sequence();
  Submit("b");
  Submit("c");
  const v1::WatchResponse missed = Watch(seen)->Read();
  ASSERT_EQ(missed.events_size(), 2);
  EXPECT_EQ(missed.events(0).study().name(), "b");
  EXPECT_EQ(missed.events(1).study().name(), "c");
}

TEST_F(WatchTest, ResumesOverARestart) {
  Submit("a");
  const int64_t seen = Watch(0)->Read().sequence();
  Submit("b");
  Stop();
  Start();
  EXPECT_EQ(Watch(seen)->Read().events(0).study().name(), "b");
}

TEST_F(WatchTest, ASequenceOfTheFutureIsOutOfRange) {
  auto watch = Watch(1'000'000);
  v1::WatchResponse response;
  EXPECT_FALSE(watch->stream->Read(&response));
  EXPECT_EQ(watch->stream->Finish().error_code(), grpc::StatusCode::OUT_OF_RANGE);
}

TEST_F(WatchTest, AnUnknownStudyIsNotFound) {
  auto watch = Watch(0, "none");
  v1::WatchResponse response;
  EXPECT_FALSE(watch->stream->Read(&response));
  EXPECT_EQ(watch->stream->Finish().error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(WatchTest, ProgressShowsCurrentLosses) {
  ScriptedWorker worker(channel_, "w1");
  worker.Hello();
  Submit("a", 1);
  auto watch = Watch(0, "a");
  watch->Read();
  worker.RunTrial(0.25);
  const v1::Event event = watch->Find("trial.progress");
  EXPECT_DOUBLE_EQ(event.trial().last_points().at("val_loss"), 0.25);
  EXPECT_EQ(event.trial().total_steps(), 100);
  EXPECT_DOUBLE_EQ(watch->Find("study.best").study().best_value(), 0.25);
}

TEST_F(WatchTest, WatchersThatLeaveAtOnceDoNoHarm) {
  Submit("a");
  for (int i = 0; i < 50; ++i) {
    auto watch = Watch(0, i % 2 == 0 ? "a" : "");
    watch->context.TryCancel();
  }
  EXPECT_EQ(Watch(0, "a")->Read().events(0).study().name(), "a");
}

TEST_F(WatchTest, ASlowFollowerGetsEveryLineAtItsOwnPace) {
  ScriptedWorker worker(channel_, "w1");
  worker.Hello();
  Submit("a", 1);
  const v1::Offer offer = worker.ReceiveOffer();
  worker.Accept(offer);
  worker.Receive();
  v1::TailLogsRequest request;
  request.set_trial("a/0");
  request.set_follow(true);
  grpc::ClientContext context;
  auto slow = control_->TailLogs(&context, request);
  // It reads nothing while 64 MiB of lines are written.
  for (int i = 1; i <= 64; ++i) {
    v1::ReportBatch batch = worker.Batch(offer, i);
    for (int line = 0; line < 64; ++line) {
      batch.mutable_report()->add_log_lines()->set_text(std::string(16'000, 'x'));
    }
    ASSERT_EQ(worker.Report(batch).sequence(), i);
  }
  v1::ReportBatch end = worker.Batch(offer, 65);
  end.mutable_report()->mutable_outcome()->set_state(v1::ATTEMPT_STATE_STOPPED);
  worker.Report(end);
  int64_t last = 0;
  v1::TailLogsResponse response;
  while (slow->Read(&response)) {
    for (const auto& line : response.lines()) EXPECT_EQ(line.sequence(), ++last);
  }
  EXPECT_TRUE(slow->Finish().ok());
  EXPECT_EQ(last, 64 * 64);
}

TEST_F(WatchTest, FollowedLogsEndWithTheTrial) {
  ScriptedWorker worker(channel_, "w1");
  worker.Hello();
  Submit("a", 1);
  const v1::Offer offer = worker.ReceiveOffer();
  grpc::ClientContext context;
  v1::TailLogsRequest request;
  request.set_trial("a/0");
  request.set_follow(true);
  auto stream = control_->TailLogs(&context, request);
  worker.Accept(offer);
  worker.Receive();
  v1::ReportBatch batch = worker.Batch(offer, 1);
  batch.mutable_report()->add_log_lines()->set_text("first");
  batch.mutable_report()->add_log_lines()->set_text("second");
  worker.Report(batch);
  v1::ReportBatch end = worker.Batch(offer, 2);
  end.mutable_report()->mutable_outcome()->set_state(v1::ATTEMPT_STATE_SUCCEEDED);
  end.mutable_report()->mutable_outcome()->add_values(1);
  worker.Report(end);

  std::vector<std::string> lines;
  v1::TailLogsResponse response;
  while (stream->Read(&response)) {
    for (const auto& line : response.lines()) lines.push_back(line.text());
  }
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_EQ(lines, (std::vector<std::string>{"first", "second"}));
}

TEST_F(WatchTest, LogFollowersThatLeaveAtOnceDoNoHarm) {
  Submit("a");
  v1::EnqueueTrialRequest enqueue;
  enqueue.set_study("a");
  v1::EnqueueTrialResponse enqueued;
  ASSERT_TRUE(Call(&v1::Control::Stub::EnqueueTrial, enqueue, &enqueued).ok());
  for (int i = 0; i < 50; ++i) {
    grpc::ClientContext context;
    v1::TailLogsRequest request;
    request.set_trial("a/0");
    request.set_follow(true);
    auto stream = control_->TailLogs(&context, request);
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_WAITING);
}

}  // namespace
}  // namespace vlm
