// Watch and TailLogs.
#include "common/channel.h"
#include "server/rpc/control_service.h"
#include "server/rpc/queued_stream.h"

namespace vlm::rpc {
namespace {

constexpr size_t kWatchQueue = 5'000;
constexpr size_t kLogQueue = 10'000;
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

class LogReactor final
    : public QueuedStream<grpc::ServerWriteReactor<v1::TailLogsResponse>, v1::TailLogsResponse> {
 public:
  LogReactor(Hub* hub, uint64_t id, v1::TailLogsRequest request)
      : QueuedStream(kLogQueue), hub_(hub), id_(id), request_(std::move(request)) {}
  void OnDone() override {
    hub_->Remove(id_);
    Drop();
  }
  // Lines that were sent already are left out; so are other ranks' and attempts'.
  template <typename Lines>
  void SendLines(const Lines& lines) {
    v1::TailLogsResponse response;
    for (const v1::LogLine& line : lines) {
      if (line.sequence() <= last_) continue;
      last_ = line.sequence();
      if (request_.has_rank() && line.rank() != request_.rank()) continue;
      if (request_.attempt() > 0 && line.attempt() != request_.attempt()) continue;
      *response.add_lines() = line;
      if (response.lines_size() == kLinesPerMessage) {
        Send(std::move(response));
        response.Clear();
      }
    }
    if (response.lines_size() > 0) Send(std::move(response));
  }
  const v1::TailLogsRequest& request() const { return request_; }

 private:
  Hub* hub_;
  uint64_t id_;
  v1::TailLogsRequest request_;
  int64_t last_ = 0;
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
  auto reactor = std::make_shared<LogReactor>(parts_.hub, id, *request);
  reactor->Keep(reactor);
  parts_.engine->CallAsync(core::ResolveTrial{request->trial()}, [this, reactor, id](auto result) {
    if (!result.ok()) return reactor->Close(ToGrpc(result.status()));
    const v1::Trial trial = static_cast<const v1::GetTrialResponse&>(**result).trial();
    const bool live =
        trial.state() == v1::TRIAL_STATE_RUNNING || trial.state() == v1::TRIAL_STATE_WAITING;
    const bool follow = reactor->request().follow() && live;
    // Old lines are read off this thread; new ones that come meanwhile wait behind them because
    // they take the same way.
    if (follow) {
      LogEnd end;
      end.trial_id = trial.trial_id();
      end.send = [this, reactor](const core::PublishLog& log) {
        parts_.reader->Post([reactor, log] {
          reactor->SendLines(log.lines);
          if (log.ended) reactor->Close(grpc::Status::OK);
        });
      };
      end.close = [reactor](const absl::Status& status) { reactor->Close(ToGrpc(status)); };
      parts_.hub->Add(id, std::move(end));
      if (reactor->Finished()) parts_.hub->Remove(id);  // Given up before it was added.
    }
    parts_.reader->Post([this, reactor, trial, follow] {
      auto lines = parts_.store->ReadLogs(trial.trial_id(), reactor->request().after_sequence(),
                                          reactor->request().tail());
      if (!lines.ok()) return reactor->Close(ToGrpc(lines.status()));
      reactor->SendLines(*lines);
      if (!follow) reactor->Close(grpc::Status::OK);
    });
  });
  return reactor.get();
}

}  // namespace vlm::rpc
