#include "server/engine.h"

#include <algorithm>
#include <future>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/log.h"
#include "common/status.h"
#include "common/thread_name.h"

namespace vlm::server {
namespace {

// Even without a deadline the engine looks at the clock this often (retention, study timeouts).
constexpr absl::Duration kLongestSleep = absl::Seconds(30);
// Stepping pauses while this many batches wait for the disk: back-pressure instead of memory.
constexpr size_t kDeepWriter = 64;
// How often an idle engine looks whether other programs have written into the file.
constexpr absl::Duration kForeignPoll = absl::Milliseconds(250);
// The file's lock is let go within this time after the last commit.
constexpr absl::Duration kLinger = absl::Milliseconds(5);
// Under load, when another process has the file open: it gets a turn this often and this long.
// SQLite's busy handler tries again every 100 ms or sooner, for five seconds with Python's default.
constexpr absl::Duration kLongestTurn = absl::Milliseconds(50);
constexpr absl::Duration kTheirTurn = absl::Milliseconds(15);

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

bool IsForSearch(const core::Effect& effect) {
  return std::holds_alternative<core::SearchStudy>(effect) ||
         std::holds_alternative<core::SearchForget>(effect) ||
         std::holds_alternative<core::SearchTrial>(effect) ||
         std::holds_alternative<core::SearchHistory>(effect) ||
         std::holds_alternative<core::SearchAsk>(effect);
}

}  // namespace

Engine::Engine(storage::Store* store, core::Snapshot snapshot, core::CoreOptions options,
               EffectSink* sink, const Clock& clock)
    : sink_(sink),
      clock_(clock),
      writer_(store, [this](const absl::Status& why) { FailCalls(why); }),
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
  writer_.GiveUpWaiting();
  thread_.join();
}

void Engine::Post(core::Input input) {
  MutexLock lock(mutex_);
  queue_.push_back(std::move(input));
  if (queue_.size() == 1) changed_.NotifyOne();
}

void Engine::CallAsync(core::CallBody body, Callback done) {
  // While the disk is full no answer could be durable: say so instead of letting callers wait.
  if (absl::Status health = writer_.Health(); !health.ok()) {
    return done(Annotate(health, "the coordinator cannot store anything now"));
  }
  const core::Token token = next_token_++;
  {
    MutexLock lock(calls_mutex_);
    calls_[token] = std::move(done);
  }
  Post(core::Call{token, std::move(body)});
}

// Those who wait while the disk is full are told; what they asked for may still come about.
void Engine::FailCalls(const absl::Status& why) {
  absl::flat_hash_map<core::Token, Callback> calls;
  {
    MutexLock lock(calls_mutex_);
    calls.swap(calls_);
  }
  for (auto& [token, done] : calls) {
    done(absl::DeadlineExceededError(absl::StrCat(
        "the coordinator could not answer in time; the outcome is not known: ", why.message())));
  }
}

absl::StatusOr<MessagePtr> Engine::Call(core::CallBody body, absl::Duration timeout) {
  auto promise = std::make_shared<std::promise<absl::StatusOr<MessagePtr>>>();
  auto future = promise->get_future();
  CallAsync(std::move(body), [promise](absl::StatusOr<MessagePtr> result) {
    promise->set_value(std::move(result));
  });
  if (future.wait_for(absl::ToChronoNanoseconds(timeout)) != std::future_status::ready) {
    return absl::DeadlineExceededError(
        "the coordinator could not answer in time; the outcome is not known");
  }
  return future.get();
}

bool Engine::Ending() {
  MutexLock lock(mutex_);
  return ending_;
}

// Until there is something to step. False: there never will be. Meanwhile the file's lock is let go
// when everything is stored.
bool Engine::AwaitWork() {
  const absl::Duration due = std::min(core_->NextDeadline(), clock_.Monotonic() + kLongestSleep);
  while (true) {
    {
      MutexLock lock(mutex_);
      const absl::Duration left = due - clock_.Monotonic();
      if (queue_.empty() && !ending_ && left > absl::ZeroDuration()) {
        changed_.WaitFor(
            mutex_, std::clamp(left, absl::Milliseconds(1), has_lock_ ? kLinger : kForeignPoll));
      }
      if (!queue_.empty()) return true;
      if (ending_) return false;
    }
    if (clock_.Monotonic() >= due) return true;
    if (!writer_.AtRest()) continue;
    if (has_lock_) {
      writer_.LetGo();
      has_lock_ = false;
    } else if (writer_.HasForeignRows()) {
      return true;
    }
  }
}

// No step without the file's lock: no other program can then take an id or a number that the step
// gives out. What they have written comes first. False: given up.
bool Engine::TakeLock(std::vector<core::Input>* inputs) {
  if (has_lock_ && clock_.Monotonic() - lock_time_ > kLongestTurn) {
    lock_time_ = clock_.Monotonic();
    if (writer_.HasCompany()) {
      writer_.LetGo();
      has_lock_ = false;
      absl::SleepFor(kTheirTurn);
    }
  }
  if (has_lock_) return true;
  auto foreign = writer_.TakeLock();
  if (!foreign) return false;
  has_lock_ = true;
  lock_time_ = clock_.Monotonic();
  if (!foreign->empty()) inputs->emplace_back(*std::move(foreign));
  return true;
}

void Engine::Run() {
  NameThread("engine");
  while (AwaitWork()) {
    std::vector<core::Input> inputs;
    if (!TakeLock(&inputs)) return;
    {
      MutexLock lock(mutex_);
      std::move(queue_.begin(), queue_.end(), std::back_inserter(inputs));
      queue_.clear();
    }
    core::Output output = core_->Step({clock_.Monotonic(), clock_.Wall()}, std::move(inputs));
    if (!output.batch.empty() || !output.effects.empty()) Release(std::move(output));
    while (writer_.Depth() > kDeepWriter && !Ending()) absl::SleepFor(absl::Milliseconds(1));
  }
}

void Engine::Release(core::Output output) {
  // What the search thread hears stays inside: it need not wait for the disk.
  auto effects = std::make_shared<std::vector<core::Effect>>();
  for (core::Effect& effect : output.effects) {
    if (IsForSearch(effect)) {
      Deliver(std::move(effect));
    } else {
      effects->push_back(std::move(effect));
    }
  }
  if (output.batch.empty() && effects->empty()) return;
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
    void operator()(core::SearchHistory& x) { e.search_.Handle(std::move(x)); }
    void operator()(core::SearchTrial& x) { e.search_.Handle(std::move(x)); }
    void operator()(core::SearchAsk& x) { e.search_.Handle(std::move(x)); }
  };
  std::visit(Visitor{*this}, effect);
}

}  // namespace vlm::server
