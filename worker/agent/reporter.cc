#include "worker/agent/reporter.h"

#include "common/log.h"

namespace vlm::agent {
namespace {

constexpr int64_t kWindow = 64;  // Unacknowledged batches of one attempt.
constexpr absl::Duration kRetryAfter = absl::Milliseconds(200);

}  // namespace

Reporter::Reporter(Connection* connection, OnEnd on_end)
    : connection_(connection), on_end_(std::move(on_end)) {
  thread_ = std::thread([this] { Run(); });
}

Reporter::~Reporter() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
    if (context_ != nullptr) context_->TryCancel();
    changed_.NotifyAll();
  }
  thread_.join();
}

void Reporter::Add(std::shared_ptr<Delivery> delivery) {
  const int64_t id = delivery->lease().attempt_id();
  MutexLock lock(mutex_);
  deliveries_[id] = std::move(delivery);
  woken_ = true;
  changed_.NotifyAll();
}

void Reporter::Remove(int64_t attempt_id) {
  MutexLock lock(mutex_);
  deliveries_.erase(attempt_id);
}

void Reporter::Wake() {
  MutexLock lock(mutex_);
  woken_ = true;
  changed_.NotifyAll();
}

std::vector<std::shared_ptr<Delivery>> Reporter::Deliveries() const {
  MutexLock lock(mutex_);
  std::vector<std::shared_ptr<Delivery>> all;
  for (const auto& [id, delivery] : deliveries_) all.push_back(delivery);
  return all;
}

void Reporter::Run() {
  while (true) {
    {
      MutexLock lock(mutex_);
      while (!stop_ && deliveries_.empty()) changed_.Wait(mutex_);
      if (stop_) return;
    }
    const std::shared_ptr<grpc::Channel> channel = connection_->Wait(absl::Seconds(1));
    if (channel == nullptr) {
      // Nothing can be sent, but what is spooled should be safe.
      for (const auto& delivery : Deliveries()) (void)delivery->spool().Sync();
      continue;
    }
    Serve(channel);
    MutexLock lock(mutex_);
    if (!stop_) changed_.WaitFor(mutex_, kRetryAfter);
  }
}

void Reporter::Serve(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  {
    MutexLock lock(mutex_);
    if (stop_) return;
    context_ = &context;
    broken_ = false;
    woken_ = true;
  }
  for (const auto& delivery : Deliveries()) delivery->Rewind();
  const auto stub = v1::Fleet::NewStub(channel);
  const std::unique_ptr<Stream> stream = stub->Report(&context);
  std::thread acks([this, &stream] { ReadAcks(*stream); });
  bool good = true;
  while (good) {
    {
      MutexLock lock(mutex_);
      while (!woken_ && !broken_ && !stop_) changed_.Wait(mutex_);
      if (broken_ || stop_) break;
      woken_ = false;
    }
    good = WriteAll(*stream);
  }
  context.TryCancel();
  acks.join();
  const grpc::Status status = stream->Finish();
  VLM_LOG_DEBUG("report stream ended", {{"reason", status.error_message()}});
  MutexLock lock(mutex_);
  context_ = nullptr;
}

bool Reporter::WriteAll(Stream& stream) {
  bool any = true;
  while (any) {  // In turns, so that no attempt waits for another one's backlog.
    any = false;
    for (const auto& delivery : Deliveries()) {
      const auto batch = delivery->NextToSend(kWindow);
      if (!batch.has_value()) continue;
      if (!stream.Write(*batch)) return false;
      any = true;
    }
  }
  return true;
}

void Reporter::ReadAcks(Stream& stream) {
  v1::ReportAck ack;
  while (stream.Read(&ack)) {
    std::shared_ptr<Delivery> delivery;
    {
      MutexLock lock(mutex_);
      const auto it = deliveries_.find(ack.attempt_id());
      if (it != deliveries_.end()) delivery = it->second;
    }
    if (delivery == nullptr || delivery->lease().epoch() != ack.epoch()) continue;
    const Delivery::Progress progress = delivery->OnAck(ack);
    if (progress != Delivery::Progress::kMore) {
      Remove(ack.attempt_id());
      on_end_(ack.attempt_id(), progress);
    }
    Wake();  // The window has moved.
  }
  MutexLock lock(mutex_);
  broken_ = true;
  changed_.NotifyAll();
}

}  // namespace vlm::agent
