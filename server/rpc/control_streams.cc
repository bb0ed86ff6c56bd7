// Watch and TailLogs.
#include <utility>

#include "common/channel.h"
#include "server/rpc/control_service.h"
#include "server/rpc/queued_stream.h"

namespace vlm::rpc {
namespace {

constexpr size_t kWatchQueue = 2'000;
constexpr size_t kLogQueue = 4;
constexpr int kLinesPerMessage = 500;
constexpr int kEventsPerMessage = 500;

class WatchReactor final
    : public QueuedStream<grpc::ServerWriteReactor<v1::WatchResponse>, v1::WatchResponse> {
 public:
  WatchReactor(Hub* hub, uint64_t id) : QueuedStream(kWatchQueue), hub_(hub), id_(id) {}
  void OnDone() override {
    hub_->Remove(id_);
    Drop();
  }

 private:
  Hub* hub_;
  uint64_t id_;
};

// Sends a trial's lines out of the store, a page at a time and only as fast as the reader takes
// them; what is published merely says that there is more. All state is the reader thread's.
class LogReactor final
    : public QueuedStream<grpc::ServerWriteReactor<v1::TailLogsResponse>, v1::TailLogsResponse> {
 public:
  LogReactor(const ControlParts& parts, uint64_t id, v1::TailLogsRequest request)
      : QueuedStream(kLogQueue), parts_(parts), id_(id), request_(std::move(request)) {}
  void OnDone() override {
    parts_.hub->Remove(id_);
    Drop();
  }
  const v1::TailLogsRequest& request() const { return request_; }
  // Reads from the start; `follow` until the trial has ended.
  void Begin(const std::shared_ptr<LogReactor>& self, int64_t trial_id, bool follow) {
    weak_ = self;
    trial_id_ = trial_id;
    ended_ = !follow;
    last_ = request_.after_sequence();
    SendPage(request_.tail());
  }
  void MoreLines(bool ended) {
    ended_ = ended_ || ended;
    if (std::exchange(caught_up_, false)) SendPage(0);
  }

 private:
  void OnDrained() override {
    if (auto self = weak_.lock()) parts_.reader->Post([self] { self->SendPage(0); });
  }
  void SendPage(int tail) {
    while (!Finished()) {
      auto lines =
          parts_.store->ReadLogs(trial_id_, last_, std::exchange(tail, 0), kLinesPerMessage);
      if (!lines.ok()) return Close(ToGrpc(lines.status()));
      if (lines->empty()) {
        caught_up_ = true;
        if (ended_) Close(grpc::Status::OK);
        return;
      }
      v1::TailLogsResponse response;
      for (v1::LogLine& line : *lines) {
        last_ = line.sequence();
        if (request_.has_rank() && line.rank() != request_.rank()) continue;
        if (request_.attempt() > 0 && line.attempt() != request_.attempt()) continue;
        *response.add_lines() = std::move(line);
      }
      if (response.lines_size() == 0) continue;
      Send(std::move(response));
      return;  // OnDrained goes on.
    }
  }

  const ControlParts& parts_;
  uint64_t id_;
  v1::TailLogsRequest request_;
  std::weak_ptr<LogReactor> weak_;
  int64_t trial_id_ = 0;
  int64_t last_ = 0;
  bool ended_ = false;
  bool caught_up_ = false;
};

// The present state of a large study does not fit one message.
void SendInParts(WatchReactor& reactor, v1::WatchResponse& state) {
  v1::WatchResponse part;
  part.set_sequence(state.sequence());
  for (v1::Event& event : *state.mutable_events()) {
    *part.add_events() = std::move(event);
    if (part.events_size() < kEventsPerMessage) continue;
    reactor.Send(part);
    part.clear_events();
  }
  if (part.events_size() > 0 || state.events().empty()) reactor.Send(std::move(part));
}

}  // namespace

grpc::ServerWriteReactor<v1::WatchResponse>* ControlService::Watch(
    grpc::CallbackServerContext*, const v1::WatchRequest* request) {
  const uint64_t id = parts_.hub->NewId();
  auto reactor = std::make_shared<WatchReactor>(parts_.hub, id);
  reactor->Keep(reactor);
  // The answer comes on the writer's thread, in order with the events around it: the present state
  // is exactly what the later events build on.
  parts_.engine->CallAsync(*request, [this, reactor, id, request = *request](auto result) {
    if (!result.ok()) return reactor->Close(ToGrpc(result.status()));
    auto state = static_cast<const v1::WatchResponse&>(**result);
    WatchEnd end;
    if (!request.study().empty() && state.events_size() > 0) {
      end.study_id = state.events(0).study_id();
    }
    end.send = [reactor](v1::WatchResponse response) { return reactor->Send(std::move(response)); };
    end.close = [reactor](const absl::Status& status) { reactor->Close(ToGrpc(status)); };
    const bool resume = request.sequence() > 0;
    if (!resume) SendInParts(*reactor, state);
    if (!parts_.hub->AddWatch(id, std::move(end), resume ? request.sequence() : -1)) {
      reactor->Close(grpc::Status(grpc::StatusCode::OUT_OF_RANGE,
                                  "that sequence is older than what is kept; start with 0"));
    }
    if (reactor->Finished()) parts_.hub->Remove(id);  // Given up before it was added.
  });
  return reactor.get();
}

grpc::ServerWriteReactor<v1::TailLogsResponse>* ControlService::TailLogs(
    grpc::CallbackServerContext*, const v1::TailLogsRequest* request) {
  const uint64_t id = parts_.hub->NewId();
  auto reactor = std::make_shared<LogReactor>(parts_, id, *request);
  reactor->Keep(reactor);
  parts_.engine->CallAsync(core::ResolveTrial{request->trial()}, [this, reactor, id](auto result) {
    if (!result.ok()) return reactor->Close(ToGrpc(result.status()));
    const v1::Trial trial = static_cast<const v1::GetTrialResponse&>(**result).trial();
    const bool live =
        trial.state() == v1::TRIAL_STATE_RUNNING || trial.state() == v1::TRIAL_STATE_WAITING;
    const bool follow = reactor->request().follow() && live;
    // The first page is queued before any news of further lines can be.
    parts_.reader->Post([reactor, trial_id = trial.trial_id(), follow] {
      reactor->Begin(reactor, trial_id, follow);
    });
    if (!follow) return;
    LogEnd end;
    end.trial_id = trial.trial_id();
    end.send = [this, reactor](const core::PublishLog& log) {
      parts_.reader->Post([reactor, ended = log.ended] { reactor->MoreLines(ended); });
    };
    end.close = [reactor](const absl::Status& status) { reactor->Close(ToGrpc(status)); };
    parts_.hub->Add(id, std::move(end));
    if (reactor->Finished()) parts_.hub->Remove(id);  // Given up before it was added.
  });
  return reactor.get();
}

}  // namespace vlm::rpc
