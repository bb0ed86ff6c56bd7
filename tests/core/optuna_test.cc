// Optuna's storage protocol on studies that our workers run. The rules for studies of Optuna's own
// are checked by Optuna's suite (tests/peers).
#include "tests/core/core_fixture.h"

namespace vlm::core {
namespace {

class OptunaTest : public CoreFixture {
 protected:
  template <typename Reply, typename Request>
  absl::StatusOr<Reply> Ask(Request request) {
    return Call<Reply>(OptunaCall{std::move(request)});
  }
  absl::StatusOr<int64_t> Enqueue(const std::string& fixed) {
    optuna::CreateNewTrialRequest request;
    request.set_study_id(1);
    request.mutable_template_trial()->set_state(optuna::WAITING);
    (*request.mutable_template_trial()->mutable_system_attributes())["fixed_params"] = fixed;
    auto reply = Ask<optuna::CreateNewTrialReply>(request);
    if (!reply.ok()) return reply.status();
    return reply->trial_id();
  }
  absl::StatusOr<bool> Set(int64_t trial_id, optuna::TrialState state,
                           std::vector<double> values = {}) {
    optuna::SetTrialStateValuesRequest request;
    request.set_trial_id(trial_id);
    request.set_state(state);
    for (double value : values) request.add_values(value);
    auto reply = Ask<optuna::SetTrialStateValuesReply>(request);
    if (!reply.ok()) return reply.status();
    return reply->trial_updated();
  }
};

TEST_F(OptunaTest, AnEnqueuedTrialIsRunByOurWorkersWithItsFixedValues) {
  ASSERT_TRUE(Submit("s", Spec(3)).ok());
  const auto id = Enqueue(R"({"learning_rate": 0.005})");
  ASSERT_TRUE(id.ok()) << id.status();

  Attach("w", 1);
  AcceptNext("w");

  EXPECT_EQ(Trial("s/0").trial_id(), *id);
  EXPECT_EQ(Trial("s/0").state(), v1::TRIAL_STATE_RUNNING);
  EXPECT_DOUBLE_EQ(Trial("s/0").params(0).value().float_value(), 0.005);
}

TEST_F(OptunaTest, PeopleEnqueueInAStudyOfAClientWhatItsLoopIsToTry) {
  optuna::CreateNewStudyRequest study;
  study.set_study_name("theirs");
  ASSERT_TRUE(Ask<optuna::CreateNewStudyReply>(study).ok());
  v1::EnqueueTrialRequest request;
  request.set_study("theirs");
  (*request.mutable_params())["x"].set_float_value(2.5);
  (*request.mutable_params())["kind"].set_string_value("a\"b");
  (*request.mutable_params())["depth"].set_int_value(3);
  (*request.mutable_params())["none"].set_null_value(true);
  const auto added = Call<v1::EnqueueTrialResponse>(request);
  ASSERT_TRUE(added.ok()) << added.status();
  (*request.mutable_params())["x"].clear_kind();
  EXPECT_EQ(Call<v1::EnqueueTrialResponse>(request).status().code(),
            absl::StatusCode::kInvalidArgument);
  request.clear_params();
  (*request.mutable_params())[std::string(600, 'x')].set_int_value(1);
  EXPECT_EQ(Call<v1::EnqueueTrialResponse>(request).status().code(),
            absl::StatusCode::kInvalidArgument);
  request.clear_params();
  (*request.mutable_params())["x"].set_json_value("[1,");
  EXPECT_EQ(Call<v1::EnqueueTrialResponse>(request).status().code(),
            absl::StatusCode::kInvalidArgument);

  Restart();
  const SessionId session = Attach("w", 1);
  EXPECT_TRUE(TakeOffers(session).empty());
  EXPECT_EQ(Study("theirs").counts().waiting(), 1);
  const int64_t id = added->trial().trial_id();
  optuna::GetTrialRequest get;
  get.set_trial_id(id);
  const optuna::Trial trial = Ask<optuna::GetTrialReply>(get)->trial();
  EXPECT_EQ(trial.state(), optuna::WAITING);
  EXPECT_EQ(trial.system_attributes().at("fixed_params"),
            R"({"depth": 3, "kind": "a\"b", "none": null, "x": 2.5})");
  EXPECT_TRUE(trial.params().empty());
  EXPECT_TRUE(*Set(id, optuna::RUNNING));
  EXPECT_TRUE(*Set(id, optuna::COMPLETE, {1}));
}

TEST_F(OptunaTest, FixedValuesOutsideTheSpaceAreRefused) {
  ASSERT_TRUE(Submit("s", Spec(3)).ok());
  EXPECT_EQ(Enqueue(R"({"learning_rate": 77})").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Enqueue(R"({"unknown": 1})").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Enqueue("[1]").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Study("s").counts().waiting(), 0);
}

TEST_F(OptunaTest, ATrialThatAClientTakesIsNotRunByUs) {
  ASSERT_TRUE(Submit("s", Spec(1)).ok());
  const auto id = Enqueue("{}");
  ASSERT_TRUE(id.ok());
  EXPECT_TRUE(*Set(*id, optuna::RUNNING));
  EXPECT_FALSE(*Set(*id, optuna::RUNNING)) << "only one gets it";

  const SessionId session = Attach("w", 1);

  EXPECT_TRUE(TakeOffers(session).empty());
  EXPECT_EQ(Set(*id, optuna::COMPLETE, {1, 2}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(*Set(*id, optuna::COMPLETE, {0.5}));
  EXPECT_EQ(Study("s").state(), v1::STUDY_STATE_COMPLETED);
}

TEST_F(OptunaTest, ClientsDoNotWriteToATrialThatAWorkerTrains) {
  ASSERT_TRUE(Submit("s", Spec(1)).ok());
  Attach("w", 1);
  AcceptNext("w");
  const int64_t id = Trial("s/0").trial_id();

  EXPECT_EQ(Set(id, optuna::FAIL).status().code(), absl::StatusCode::kFailedPrecondition);
  optuna::SetTrialIntermediateValueRequest value;
  value.set_trial_id(id);
  EXPECT_EQ(Ask<optuna::SetTrialIntermediateValueReply>(value).status().code(),
            absl::StatusCode::kFailedPrecondition);
  optuna::SetTrialParameterRequest param;
  param.set_trial_id(id);
  EXPECT_EQ(Ask<optuna::SetTrialParameterReply>(param).status().code(),
            absl::StatusCode::kFailedPrecondition);
  optuna::DeleteStudyRequest remove;
  remove.set_study_id(1);
  EXPECT_EQ(Ask<optuna::DeleteStudyReply>(remove).status().code(),
            absl::StatusCode::kFailedPrecondition);
  optuna::SetTrialUserAttributeRequest note;
  note.set_trial_id(id);
  note.set_key("note");
  note.set_value("1");
  EXPECT_TRUE(Ask<optuna::SetTrialUserAttributeReply>(note).ok());
  Restart();
  EXPECT_EQ(Trial("s/0").user_attributes().at("note"), "1");
}

TEST_F(OptunaTest, AStudyOfAClientIsNeverScheduledAndSurvivesARestart) {
  optuna::CreateNewStudyRequest study;
  study.set_study_name("theirs");
  study.add_directions(optuna::MAXIMIZE);
  ASSERT_TRUE(Ask<optuna::CreateNewStudyReply>(study).ok());
  const auto id = Enqueue("{}");
  ASSERT_TRUE(id.ok());
  const SessionId session = Attach("w", 1);
  EXPECT_TRUE(TakeOffers(session).empty());

  Restart();

  EXPECT_EQ(Study("theirs").directions(0), v1::DIRECTION_MAXIMIZE);
  EXPECT_EQ(Study("theirs").counts().waiting(), 1);
  EXPECT_TRUE(*Set(*id, optuna::COMPLETE, {1, 2, 3})) << "Optuna takes any number of values";
  EXPECT_EQ(Study("theirs").counts().complete(), 1);
  v1::BestTrialsRequest best;
  best.set_study("theirs");
  EXPECT_FALSE(Call<v1::BestTrialsResponse>(best).ok());
  v1::AskRequest ask;
  ask.set_study("theirs");
  const auto asked = Call<v1::AskResponse>(ask);
  EXPECT_EQ(asked.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(asked.status().message().find("its own sampler"), std::string::npos);
}

}  // namespace
}  // namespace vlm::core
