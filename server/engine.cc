#include "server/engine.h"

#include <algorithm>
#include <future>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/log.h"
#include "common/status.h"

namespace vlm::server {
namespace {

// Even without a deadline the engine looks at the clock this often (retention, study timeouts).
constexpr absl::Duration kLongestSleep = absl::Seconds(30);
// Stepping pauses while this many batches wait for the disk: back-pressure instead of memory.
constexpr size_t kDeepWriter = 64;
// Who waits for an answer looks this often whether the disk is the reason.
constexpr absl::Duration kHealthCheck = absl::Milliseconds(500);

// Studies and workers come and go rarely (info); trials often (debug); what was lost is a warning.
void LogEvent(const v1::Event& event) {
  LogLevel level = LogLevel::kDebug;
  if (event.kind() == "trial.progress") return;
  if (absl::StartsWith(event.kind(), "study.") || absl::StartsWith(event.kind(), "worker.")) {
    level = event.kind() == "study.best" ? LogLevel::kDebug : LogLevel::kInfo;
  }
  if (absl::StartsWith(event.kind(), "attempt.") || event.kind() == "trial.failed" ||
      event.kind() == "worker.lost" || event.kind() == "checkpoint.damaged") {
    level = LogLevel::kWarning;
  }
  Log(level, event.message(),
      {{"kind", event.kind()}, {"study", event.study_id()}, {"trial", event.trial_id()}});
}

}  // namespace

Engine::Engine(storage::Store* store, core::Snapshot snapshot, core::CoreOptions options,
               EffectSink* sink, const Clock& clock)
    : sink_(sink),
      clock_(clock),
      writer_(store),
      search_([this](core::Suggestion suggestion) { Post(std::move(suggestion)); }) {
  core::Output at_start;
  core_ = std::make_unique<core::Core>(std::move(options), std::move(snapshot),
                                       core::Now{clock_.Monotonic(), clock_.Wall()}, &at_start);
  Release(std::move(at_start));
  thread_ = std::thread([this] { Run(); });
}

Engine::~Engine() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void Engine::Post(core::Input input) {
  MutexLock lock(mutex_);
  queue_.push_back(std::move(input));
  changed_.NotifyAll();
}

void Engine::CallAsync(core::CallBody body, Callback done) {
  const core::Token token = next_token_++;
  {
    MutexLock lock(calls_mutex_);
    calls_[token] = std::move(done);
  }
  Post(core::Call{token, std::move(body)});
}

absl::StatusOr<MessagePtr> Engine::Call(core::CallBody body, absl::Duration timeout) {
  // While the disk is full no answer could be durable: say so instead of letting callers wait.
  if (absl::Status health = writer_.Health(); !health.ok()) {
    return Annotate(health, "the coordinator cannot store anything now");
  }
  auto promise = std::make_shared<std::promise<absl::StatusOr<MessagePtr>>>();
  auto future = promise->get_future();
  CallAsync(std::move(body), [promise](absl::StatusOr<MessagePtr> result) {
    promise->set_value(std::move(result));
  });
  const absl::Time deadline = absl::Now() + timeout;
  while (future.wait_until(absl::ToChronoTime(std::min(deadline, absl::Now() + kHealthCheck))) !=
         std::future_status::ready) {
    const absl::Status health = writer_.Health();
    if (health.ok() && absl::Now() < deadline) continue;
    return absl::DeadlineExceededError(
        absl::StrCat("the coordinator could not answer in time; the outcome is not known",
                     health.ok() ? "" : ": ", health.message()));
  }
  return future.get();
}

bool Engine::Ending() {
  MutexLock lock(mutex_);
  return ending_;
}

void Engine::Run() {
  while (true) {
    std::vector<core::Input> inputs;
    {
      MutexLock lock(mutex_);
      if (queue_.empty() && !ending_) {
        const absl::Duration due = core_->NextDeadline() - clock_.Monotonic();
        changed_.WaitFor(mutex_, std::clamp(due, absl::Milliseconds(1), kLongestSleep));
      }
      if (queue_.empty() && ending_) return;
      inputs.swap(queue_);
    }
    core::Output output = core_->Step({clock_.Monotonic(), clock_.Wall()}, std::move(inputs));
    if (!output.batch.empty() || !output.effects.empty()) Release(std::move(output));
    while (writer_.Depth() > kDeepWriter && !Ending()) absl::SleepFor(absl::Milliseconds(1));
  }
}

void Engine::Release(core::Output output) {
  auto effects = std::make_shared<std::vector<core::Effect>>(std::move(output.effects));
  writer_.Enqueue(std::move(output.batch), [this, effects] {
    for (core::Effect& effect : *effects) Deliver(std::move(effect));
  });
}

void Engine::Deliver(core::Effect effect) {
  struct Visitor {
    Engine& e;
    void operator()(core::Reply& r) {
      Callback done;
      {
        MutexLock lock(e.calls_mutex_);
        const auto it = e.calls_.find(r.token);
        if (it == e.calls_.end()) return;
        done = std::move(it->second);
        e.calls_.erase(it);
      }
      if (r.status.ok()) {
        done(std::move(r.message));
      } else {
        done(std::move(r.status));
      }
    }
    void operator()(core::Push& x) { e.sink_->OnPush(x.session, std::move(x.message)); }
    void operator()(core::CloseSession& x) { e.sink_->OnClose(x.session, std::move(x.status)); }
    void operator()(core::Ack& x) { e.sink_->OnAck(x.stream, std::move(x.ack)); }
    void operator()(core::Publish& x) {
      LogEvent(x.event);
      e.sink_->OnEvent(x.event);
    }
    void operator()(core::PublishLog& x) { e.sink_->OnLog(x); }
    void operator()(core::DropCheckpointFile& x) { e.sink_->OnDropCheckpoint(x.checkpoint_id); }
    void operator()(core::SearchStudy& x) { e.search_.Handle(std::move(x)); }
    void operator()(core::SearchForget& x) { e.search_.Handle(x); }
    void operator()(core::SearchTrial& x) { e.search_.Handle(std::move(x)); }
    void operator()(core::SearchAsk& x) { e.search_.Handle(std::move(x)); }
  };
  std::visit(Visitor{*this}, effect);
}

}  // namespace vlm::server
