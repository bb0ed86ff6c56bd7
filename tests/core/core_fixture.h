// A small language for tests of the heart: a fake clock, a fake store, scripted workers. Everything
// is single-threaded and deterministic.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "gtest/gtest.h"
#include "server/core/core.h"
#include "tests/core/fake_store.h"

namespace vlm::core {

class CoreFixture : public ::testing::Test {
 protected:
  CoreFixture() { Start(); }

  // ---- the coordinator ----
  void Start();
  void Restart() { Start(); }  // What was not committed is lost; streams are gone.
  void Step(std::vector<Input> inputs);
  void Advance(absl::Duration d);
  template <typename Response>
  absl::StatusOr<Response> Call(CallBody body) {
    const Token token = ++last_token_;
    Step({core::Call{token, std::move(body)}});
    const auto it = replies_.find(token);
    if (it == replies_.end()) return absl::UnknownError("no reply yet");
    if (!it->second.status.ok()) return it->second.status;
    return static_cast<const Response&>(*it->second.message);
  }

  // ---- people ----
  // A study over learning_rate with this many trials; parallelism unlimited.
  static v1::StudySpec Spec(int n_trials);
  absl::StatusOr<v1::Study> Submit(const std::string& name, const v1::StudySpec& spec);
  v1::Trial Trial(const std::string& name);
  v1::Study Study(const std::string& name);

  // ---- workers ----
  v1::Hello MakeHello(const std::string& worker, int slots);
  SessionId Attach(const std::string& worker, int slots);
  void Detach(SessionId session) { Step({SessionClosed{session}}); }
  void Send(SessionId session, const v1::WorkerMessage& message);
  void Beat(const std::string& worker);
  // The messages that were pushed since the last call.
  std::vector<v1::CoordinatorMessage> TakeInbox(SessionId session);
  std::vector<v1::Offer> TakeOffers(SessionId session);
  void Accept(SessionId session, const v1::Offer& offer, int port = 0);
  void Refuse(SessionId session, const v1::Offer& offer, const std::string& reason);
  // Answers yes, and remembers the lease for beats and the next Hello.
  void AcceptAs(const std::string& worker, const v1::Offer& offer);
  // The same with the newest offer in the worker's inbox.
  v1::Offer AcceptNext(const std::string& worker);

  // ---- reports ----
  static v1::ReportBatch Batch(const std::string& worker, const v1::Offer& offer, int64_t sequence);
  static v1::ReportBatch Points(const std::string& worker, const v1::Offer& offer, int64_t sequence,
                                int64_t step, double loss);
  static v1::ReportBatch End(const std::string& worker, const v1::Offer& offer, int64_t sequence,
                             v1::AttemptState state, double value = 0.5);
  static v1::ReportBatch Failure(const std::string& worker, const v1::Offer& offer,
                                 int64_t sequence, v1::FailureClass failure_class);
  v1::ReportAck Report(const v1::ReportBatch& batch);
  // Grants, starts and completes the next trial of a worker.
  v1::Offer RunToEnd(const std::string& worker, double value);

  FakeClock clock_;
  CoreOptions options_;
  FakeStore store_;
  std::unique_ptr<Core> core_;
  bool answer_questions_ = true;
  std::vector<SearchAsk> questions_;
  std::vector<v1::Event> published_;
  std::map<SessionId, absl::Status> closed_;
  std::map<std::string, SessionId> sessions_;
  std::map<std::string, std::vector<v1::HeldLease>> leases_;

 private:
  void Take(Output output, std::vector<Input>* next);
  Input AnswerTo(const SearchAsk& ask);

  Token last_token_ = 0;
  SessionId last_session_ = 0;
  std::map<Token, Reply> replies_;
  std::map<SessionId, std::vector<v1::CoordinatorMessage>> inbox_;
  std::vector<v1::ReportAck> acks_;
};

}  // namespace vlm::core
