// A randomised run of the whole heart: people, workers that crash, hang, lie and come back, lost
// and repeated messages, and a coordinator that is killed between commits. Everything follows from
// one seed. After every step the invariants of the design are checked.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/core/core_fixture.h"

namespace vlm::core {

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
    constexpr int kSteps = 250;
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
  void SubmitSome();
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

}  // namespace vlm::core
