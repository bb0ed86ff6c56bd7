// Which trials are feasible, and that no other one is the best: told by programs that train
// elsewhere, by Optuna's clients, by other programs on the file.
#include <cmath>
#include <limits>

#include "tests/core/core_fixture.h"

namespace vlm::core {
namespace {

using Numbers = std::vector<double>;

class FeasibleTest : public CoreFixture {
 protected:
  static v1::StudySpec Constrained(int n_trials) {
    v1::StudySpec spec = Spec(n_trials);
    for (const char* name : {"memory", "speed"}) {
      v1::MetricConstraint* constraint = spec.add_constraints();
      constraint->set_name(name);
      constraint->set_metric(name);
      constraint->set_upper(1);
    }
    return spec;
  }
  v1::Trial Ask(const std::string& study) {
    v1::AskRequest request;
    request.set_study(study);
    return Call<v1::AskResponse>(request)->trial();
  }
  absl::Status Tell(const v1::Trial& trial, v1::TrialState state, const Numbers& values,
                    const Numbers& constraints) {
    v1::TellRequest request;
    request.set_trial(std::to_string(trial.trial_id()));
    request.set_state(state);
    request.mutable_values()->Assign(values.begin(), values.end());
    request.mutable_constraints()->Assign(constraints.begin(), constraints.end());
    return Call<v1::TellResponse>(request).status();
  }
  void Complete(const std::string& study, const Numbers& values, const Numbers& constraints) {
    const absl::Status told = Tell(Ask(study), v1::TRIAL_STATE_COMPLETE, values, constraints);
    ASSERT_TRUE(told.ok()) << told;
  }
  absl::StatusOr<std::vector<int64_t>> Best(const std::string& study, int count = 10) {
    v1::BestTrialsRequest request;
    request.set_study(study);
    request.set_count(count);
    const auto response = Call<v1::BestTrialsResponse>(request);
    if (!response.ok()) return response.status();
    std::vector<int64_t> numbers;
    for (const v1::Trial& trial : response->trials()) numbers.push_back(trial.number());
    return numbers;
  }
  // A study of another program with these trials, each a value and its constraints' attribute.
  static ForeignRows Theirs(const std::vector<std::pair<double, std::string>>& trials) {
    ForeignRows rows;
    Snapshot::StudyRow& study = rows.studies.emplace_back();
    study.study.set_study_id(7);
    study.study.set_name("theirs");
    study.study.add_directions(v1::DIRECTION_MINIMIZE);
    for (const auto& [value, constraints] : trials) {
      v1::Trial& trial = rows.trials.emplace_back();
      trial.set_study_id(7);
      trial.set_number(static_cast<int64_t>(rows.trials.size()) - 1);
      trial.set_trial_id(40 + trial.number());
      trial.set_state(v1::TRIAL_STATE_COMPLETE);
      trial.set_external(true);
      trial.add_values(value);
      if (constraints.empty()) continue;
      (*trial.mutable_system_attributes())["constraints"] = constraints;
    }
    return rows;
  }
};

TEST_F(FeasibleTest, ToldConstraintsAreStoredInBothOfOptunasForms) {
  ASSERT_TRUE(Submit("a", Constrained(3)).ok());
  Complete("a", {0.5}, {0.25, -1});

  const auto attributes = Trial("a/0").system_attributes();
  EXPECT_EQ(attributes.at("constraints"), "[0.25, -1.0]");
  EXPECT_EQ(attributes.at("constraints:memory"), "0.25");
  EXPECT_EQ(attributes.at("constraints:speed"), "-1.0");
  EXPECT_TRUE(Trial("a/0").infeasible());
}

TEST_F(FeasibleTest, AStudyWithoutConstraintsTakesAnyNumberOfThem) {
  ASSERT_TRUE(Submit("a", Spec(3)).ok());
  Complete("a", {0.5}, {0, -1, 2});
  Complete("a", {0.6}, {0});
  EXPECT_EQ(Trial("a/0").system_attributes().at("constraints"), "[0.0, -1.0, 2.0]");
  EXPECT_FALSE(Trial("a/0").system_attributes().contains("constraints:memory"));
  EXPECT_TRUE(Trial("a/0").infeasible());
  EXPECT_FALSE(Trial("a/1").infeasible());
}

TEST_F(FeasibleTest, WhatIsNoConstraintIsRefusedAndTheTrialRunsOn) {
  ASSERT_TRUE(Submit("a", Constrained(3)).ok());
  const v1::Trial asked = Ask("a");
  constexpr double kInf = std::numeric_limits<double>::infinity();
  for (const Numbers& wrong : {Numbers{}, {1}, {1, 2, 3}, {1, NAN}, {kInf, 0}, {0, -kInf}}) {
    const absl::Status told = Tell(asked, v1::TRIAL_STATE_COMPLETE, {0.5}, wrong);
    EXPECT_EQ(told.code(), absl::StatusCode::kInvalidArgument) << told;
  }
  EXPECT_EQ(Tell(asked, v1::TRIAL_STATE_COMPLETE, {0.5}, {1}).message(),
            "the study has 2 constraints (memory, speed), the call 1 values for them");
  EXPECT_EQ(Trial("a/0").state(), v1::TRIAL_STATE_RUNNING);
  EXPECT_FALSE(Trial("a/0").system_attributes().contains("constraints"));
}

TEST_F(FeasibleTest, APrunedTrialMayLackConstraintsAndAFailedOneHasNone) {
  ASSERT_TRUE(Submit("a", Constrained(3)).ok());
  EXPECT_TRUE(Tell(Ask("a"), v1::TRIAL_STATE_PRUNED, {0.5}, {}).ok());
  EXPECT_TRUE(Tell(Ask("a"), v1::TRIAL_STATE_PRUNED, {0.5}, {1, 1}).ok());
  EXPECT_TRUE(Tell(Ask("a"), v1::TRIAL_STATE_FAIL, {}, {1, 1}).ok());
  EXPECT_FALSE(Trial("a/0").infeasible());
  EXPECT_TRUE(Trial("a/1").infeasible());
  EXPECT_FALSE(Trial("a/2").system_attributes().contains("constraints"));
}

TEST_F(FeasibleTest, NoInfeasibleTrialIsTheBest) {
  ASSERT_TRUE(Submit("a", Constrained(9)).ok());
  Complete("a", {0.1}, {1, 0});
  EXPECT_FALSE(Study("a").has_best_value());
  EXPECT_EQ(Best("a").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(Best("a").status().message().find("violates a constraint"), std::string::npos);

  Complete("a", {0.7}, {0, 0});
  Complete("a", {0.5}, {-1, 0});
  Complete("a", {0.2}, {0, 1e-300});

  EXPECT_EQ(Study("a").best_trial_number(), 2);
  EXPECT_EQ(*Best("a"), (std::vector<int64_t>{2, 1}));
  Restart();
  EXPECT_EQ(Study("a").best_trial_number(), 2);
  EXPECT_EQ(Study("a").best_value(), 0.5);
  EXPECT_EQ(*Best("a"), (std::vector<int64_t>{2, 1}));
}

TEST_F(FeasibleTest, TheParetoFrontIsOfFeasibleTrials) {
  v1::StudySpec spec = Constrained(9);
  spec.add_directions(v1::DIRECTION_MAXIMIZE);
  spec.add_metrics("val_loss");
  spec.add_metrics("samples_per_s");
  ASSERT_TRUE(Submit("a", spec).ok());
  Complete("a", {0.1, 100}, {1, 0});
  Complete("a", {0.5, 50}, {0, 0});
  Complete("a", {0.6, 60}, {0, 0});
  Complete("a", {0.6, 40}, {0, 0});

  EXPECT_EQ(*Best("a"), (std::vector<int64_t>{1, 2}));
}

TEST_F(FeasibleTest, OfEqualTrialsTheFirstIsTheBestWhoeverEndsFirst) {
  ASSERT_TRUE(Submit("a", Spec(9)).ok());
  const v1::Trial first = Ask("a");
  Complete("a", {0.5}, {});
  EXPECT_EQ(Study("a").best_trial_number(), 1);
  ASSERT_TRUE(Tell(first, v1::TRIAL_STATE_COMPLETE, {0.5}, {}).ok());
  EXPECT_EQ(Study("a").best_trial_number(), 0);
}

TEST_F(FeasibleTest, TrialsOfOtherProgramsCountAsTheySay) {
  Step({Theirs({{0.1, "[2.0]"}, {0.3, ""}, {0.2, "[0.0, -1.0]"}, {0.05, "[-1, 1]"}})});
  EXPECT_EQ(Study("theirs").best_trial_number(), 2);
  EXPECT_EQ(*Best("theirs"), (std::vector<int64_t>{2, 1}));
  EXPECT_TRUE(Trial("theirs/0").infeasible());

  // One changes its mind about the best trial.
  ForeignRows again = Theirs({{0.1, "[2.0]"}, {0.3, ""}, {0.2, "[0.5]"}});
  again.studies.clear();
  Step({again});
  EXPECT_EQ(Study("theirs").best_trial_number(), 1);
  EXPECT_EQ(Study("theirs").best_value(), 0.3);
}

TEST_F(FeasibleTest, OptunasClientsSetConstraintsByName) {
  optuna::CreateNewStudyRequest study;
  study.set_study_name("theirs");
  study.add_directions(optuna::MAXIMIZE);
  ASSERT_TRUE(Call<optuna::CreateNewStudyReply>(OptunaCall{study}).ok());
  for (const auto& [value, constraint] : {std::pair{0.9, "0.1"}, {0.4, "0"}}) {
    optuna::CreateNewTrialRequest create;
    create.set_study_id(1);
    create.set_template_trial_is_none(true);
    const int64_t id = Call<optuna::CreateNewTrialReply>(OptunaCall{create})->trial_id();
    optuna::SetTrialSystemAttributeRequest attribute;
    attribute.set_trial_id(id);
    attribute.set_key("constraints:size");
    attribute.set_value(constraint);
    ASSERT_TRUE(Call<optuna::SetTrialSystemAttributeReply>(OptunaCall{attribute}).ok());
    optuna::SetTrialStateValuesRequest end;
    end.set_trial_id(id);
    end.set_state(optuna::COMPLETE);
    end.add_values(value);
    ASSERT_TRUE(Call<optuna::SetTrialStateValuesReply>(OptunaCall{end}).ok());
  }
  EXPECT_EQ(Study("theirs").best_value(), 0.4);
  Restart();
  EXPECT_EQ(Study("theirs").best_value(), 0.4);
}

TEST_F(FeasibleTest, MetricNamesOfOtherProgramsAreShown) {
  ForeignRows rows = Theirs({});
  Snapshot::StudyRow& study = rows.studies[0];
  study.system_attributes["study:metric_names"] = R"(["loss \u00e4"])";
  Step({rows});
  EXPECT_EQ(Study("theirs").metric(), "loss \u00e4");
  EXPECT_EQ(Study("theirs").metrics_size(), 0);

  study.study.add_directions(v1::DIRECTION_MAXIMIZE);
  study.system_attributes["study:metric_names"] = R"(["loss", "speed"])";
  Step({rows});
  EXPECT_EQ(Study("theirs").metric(), "loss");
  ASSERT_EQ(Study("theirs").metrics_size(), 2);
  EXPECT_EQ(Study("theirs").metrics(1), "speed");

  for (const char* wrong : {"[\"one\"]", "[1, 2]", "{}", "null", "[\"a\", \"\\ud800\"]"}) {
    study.system_attributes["study:metric_names"] = wrong;
    Step({rows});
    EXPECT_EQ(Study("theirs").metrics_size(), 0) << wrong;
  }
}

}  // namespace
}  // namespace vlm::core
