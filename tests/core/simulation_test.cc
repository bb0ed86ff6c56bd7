// A randomised run of the whole heart: people, workers that crash, hang, lie and come back, lost
// and repeated messages, and a coordinator that is killed between commits. Everything follows from
// one seed; a failure prints it. After every step the invariants of the design are checked.
#include <cmath>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "server/core/attempt_state.h"
#include "tests/core/core_fixture.h"

namespace vlm::core {
namespace {

constexpr int kSeeds = 200;
constexpr int kSteps = 250;

// What a simulated agent believes.
struct Agent {
  std::string id;
  int process = 0;
  int slots = 1;
  SessionId session = 0;
  struct Job {
    v1::Offer offer;
    bool started = false;
    int64_t next_sequence = 1;
    int64_t acked = 0;
    v1::Command::Action order = v1::Command::ACTION_UNSPECIFIED;
    std::vector<v1::ReportBatch> spool;  // Everything sent, for replay.
    bool ended = false;
  };
  std::map<int64_t, Job> jobs;
};

class Simulation {
 public:
  explicit Simulation(uint32_t seed) : random_(seed) {
    options_.lease = absl::Seconds(10);
    for (int i = 0; i < 3; ++i) agents_.push_back({absl::StrCat("w", i), 0, 1 + i % 2, 0, {}});
    StartCoordinator();
  }
  void Run() {
    for (int i = 0; i < kSteps && !::testing::Test::HasFailure(); ++i) {
      Act();
      CheckInvariants();
    }
    Settle();
  }
  // Everything that was stored and said, in order.
  const std::string& trace() const { return trace_; }

 private:
  int Draw(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }
  bool Chance(int percent) { return Draw(100) < percent; }

  void StartCoordinator() {
    Output at_start;
    core_ = std::make_unique<Core>(options_, store_.Load(), Now{clock_.Monotonic(), clock_.Wall()},
                                   &at_start);
    for (Agent& agent : agents_) agent.session = 0;
    questions_.clear();
    inbox_.clear();
    Take(std::move(at_start));
  }
  void Take(Output output);
  void Step(std::vector<Input> inputs) {
    Take(core_->Step({clock_.Monotonic(), clock_.Wall()}, std::move(inputs)));
  }
  void Act();
  void ActAsPerson();
  void ActAsAgent(Agent& agent);
  void Attach(Agent& agent);
  void ReadInbox(Agent& agent);
  void Train(Agent& agent, Agent::Job& job);
  void SendBatch(const v1::ReportBatch& batch) { Step({ReportIn{1, batch}}); }
  void AnswerQuestions();
  void CheckInvariants();
  void Settle();

  std::mt19937 random_;
  CoreOptions options_;
  FakeClock clock_;
  FakeStore store_;
  std::unique_ptr<Core> core_;
  std::vector<Agent> agents_;
  SessionId next_session_ = 1;
  int next_study_ = 0;
  std::vector<SearchAsk> questions_;
  std::map<SessionId, std::vector<v1::CoordinatorMessage>> inbox_;
  std::set<int64_t> submitted_;                     // Acknowledged studies.
  std::map<int64_t, v1::TrialState> ended_trials_;  // As first seen at their end.
  std::map<std::pair<int64_t, int32_t>, int64_t> acked_;
  std::string trace_;
};

void Simulation::Take(Output output) {
  store_.Apply(output.batch);
  absl::StrAppend(&trace_, output.batch.size(), "/", output.effects.size(), " ");
  for (Effect& effect : output.effects) {
    if (auto* publish = std::get_if<Publish>(&effect)) {
      absl::StrAppend(&trace_, publish->event.message(), "\n");
    }
    if (auto* push = std::get_if<Push>(&effect)) {
      inbox_[push->session].push_back(push->message);
    } else if (auto* close = std::get_if<CloseSession>(&effect)) {
      for (Agent& agent : agents_) {
        if (agent.session == close->session) agent.session = 0;
      }
    } else if (auto* ack = std::get_if<Ack>(&effect)) {
      if (ack->ack.fenced()) continue;
      auto& best = acked_[{ack->ack.attempt_id(), ack->ack.node()}];
      best = std::max(best, ack->ack.sequence());
    } else if (auto* ask = std::get_if<SearchAsk>(&effect)) {
      questions_.push_back(*ask);
    }
  }
}

void Simulation::AnswerQuestions() {
  for (const SearchAsk& ask : std::exchange(questions_, {})) {
    v1::Param param;
    param.set_name("learning_rate");
    param.mutable_distribution()->mutable_float_distribution()->set_low(0.001);
    param.mutable_distribution()->mutable_float_distribution()->set_high(0.01);
    const auto fixed = ask.fixed.find("learning_rate");
    param.mutable_value()->set_float_value(fixed == ask.fixed.end() ? 0.001 + 0.001 * Draw(9)
                                                                    : fixed->second);
    Step({Suggestion{ask.study_id, ask.number, std::vector<v1::Param>{param}, "s"}});
  }
}

void Simulation::Act() {
  if (Chance(3)) return StartCoordinator();  // kill -9; what was not committed is gone.
  if (Chance(30)) {
    clock_.Advance(absl::Milliseconds(Chance(5) ? 15'000 : Draw(1500)));
    return Step({Tick{}});
  }
  if (Chance(60)) AnswerQuestions();
  if (Chance(15)) return ActAsPerson();
  ActAsAgent(agents_[static_cast<size_t>(Draw(3))]);
}

void Simulation::ActAsPerson() {
  const std::string study = std::to_string(1 + Draw(std::max(1, next_study_)));
  const std::string trial = std::to_string(1 + Draw(20));
  switch (Draw(8)) {
    case 0:
    case 1: {
      SubmitCall call;
      call.spec.set_n_trials(1 + Draw(5));
      call.spec.add_directions(v1::DIRECTION_MINIMIZE);
      call.spec.mutable_train()->mutable_resources()->set_world_size(1 + Draw(3));
      call.spec.mutable_train()->mutable_resources()->set_device(v1::DEVICE_KIND_CPU);
      call.spec.mutable_pruner()->set_name(Chance(50) ? "median" : "none");
      call.spec.mutable_retry()->set_infra(Draw(6));
      call.spec.mutable_retry()->set_unknown(Draw(3));
      call.spec.mutable_retry()->set_halt_after(Draw(4));
      call.spec.set_parallelism(Draw(3));
      call.spec.set_timeout_s(Chance(20) ? 30 : 0);
      v1::SearchParam* rate = call.spec.add_search_space();
      rate->set_name("learning_rate");
      rate->mutable_distribution()->mutable_float_distribution()->set_low(0.001);
      rate->mutable_distribution()->mutable_float_distribution()->set_high(0.01);
      call.request.set_name(absl::StrCat("study", next_study_));
      const int64_t before = core_->state().last_study_id;
      Step({core::Call{1, call}});
      if (core_->state().last_study_id > before) {
        submitted_.insert(before + 1);
        ++next_study_;
      }
      return;
    }
    case 2: {
      v1::StopTrialRequest request;
      request.set_trial(trial);
      return Step({core::Call{2, request}});
    }
    case 3: {
      v1::RetryTrialRequest request;
      request.set_trial(trial);
      return Step({core::Call{3, request}});
    }
    case 4: {
      v1::EnqueueTrialRequest request;
      request.set_study(study);
      (*request.mutable_params())["learning_rate"].set_float_value(0.005);
      return Step({core::Call{4, request}});
    }
    case 5: {
      v1::AskRequest request;
      request.set_study(study);
      return Step({core::Call{5, request}});
    }
    case 6: {
      v1::TellRequest request;
      request.set_trial(trial);
      request.set_state(Chance(50) ? v1::TRIAL_STATE_COMPLETE : v1::TRIAL_STATE_FAIL);
      if (request.state() == v1::TRIAL_STATE_COMPLETE) request.add_values(Chance(20) ? NAN : 1.0);
      return Step({core::Call{6, request}});
    }
    default: {
      v1::UpdateStudyRequest request;
      request.set_study(study);
      request.set_action(static_cast<v1::UpdateStudyRequest::Action>(1 + Draw(3)));
      if (Chance(50)) request.set_action(v1::UpdateStudyRequest::ACTION_RESUME);
      return Step({core::Call{7, request}});
    }
  }
}

void Simulation::Attach(Agent& agent) {
  agent.session = next_session_++;
  v1::WorkerMessage message;
  v1::Hello& hello = *message.mutable_hello();
  hello.set_worker_id(agent.id);
  hello.set_name(agent.id);
  hello.set_session_id(std::to_string(agent.process));
  for (int i = 0; i < agent.slots; ++i) {
    hello.add_slots()->set_index(i);
    hello.mutable_slots(i)->set_kind(v1::SLOT_KIND_CPU);
  }
  for (auto& [id, job] : agent.jobs) {
    v1::HeldLease* lease = hello.add_leases();
    lease->set_attempt_id(id);
    lease->set_epoch(job.offer.epoch());
  }
  Step({FromWorker{agent.session, message}});
}

void Simulation::ReadInbox(Agent& agent) {
  for (const v1::CoordinatorMessage& message : std::exchange(inbox_[agent.session], {})) {
    if (message.has_offer()) {
      const v1::Offer& offer = message.offer();
      v1::WorkerMessage reply;
      reply.mutable_offer_reply()->set_attempt_id(offer.attempt_id());
      reply.mutable_offer_reply()->set_epoch(offer.epoch());
      reply.mutable_offer_reply()->set_accepted(!Chance(10));
      if (reply.offer_reply().accepted()) agent.jobs[offer.attempt_id()].offer = offer;
      Step({FromWorker{agent.session, reply}});
    } else if (message.has_start()) {
      const auto job = agent.jobs.find(message.start().attempt_id());
      if (job != agent.jobs.end()) job->second.started = true;
    } else if (message.has_command()) {
      const auto job = agent.jobs.find(message.command().attempt_id());
      if (job != agent.jobs.end()) job->second.order = message.command().command().action();
    } else if (message.has_fenced()) {
      agent.jobs.erase(message.fenced().attempt_id());
    } else if (message.has_hello_ack()) {
      for (const auto& fenced : message.hello_ack().fenced()) agent.jobs.erase(fenced.attempt_id());
    }
  }
}

// One batch of a running job: points, or its end; sometimes an old one again, or one too early.
void Simulation::Train(Agent& agent, Agent::Job& job) {
  if (Chance(20) && !job.spool.empty()) {
    return SendBatch(job.spool[static_cast<size_t>(Draw(static_cast<int>(job.spool.size())))]);
  }
  if (job.ended) return;
  v1::ReportBatch batch;
  batch.set_worker_id(agent.id);
  batch.set_attempt_id(job.offer.attempt_id());
  batch.set_epoch(job.offer.epoch());
  batch.set_node(job.offer.node());
  v1::Report& report = *batch.mutable_report();
  report.set_sequence(job.next_sequence++);
  const int64_t step = report.sequence() * 10;
  report.set_last_step(step);
  const int kind = Draw(100);
  if (job.order != v1::Command::ACTION_UNSPECIFIED) {
    report.mutable_outcome()->set_state(job.order == v1::Command::ACTION_PRUNE
                                            ? v1::ATTEMPT_STATE_PRUNED
                                            : v1::ATTEMPT_STATE_STOPPED);
  } else if (kind < 15) {
    report.mutable_outcome()->set_state(v1::ATTEMPT_STATE_SUCCEEDED);
    report.mutable_outcome()->add_values(kind == 0 ? NAN : 0.1 * Draw(10));
  } else if (kind < 22) {
    report.mutable_outcome()->set_state(v1::ATTEMPT_STATE_FAILED);
    report.mutable_outcome()->set_failure_class(static_cast<v1::FailureClass>(1 + Draw(6)));
  } else {
    v1::IntermediateValue* value = report.add_validations();
    value->set_step(step);
    value->set_value(kind == 30 ? NAN : 0.1 * Draw(10));
    if (Chance(20)) report.add_checkpoints()->set_step(step);
  }
  job.ended = report.has_outcome();
  job.spool.push_back(batch);
  if (Chance(10)) return;  // Lost on the way; it is replayed later.
  SendBatch(batch);
}

void Simulation::ActAsAgent(Agent& agent) {
  if (Chance(2)) {  // The agent dies; its jobs die with it.
    agent.jobs.clear();
    ++agent.process;
    if (agent.session != 0) Step({SessionClosed{std::exchange(agent.session, 0)}});
    return;
  }
  if (agent.session == 0) {
    if (Chance(60)) Attach(agent);
    return;
  }
  if (Chance(3)) return Step({SessionClosed{std::exchange(agent.session, 0)}});
  ReadInbox(agent);
  if (agent.session == 0) return;
  v1::WorkerMessage beat;
  for (auto& [id, job] : agent.jobs) {
    beat.mutable_beat()->add_leases()->set_attempt_id(id);
    beat.mutable_beat()->mutable_leases()->rbegin()->set_epoch(job.offer.epoch());
  }
  beat.mutable_beat();
  Step({FromWorker{agent.session, beat}});
  std::vector<int64_t> ids;
  for (auto& [id, job] : agent.jobs) ids.push_back(id);
  for (int64_t id : ids) {
    const auto job = agent.jobs.find(id);
    if (job == agent.jobs.end() || !job->second.started) continue;
    Train(agent, job->second);
    // Whoever has lost a batch replays from the last acknowledged one.
    if (Chance(30)) {
      for (const v1::ReportBatch& batch : job->second.spool) SendBatch(batch);
    }
  }
}

void Simulation::CheckInvariants() {
  const Snapshot stored = store_.Load();
  std::set<int64_t> studies;
  for (const auto& row : stored.studies) studies.insert(row.study.study_id());
  for (int64_t id : submitted_) EXPECT_TRUE(studies.count(id)) << "an acknowledged submit is lost";
  // At most one live attempt per trial; no slot is held twice.
  std::map<int64_t, int> live;
  std::set<std::pair<std::string, int>> slots;
  for (const PutAttempt& row : stored.attempts) {
    if (IsEnd(row.attempt.state())) continue;
    ++live[row.attempt.trial_id()];
    for (const auto& p : row.attempt.placements()) {
      EXPECT_TRUE(slots.insert({p.worker_id(), p.slot()}).second) << "a slot is held twice";
    }
  }
  for (const auto& [trial, count] : live) EXPECT_EQ(count, 1) << "trial " << trial;
  EXPECT_EQ(live.size(), core_->state().live.size());
  // What was acknowledged is stored, each batch once and in order.
  for (const auto& [key, sequence] : acked_) {
    const auto& applied = store_.applied(key.first, key.second);
    EXPECT_GE(static_cast<int64_t>(applied.size()), sequence) << "an acknowledged batch is lost";
    for (size_t i = 0; i < applied.size(); ++i) {
      EXPECT_EQ(applied[i], static_cast<int64_t>(i + 1));
    }
  }
  for (const v1::Trial& trial : stored.trials) {
    for (double value : trial.values()) EXPECT_FALSE(std::isnan(value));
    EXPECT_TRUE(trial.state() != v1::TRIAL_STATE_COMPLETE || trial.values_size() == 1);
    if (!IsEnd(trial.state())) continue;
    EXPECT_EQ(live.count(trial.trial_id()), 0u) << "an ended trial has a live attempt";
    const auto [it, fresh] = ended_trials_.emplace(trial.trial_id(), trial.state());
    EXPECT_EQ(it->second, trial.state()) << "a finished trial changed";
  }
}

// With healthy agents and patience everything comes to an end.
void Simulation::Settle() {
  const auto open = [this] {
    for (const auto& [id, study] : core_->state().studies) {
      if (study.study.state() == v1::STUDY_STATE_ACTIVE && study.live_attempts > 0) return true;
    }
    return false;
  };
  for (int i = 0; i < 3000 && open() && !::testing::Test::HasFailure(); ++i) {
    clock_.Advance(absl::Milliseconds(300));
    AnswerQuestions();
    Agent& agent = agents_[static_cast<size_t>(i % 3)];
    if (agent.session == 0) Attach(agent);
    ReadInbox(agent);
    std::vector<int64_t> ids;
    for (auto& [id, job] : agent.jobs) ids.push_back(id);
    for (int64_t id : ids) {
      const auto job = agent.jobs.find(id);
      if (job == agent.jobs.end()) continue;
      for (const v1::ReportBatch& batch : job->second.spool) SendBatch(batch);
      if (job->second.started && !job->second.ended) Train(agent, job->second);
      if (agent.session == 0) break;
      v1::WorkerMessage beat;
      beat.mutable_beat()->add_leases()->set_attempt_id(id);
      beat.mutable_beat()->mutable_leases(0)->set_epoch(job->second.offer.epoch());
      Step({FromWorker{agent.session, beat}});
      ReadInbox(agent);
    }
    Step({Tick{}});
  }
  CheckInvariants();
  EXPECT_FALSE(open()) << "a study never ends";
}

TEST(SimulationTest, InvariantsHoldUnderCrashesLossAndRepetition) {
  for (uint32_t seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(::testing::Message() << "seed " << seed);
    Simulation(seed).Run();
  }
}

TEST(SimulationTest, TheSameSeedGivesTheSameRun) {
  Simulation first(7);
  first.Run();
  Simulation second(7);
  second.Run();

  EXPECT_GT(first.trace().size(), 1000u);
  EXPECT_EQ(first.trace(), second.trace());
}

}  // namespace
}  // namespace vlm::core
