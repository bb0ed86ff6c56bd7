#include "tests/core/simulation.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "server/core/attempt_state.h"

namespace vlm::core {

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

void Simulation::SubmitSome() {
  SubmitCall call;
  call.spec.set_n_trials(1 + Draw(5));
  call.spec.add_directions(v1::DIRECTION_MINIMIZE);
  v1::ResourcesConfig& resources = *call.spec.mutable_train()->mutable_resources();
  resources.set_world_size(1 + Draw(3));
  resources.set_device(v1::DEVICE_KIND_CPU);
  resources.set_max_nodes(Chance(20) ? 1 : 0);
  if (Chance(30)) {
    for (int ranks = 1; ranks <= resources.world_size(); ++ranks) resources.add_world_sizes(ranks);
  }
  call.spec.mutable_pruner()->set_name(Chance(50) ? "median" : "none");
  v1::RetryConfig& retry = *call.spec.mutable_retry();
  retry.set_infra(Draw(6));
  retry.set_unknown(Draw(3));
  retry.set_halt_after(Draw(4));
  retry.set_exclude_after(Draw(3));
  call.spec.set_parallelism(Draw(3));
  call.spec.set_priority(Draw(3));
  call.spec.set_weight(1 + Draw(2));
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
}

void Simulation::ActAsPerson() {
  const std::string study = std::to_string(1 + Draw(std::max(1, next_study_)));
  const std::string trial = std::to_string(1 + Draw(20));
  switch (Draw(9)) {
    case 0:
    case 1:
      return SubmitSome();
    case 8: {
      v1::UpdateWorkerRequest request;
      request.set_worker(absl::StrCat("w", Draw(3)));
      request.set_action(static_cast<v1::UpdateWorkerRequest::Action>(1 + Draw(4)));
      if (Chance(50)) request.set_action(v1::UpdateWorkerRequest::ACTION_UNCORDON);
      return Step({core::Call{8, request}});
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
      return Step({core::Call{7, core::UpdateCall{request, {}}}});
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
  for (const Agent& agent : agents_) {
    v1::UpdateWorkerRequest request;
    request.set_worker(agent.id);
    request.set_action(v1::UpdateWorkerRequest::ACTION_UNCORDON);
    Step({core::Call{9, request}});
  }
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

}  // namespace vlm::core
