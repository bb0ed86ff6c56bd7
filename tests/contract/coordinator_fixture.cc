#include "tests/contract/coordinator_fixture.h"

#include "absl/strings/str_cat.h"

namespace vlm {

std::string SampleYaml(int n_trials) {
  return absl::StrCat(
      "input_path: /data/pictures.csv\nhyperparameter_tuning: true\nn_trials: ", n_trials,
      "\ncuda_enabled: false\nstudy:\n  sampler: random\n  pruner: none\n"
      "  search_space:\n    learning_rate: {type: float, low: 0.001, high: 0.01}\n");
}

ScriptedWorker::ScriptedWorker(const std::shared_ptr<grpc::Channel>& channel, std::string id)
    : fleet_(v1::Fleet::NewStub(channel)), id_(std::move(id)) {
  attach_ = fleet_->Attach(&attach_context_);
  report_ = fleet_->Report(&report_context_);
}

ScriptedWorker::~ScriptedWorker() {
  attach_context_.TryCancel();
  report_context_.TryCancel();
  if (!attach_finished_) attach_->Finish();
  report_->Finish();
}

v1::HelloAck ScriptedWorker::Hello(int slots, const v1::Offer* held) {
  v1::WorkerMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_worker_id(id_);
  hello.set_name(id_);
  hello.set_session_id(id_ + "-1");
  for (int i = 0; i < slots; ++i) {
    hello.add_slots()->set_index(i);
    hello.mutable_slots(i)->set_kind(v1::SLOT_KIND_CPU);
  }
  if (held != nullptr) {
    hello.add_leases()->set_attempt_id(held->attempt_id());
    hello.mutable_leases(0)->set_epoch(held->epoch());
  }
  Send(message);
  return Receive().hello_ack();
}

v1::CoordinatorMessage ScriptedWorker::Receive() {
  v1::CoordinatorMessage message;
  EXPECT_TRUE(attach_->Read(&message)) << "the Attach stream has ended";
  return message;
}

v1::Offer ScriptedWorker::ReceiveOffer() {
  for (int i = 0; i < 100; ++i) {
    const v1::CoordinatorMessage message = Receive();
    if (message.has_offer()) return message.offer();
    if (!message.has_beat_ack() && !message.has_start() && !message.has_fenced()) break;
  }
  ADD_FAILURE() << "no offer came";
  return {};
}

void ScriptedWorker::Accept(const v1::Offer& offer) {
  v1::WorkerMessage message;
  message.mutable_offer_reply()->set_attempt_id(offer.attempt_id());
  message.mutable_offer_reply()->set_epoch(offer.epoch());
  message.mutable_offer_reply()->set_accepted(true);
  Send(message);
}

v1::ReportBatch ScriptedWorker::Batch(const v1::Offer& offer, int64_t sequence) const {
  v1::ReportBatch batch;
  batch.set_worker_id(id_);
  batch.set_attempt_id(offer.attempt_id());
  batch.set_epoch(offer.epoch());
  batch.mutable_report()->set_sequence(sequence);
  batch.mutable_report()->set_last_step(sequence * 10);
  batch.mutable_report()->set_total_steps(100);
  return batch;
}

v1::ReportAck ScriptedWorker::Report(const v1::ReportBatch& batch) {
  v1::ReportAck ack;
  EXPECT_TRUE(report_->Write(batch));
  EXPECT_TRUE(report_->Read(&ack)) << "the Report stream has ended";
  return ack;
}

v1::Offer ScriptedWorker::RunTrial(double value) {
  const v1::Offer offer = ReceiveOffer();
  Accept(offer);
  EXPECT_TRUE(Receive().has_start());
  v1::ReportBatch points = Batch(offer, 1);
  v1::Series* series = points.mutable_report()->add_series();
  series->set_name("val_loss");
  series->add_points()->set_step(10);
  series->mutable_points(0)->set_value(value);
  points.mutable_report()->add_validations()->set_step(10);
  points.mutable_report()->mutable_validations(0)->set_value(value);
  points.mutable_report()->add_log_lines()->set_text("hello from rank 0");
  points.mutable_report()->add_phases()->set_wall_ms(12);
  points.mutable_report()->add_profiles()->set_trace_file("t.json.gz");
  EXPECT_EQ(Report(points).sequence(), 1);
  v1::ReportBatch end = Batch(offer, 2);
  end.mutable_report()->mutable_outcome()->set_state(v1::ATTEMPT_STATE_SUCCEEDED);
  end.mutable_report()->mutable_outcome()->add_values(value);
  EXPECT_EQ(Report(end).sequence(), 2);
  return offer;
}

grpc::Status ScriptedWorker::FinishAttach() {
  v1::CoordinatorMessage message;
  while (attach_->Read(&message)) {
  }
  attach_finished_ = true;
  return attach_->Finish();
}

CoordinatorFixture::CoordinatorFixture() {
  options_.data_dir = dir_ / "data";
  options_.listen = {"127.0.0.1:0"};
  Start();
}

void CoordinatorFixture::Start() {
  auto started = server::Coordinator::Start(options_);
  ASSERT_TRUE(started.ok()) << started.status();
  coordinator_ = *std::move(started);
  channel_ = MakeChannel(coordinator_->addresses().front());
  control_ = v1::Control::NewStub(channel_);
  fleet_ = v1::Fleet::NewStub(channel_);
}

v1::SubmitRequest CoordinatorFixture::SampleSubmit(const std::string& name, int n_trials) const {
  v1::SubmitRequest request;
  request.set_name(name);
  request.set_config_text(SampleYaml(n_trials));
  request.set_config_path("/home/ann/a.yaml");
  return request;
}

v1::Study CoordinatorFixture::Submit(const std::string& name, int n_trials) {
  v1::SubmitResponse response;
  const auto status =
      control_->Submit(MakeContext().get(), SampleSubmit(name, n_trials), &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.study();
}

v1::Trial CoordinatorFixture::Trial(const std::string& name) {
  v1::GetTrialRequest request;
  request.set_trial(name);
  v1::GetTrialResponse response;
  const auto status = control_->GetTrial(MakeContext().get(), request, &response);
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.trial();
}

}  // namespace vlm
