#include "tests/core/core_fixture.h"

namespace vlm::core {

void CoreFixture::Start() {
  core_.reset();
  inbox_.clear();
  sessions_.clear();
  Output at_start;
  core_ = std::make_unique<Core>(options_, store_.Load(), Now{clock_.Monotonic(), clock_.Wall()},
                                 &at_start);
  std::vector<Input> next;
  Take(std::move(at_start), &next);
}

void CoreFixture::Step(std::vector<Input> inputs) {
  while (true) {
    std::vector<Input> next;
    Take(core_->Step({clock_.Monotonic(), clock_.Wall()}, std::move(inputs)), &next);
    if (next.empty()) return;
    inputs = std::move(next);
  }
}

void CoreFixture::Advance(absl::Duration d) {
  clock_.Advance(d);
  Step({Tick{}});
}

void CoreFixture::Take(Output output, std::vector<Input>* next) {
  store_.Apply(output.batch);
  for (Effect& effect : output.effects) {
    if (auto* reply = std::get_if<Reply>(&effect)) {
      replies_[reply->token] = *reply;
    } else if (auto* push = std::get_if<Push>(&effect)) {
      inbox_[push->session].push_back(push->message);
    } else if (auto* close = std::get_if<CloseSession>(&effect)) {
      closed_[close->session] = close->status;
    } else if (auto* ack = std::get_if<Ack>(&effect)) {
      acks_.push_back(ack->ack);
    } else if (auto* publish = std::get_if<Publish>(&effect)) {
      published_.push_back(publish->event);
    } else if (auto* ask = std::get_if<SearchAsk>(&effect)) {
      questions_.push_back(*ask);
      if (answer_questions_) next->push_back(AnswerTo(*ask));
    }
  }
}

// Every value is the lowest of its range, or what a person fixed.
Input CoreFixture::AnswerTo(const SearchAsk& ask) {
  Suggestion suggestion{ask.study_id, ask.number, std::vector<v1::Param>(), "state"};
  std::vector<v1::Param> params;
  for (const v1::SearchParam& searched :
       core_->state().studies.at(ask.study_id).spec.search_space()) {
    v1::Param& param = params.emplace_back();
    param.set_name(searched.name());
    *param.mutable_distribution() = searched.distribution();
    const auto fixed = ask.fixed.find(searched.name());
    const double low = searched.distribution().float_distribution().low();
    *param.mutable_value() = *search::ToExternal(searched.distribution(),
                                                 fixed == ask.fixed.end() ? low : fixed->second);
  }
  suggestion.params = std::move(params);
  return suggestion;
}

v1::StudySpec CoreFixture::Spec(int n_trials) {
  v1::StudySpec spec;
  spec.set_n_trials(n_trials);
  spec.set_metric("val_loss");
  spec.add_directions(v1::DIRECTION_MINIMIZE);
  spec.mutable_train()->set_input_path("/data/pictures.csv");
  spec.mutable_train()->mutable_resources()->set_world_size(1);
  spec.mutable_train()->mutable_resources()->set_device(v1::DEVICE_KIND_CPU);
  spec.mutable_train()->mutable_checkpoint()->set_keep(2);
  spec.mutable_pruner()->set_name("none");
  spec.mutable_retry()->set_infra(5);
  spec.mutable_retry()->set_out_of_memory(1);
  spec.mutable_retry()->set_unknown(2);
  spec.mutable_retry()->set_backoff_s(1);
  v1::SearchParam* rate = spec.add_search_space();
  rate->set_name("learning_rate");
  auto* range = rate->mutable_distribution()->mutable_float_distribution();
  range->set_low(0.001);
  range->set_high(0.01);
  return spec;
}

absl::StatusOr<v1::Study> CoreFixture::Submit(const std::string& name, const v1::StudySpec& spec) {
  SubmitCall call;
  call.request.set_name(name);
  call.spec = spec;
  auto response = Call<v1::SubmitResponse>(call);
  if (!response.ok()) return response.status();
  return response->study();
}

v1::Trial CoreFixture::Trial(const std::string& name) {
  v1::GetTrialRequest request;
  request.set_trial(name);
  auto response = Call<v1::GetTrialResponse>(request);
  EXPECT_TRUE(response.ok()) << response.status();
  return response.ok() ? response->trial() : v1::Trial();
}

v1::Study CoreFixture::Study(const std::string& name) {
  v1::GetStudyRequest request;
  request.set_study(name);
  auto response = Call<v1::GetStudyResponse>(request);
  EXPECT_TRUE(response.ok()) << response.status();
  return response.ok() ? response->study() : v1::Study();
}

v1::Hello CoreFixture::MakeHello(const std::string& worker, int slots) {
  v1::Hello hello;
  hello.set_worker_id(worker);
  hello.set_name(worker);
  hello.set_session_id(worker + "-process");
  for (int i = 0; i < slots; ++i) {
    v1::Slot* slot = hello.add_slots();
    slot->set_index(i);
    slot->set_kind(v1::SLOT_KIND_CPU);
  }
  for (const v1::HeldLease& lease : leases_[worker]) *hello.add_leases() = lease;
  return hello;
}

SessionId CoreFixture::Attach(const std::string& worker, int slots) {
  const SessionId session = ++last_session_;
  sessions_[worker] = session;
  v1::WorkerMessage message;
  *message.mutable_hello() = MakeHello(worker, slots);
  Send(session, message);
  return session;
}

void CoreFixture::Send(SessionId session, const v1::WorkerMessage& message) {
  Step({FromWorker{session, message}});
}

void CoreFixture::Beat(const std::string& worker) {
  v1::WorkerMessage message;
  for (const v1::HeldLease& lease : leases_[worker]) *message.mutable_beat()->add_leases() = lease;
  message.mutable_beat()->set_sequence(1);
  Send(sessions_.at(worker), message);
}

std::vector<v1::CoordinatorMessage> CoreFixture::TakeInbox(SessionId session) {
  return std::exchange(inbox_[session], {});
}

std::vector<v1::Offer> CoreFixture::TakeOffers(SessionId session) {
  std::vector<v1::Offer> offers;
  for (const v1::CoordinatorMessage& message : TakeInbox(session)) {
    if (message.has_offer()) offers.push_back(message.offer());
  }
  return offers;
}

void CoreFixture::Accept(SessionId session, const v1::Offer& offer, int port) {
  v1::WorkerMessage message;
  v1::OfferReply& reply = *message.mutable_offer_reply();
  reply.set_attempt_id(offer.attempt_id());
  reply.set_epoch(offer.epoch());
  reply.set_accepted(true);
  reply.set_rendezvous_host("10.0.0.1");
  reply.set_rendezvous_port(port);
  Send(session, message);
}

void CoreFixture::Refuse(SessionId session, const v1::Offer& offer, const std::string& reason) {
  v1::WorkerMessage message;
  v1::OfferReply& reply = *message.mutable_offer_reply();
  reply.set_attempt_id(offer.attempt_id());
  reply.set_epoch(offer.epoch());
  reply.set_reason(reason);
  Send(session, message);
}

v1::Offer CoreFixture::AcceptNext(const std::string& worker) {
  const std::vector<v1::Offer> offers = TakeOffers(sessions_.at(worker));
  EXPECT_FALSE(offers.empty()) << "no offer for " << worker;
  if (offers.empty()) return {};
  AcceptAs(worker, offers.back());
  return offers.back();
}

void CoreFixture::AcceptAs(const std::string& worker, const v1::Offer& offer) {
  v1::HeldLease lease;
  lease.set_attempt_id(offer.attempt_id());
  lease.set_epoch(offer.epoch());
  *lease.mutable_slots() = offer.slots();
  lease.set_node(offer.node());
  leases_[worker].push_back(lease);
  Accept(sessions_.at(worker), offer);
}

v1::ReportBatch CoreFixture::Batch(const std::string& worker, const v1::Offer& offer,
                                   int64_t sequence) {
  v1::ReportBatch batch;
  batch.set_worker_id(worker);
  batch.set_attempt_id(offer.attempt_id());
  batch.set_epoch(offer.epoch());
  batch.set_node(offer.node());
  batch.mutable_report()->set_sequence(sequence);
  return batch;
}

v1::ReportBatch CoreFixture::Points(const std::string& worker, const v1::Offer& offer,
                                    int64_t sequence, int64_t step, double loss) {
  v1::ReportBatch batch = Batch(worker, offer, sequence);
  v1::Report& report = *batch.mutable_report();
  report.set_last_step(step);
  report.set_total_steps(100);
  v1::Series* series = report.add_series();
  series->set_name("val_loss");
  v1::Point* point = series->add_points();
  point->set_step(step);
  point->set_value(loss);
  v1::IntermediateValue* value = report.add_validations();
  value->set_step(step);
  value->set_value(loss);
  return batch;
}

v1::ReportBatch CoreFixture::End(const std::string& worker, const v1::Offer& offer,
                                 int64_t sequence, v1::AttemptState state, double value) {
  v1::ReportBatch batch = Batch(worker, offer, sequence);
  v1::Outcome& outcome = *batch.mutable_report()->mutable_outcome();
  outcome.set_state(state);
  outcome.add_values(value);
  return batch;
}

v1::ReportBatch CoreFixture::Failure(const std::string& worker, const v1::Offer& offer,
                                     int64_t sequence, v1::FailureClass failure_class) {
  v1::ReportBatch batch = Batch(worker, offer, sequence);
  v1::Outcome& outcome = *batch.mutable_report()->mutable_outcome();
  outcome.set_state(v1::ATTEMPT_STATE_FAILED);
  outcome.set_failure_class(failure_class);
  outcome.set_reason("it broke");
  return batch;
}

v1::ReportAck CoreFixture::Report(const v1::ReportBatch& batch) {
  acks_.clear();
  Step({ReportIn{1, batch}});
  EXPECT_EQ(acks_.size(), 1u) << "every batch is answered once";
  return acks_.empty() ? v1::ReportAck() : acks_.front();
}

v1::Offer CoreFixture::RunToEnd(const std::string& worker, double value) {
  const v1::Offer offer = AcceptNext(worker);
  Report(Points(worker, offer, 1, 10, value));
  Report(End(worker, offer, 2, v1::ATTEMPT_STATE_SUCCEEDED, value));
  std::erase_if(leases_[worker],
                [&](const auto& l) { return l.attempt_id() == offer.attempt_id(); });
  return offer;
}

}  // namespace vlm::core
