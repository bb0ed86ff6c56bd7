#include "tests/client/fake_worker.h"

#include "common/channel.h"
#include "common/hash.h"
#include "common/ids.h"

namespace vlm::client {
namespace {

constexpr char kWorkerId[] = "fake-worker";

}  // namespace

FakeWorker::FakeWorker(const std::string& addr, int slots) : slots_(slots) {
  Attach(addr, nullptr);
}

FakeWorker::~FakeWorker() { Detach(); }

void FakeWorker::Reattach(const std::string& addr, const v1::Offer& held) {
  Detach();
  Attach(addr, &held);
}

void FakeWorker::Detach() {
  attach_context_->TryCancel();
  report_context_->TryCancel();
  thread_.join();
}

void FakeWorker::Attach(const std::string& addr, const v1::Offer* held) {
  attach_.reset();
  reports_.reset();
  attach_context_ = std::make_unique<grpc::ClientContext>();
  report_context_ = std::make_unique<grpc::ClientContext>();
  fleet_ = v1::Fleet::NewStub(MakeChannel(addr));
  attach_ = fleet_->Attach(attach_context_.get());
  reports_ = fleet_->Report(report_context_.get());
  v1::WorkerMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_worker_id(kWorkerId);
  hello.set_name("fake");
  hello.set_version("0.1.0");
  hello.set_address("127.0.0.1");
  hello.set_session_id(NewUuid());
  for (int i = 0; i < slots_; ++i) {
    v1::Slot& slot = *hello.add_slots();
    slot.set_index(i);
    slot.set_kind(v1::SLOT_KIND_CPU);
    slot.set_device("cpu");
    slot.set_model("a processor");
  }
  if (held != nullptr) {
    v1::HeldLease& lease = *hello.add_leases();
    lease.set_attempt_id(held->attempt_id());
    lease.set_epoch(held->epoch());
    lease.set_node(held->node());
    *lease.mutable_slots() = held->slots();
    lease.set_last_acked_sequence(sequences_[held->attempt_id()]);
  }
  Send(message);
  thread_ = std::thread([this] { ReadLoop(); });
}

void FakeWorker::Send(const v1::WorkerMessage& message) {
  MutexLock lock(write_mutex_);
  attach_->Write(message);
}

void FakeWorker::ReadLoop() {
  v1::CoordinatorMessage message;
  while (attach_->Read(&message)) {
    if (message.has_offer()) {
      v1::WorkerMessage reply;
      reply.mutable_offer_reply()->set_attempt_id(message.offer().attempt_id());
      reply.mutable_offer_reply()->set_epoch(message.offer().epoch());
      reply.mutable_offer_reply()->set_accepted(true);
      {
        MutexLock lock(mutex_);
        offers_[message.offer().attempt_id()] = message.offer();
      }
      Send(reply);
    } else if (message.has_start()) {
      MutexLock lock(mutex_);
      started_.push_back(offers_[message.start().attempt_id()]);
      changed_.NotifyAll();
    }
  }
}

v1::Offer FakeWorker::NextStarted(absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  MutexLock lock(mutex_);
  while (started_.empty() && absl::Now() < end) changed_.WaitFor(mutex_, end - absl::Now());
  if (started_.empty()) return {};
  v1::Offer offer = started_.front();
  started_.pop_front();
  return offer;
}

bool FakeWorker::Report(const v1::Offer& offer, v1::Report report) {
  v1::ReportBatch batch;
  batch.set_worker_id(kWorkerId);
  batch.set_attempt_id(offer.attempt_id());
  batch.set_epoch(offer.epoch());
  batch.set_node(offer.node());
  const int64_t sequence = ++sequences_[offer.attempt_id()];
  report.set_sequence(sequence);
  *batch.mutable_report() = std::move(report);
  if (!reports_->Write(batch)) return false;
  v1::ReportAck ack;
  while (reports_->Read(&ack)) {
    if (ack.fenced()) return false;
    if (ack.attempt_id() == offer.attempt_id() && ack.sequence() >= sequence) return true;
  }
  return false;
}

bool FakeWorker::Upload(const v1::Offer& offer, const std::string& id, const std::string& bytes) {
  v1::Report report;
  v1::Checkpoint& checkpoint = *report.add_checkpoints();
  checkpoint.set_checkpoint_id(id);
  checkpoint.set_trial_id(offer.trial_id());
  checkpoint.set_attempt_id(offer.attempt_id());
  checkpoint.set_step(100);
  checkpoint.set_sha256(Sha256(bytes));
  checkpoint.set_size_bytes(static_cast<int64_t>(bytes.size()));
  checkpoint.set_uri("file:///gone/" + id);
  checkpoint.set_worker_id(kWorkerId);
  const v1::Checkpoint kept = checkpoint;
  report.set_last_step(100);
  report.set_total_steps(100);
  if (!Report(offer, report)) return false;
  v1::UploadCheckpointResponse response;
  const auto context = MakeContext();
  const auto writer = fleet_->UploadCheckpoint(context.get(), &response);
  v1::UploadCheckpointRequest request;
  request.mutable_header()->set_worker_id(kWorkerId);
  request.mutable_header()->set_epoch(offer.epoch());
  *request.mutable_header()->mutable_checkpoint() = kept;
  writer->Write(request);
  for (size_t at = 0; at < bytes.size(); at += 1 << 20) {
    request.mutable_chunk()->set_offset(static_cast<int64_t>(at));
    request.mutable_chunk()->set_data(bytes.substr(at, 1 << 20));
    writer->Write(request);
  }
  writer->WritesDone();
  return writer->Finish().ok();
}

bool FakeWorker::RunTrial(const v1::Offer& offer, double value) {
  v1::Report report;
  report.set_last_step(100);
  report.set_total_steps(100);
  for (const char* name : {"train_loss", "val_loss"}) {
    v1::Series& series = *report.add_series();
    series.set_name(name);
    for (int step = 10; step <= 100; step += 10) {
      v1::Point& point = *series.add_points();
      point.set_step(step);
      point.set_value(value + 100.0 / step);
      point.set_time_ms(1'700'000'000'000 + step);
    }
  }
  for (const char* text : {"first line", "a \x1b[31mred\x1b[0m line", "last line"}) {
    v1::LogLine& line = *report.add_log_lines();
    line.set_text(text);
    line.set_stream("stdout");
    line.set_time_ms(1'700'000'000'000);
  }
  for (int window = 0; window < 2; ++window) {
    v1::PhaseSummary& phases = *report.add_phases();
    phases.set_first_step(window * 50 + 1);
    phases.set_last_step(window * 50 + 50);
    phases.set_forward_ms(30);
    phases.set_backward_ms(60);
    phases.set_other_ms(10);
    phases.set_wall_ms(100);
  }
  v1::ProfileSummary& profile = *report.add_profiles();
  profile.set_attempt_id(offer.attempt_id());
  profile.set_first_step(3);
  profile.set_last_step(5);
  profile.set_trace_file("host.1.pt.trace.json.gz");
  v1::OperatorSummary& op = *profile.add_operators();
  op.set_name("aten::addmm");
  op.set_count(12);
  op.set_self_cpu_us(500);
  op.set_total_cpu_us(700);
  if (!Report(offer, report)) return false;
  const std::string id = "ckpt-" + std::to_string(offer.attempt_id()) + "-100";
  if (!Upload(offer, id, std::string(3 << 20, 'w'))) return false;
  v1::Report last;
  last.set_last_step(100);
  last.set_total_steps(100);
  last.mutable_outcome()->set_state(v1::ATTEMPT_STATE_SUCCEEDED);
  last.mutable_outcome()->add_values(value);
  return Report(offer, last);
}

}  // namespace vlm::client
