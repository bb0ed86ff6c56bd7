#include "worker/agent/session.h"

#include <algorithm>
#include <random>

#include "absl/strings/str_cat.h"
#include "common/channel.h"
#include "common/clock.h"
#include "common/log.h"

namespace vlm::agent {
namespace {

constexpr absl::Duration kFirstBackoff = absl::Milliseconds(100);
constexpr absl::Duration kLongestBackoff = absl::Seconds(5);
constexpr absl::Duration kDialSlice = absl::Milliseconds(250);
// The coordinator may take a moment to notice that the agent's earlier process is gone.
constexpr absl::Duration kDuplicateGrace = absl::Seconds(3);

absl::Duration Now() { return RealClock().Monotonic(); }

// Between half and all of `backoff`: workers that lost the same coordinator do not come at once.
absl::Duration Jittered(absl::Duration backoff) {
  static thread_local std::mt19937_64 random{std::random_device{}()};
  return backoff * std::uniform_real_distribution<>(0.5, 1.0)(random);
}

}  // namespace

Session::Session(std::string address, Connection* connection, SessionHandler* handler)
    : address_(std::move(address)), connection_(connection), handler_(handler), heard_(Now()) {
  terms_.set_beat_interval_s(1);
  terms_.set_lease_s(10);
  reader_ = std::thread([this] { Run(); });
  beats_ = std::thread([this] { Beats(); });
}

Session::~Session() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
    if (context_ != nullptr) context_->TryCancel();
    changed_.NotifyAll();
  }
  reader_.join();
  beats_.join();
}

void Session::Run() {
  absl::Duration backoff = kFirstBackoff;
  const absl::Duration started = Now();
  bool ever_attached = false;
  while (true) {
    bool attached = false;
    const absl::Status status = Serve(&attached);
    ever_attached = ever_attached || attached;
    MutexLock lock(mutex_);
    attached_ = false;
    if (leaving_) last_end_ = status;
    changed_.NotifyAll();
    if (stop_ || leaving_) return;
    const bool early = !ever_attached && Now() - started < kDuplicateGrace;
    if ((absl::IsAlreadyExists(status) && !early) || absl::IsInvalidArgument(status) ||
        absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status)) {
      handler_->OnRefused(status);
      return;
    }
    if (attached) {
      backoff = kFirstBackoff;
      VLM_LOG_WARNING("the coordinator is away; training goes on",
                      {{"coordinator", address_}, {"error", status.message()}});
    }
    changed_.WaitFor(mutex_, Jittered(backoff));
    if (stop_ || leaving_) return;
    backoff = std::min(kLongestBackoff, backoff * 2);
  }
}

absl::Status Session::Serve(bool* attached) {
  // A new channel each time: an old one keeps a backoff of its own.
  const std::shared_ptr<grpc::Channel> channel = MakeChannel(address_);
  if (!channel->WaitForConnected(absl::ToChronoTime(absl::Now() + kDialSlice))) {
    return absl::UnavailableError(absl::StrCat("cannot reach ", address_));
  }
  grpc::ClientContext context;
  {
    MutexLock lock(mutex_);
    if (stop_ || leaving_) return absl::CancelledError("the agent stops");
    context_ = &context;
  }
  const auto stub = v1::Fleet::NewStub(channel);
  const std::shared_ptr<Stream> stream = stub->Attach(&context);
  {
    MutexLock lock(write_mutex_);
    stream_ = stream;
  }
  v1::WorkerMessage hello;
  *hello.mutable_hello() = handler_->MakeHello();
  Write(hello);
  v1::CoordinatorMessage message;
  while (stream->Read(&message)) {
    {
      MutexLock lock(mutex_);
      heard_ = Now();
      away_told_ = false;
      if (message.has_hello_ack()) {
        terms_ = message.hello_ack();
        attached_ = true;
        changed_.NotifyAll();
      }
    }
    if (message.has_hello_ack()) {
      *attached = true;
      for (const v1::Fenced& fenced : message.hello_ack().fenced()) handler_->OnFenced(fenced);
      connection_->Up(channel);
      handler_->OnAttached(message.hello_ack());
    } else {
      Handle(message);
    }
  }
  connection_->Down();
  {
    MutexLock lock(mutex_);
    context_ = nullptr;
    attached_ = false;
  }
  {
    MutexLock lock(write_mutex_);
    stream_ = nullptr;
  }
  return FromGrpc(stream->Finish());
}

void Session::Handle(const v1::CoordinatorMessage& message) {
  switch (message.message_case()) {
    case v1::CoordinatorMessage::kOffer: {
      v1::WorkerMessage reply;
      *reply.mutable_offer_reply() = handler_->OnOffer(message.offer());
      Write(reply);
      return;
    }
    case v1::CoordinatorMessage::kStart:
      return handler_->OnStart(message.start());
    case v1::CoordinatorMessage::kCommand:
      return handler_->OnCommand(message.command());
    case v1::CoordinatorMessage::kFenced:
      return handler_->OnFenced(message.fenced());
    default:
      return;
  }
}

bool Session::Write(const v1::WorkerMessage& message) {
  MutexLock lock(write_mutex_);
  return stream_ != nullptr && stream_->Write(message);
}

void Session::BeatNow() {
  MutexLock lock(mutex_);
  beat_now_ = true;
  changed_.NotifyAll();
}

void Session::Beats() {
  MutexLock lock(mutex_);
  absl::Duration next = Now();
  while (!stop_) {
    const absl::Duration interval = absl::Seconds(std::clamp(terms_.beat_interval_s(), 0.05, 60.0));
    if (!beat_now_ && Now() < next) {
      changed_.WaitFor(mutex_, next - Now());
      continue;
    }
    beat_now_ = false;
    next = Now() + interval;
    CheckSilence();
    if (attached_ && !leaving_) SendBeat();
  }
}

void Session::SendBeat() {
  const int64_t sequence = ++beat_sequence_;
  mutex_.Unlock();
  v1::WorkerMessage message;
  *message.mutable_beat() = handler_->MakeBeat();
  message.mutable_beat()->set_sequence(sequence);
  Write(message);
  mutex_.Lock();
}

// Without an answer for two leases the stream is dead, whatever TCP says; without one for the grace
// that the coordinator gave, training ends.
void Session::CheckSilence() {
  const absl::Duration away = Now() - heard_;
  if (attached_ && context_ != nullptr && away > 2 * absl::Seconds(terms_.lease_s())) {
    VLM_LOG_WARNING("the coordinator is silent; dialling again", {{"coordinator", address_}});
    context_->TryCancel();
  }
  const absl::Duration grace = absl::Seconds(terms_.spool_grace_s());
  if (grace <= absl::ZeroDuration() || away <= grace || away_told_) return;
  away_told_ = true;
  mutex_.Unlock();
  handler_->OnAway(away);
  mutex_.Lock();
}

bool Session::Leave(const std::string& reason, absl::Duration timeout) {
  {
    MutexLock lock(mutex_);
    leaving_ = true;
    changed_.NotifyAll();
    if (!attached_) return false;
  }
  v1::WorkerMessage message;
  message.mutable_goodbye()->set_reason(reason);
  Write(message);
  {
    MutexLock lock(write_mutex_);
    if (stream_ != nullptr) stream_->WritesDone();
  }
  // The coordinator ends the stream when it has read everything.
  const absl::Duration end = Now() + timeout;
  MutexLock lock(mutex_);
  while (!last_end_.has_value() && Now() < end) changed_.WaitFor(mutex_, end - Now());
  return last_end_.has_value() && last_end_->ok();
}

}  // namespace vlm::agent
