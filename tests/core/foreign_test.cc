// What other programs have written into the study file, as an input of the heart.
#include "tests/core/core_fixture.h"

namespace vlm::core {
namespace {

class ForeignRowsTest : public CoreFixture {
 protected:
  static Snapshot::StudyRow Theirs(int64_t id, const std::string& name) {
    Snapshot::StudyRow row;
    row.study.set_study_id(id);
    row.study.set_name(name);
    row.study.set_state(v1::STUDY_STATE_ACTIVE);
    row.study.add_directions(v1::DIRECTION_MINIMIZE);
    return row;
  }
  static v1::Trial Theirs(int64_t study, int64_t id, int64_t number, v1::TrialState state) {
    v1::Trial trial;
    trial.set_study_id(study);
    trial.set_trial_id(id);
    trial.set_number(number);
    trial.set_state(state);
    trial.set_external(true);
    if (state == v1::TRIAL_STATE_COMPLETE) trial.add_values(0.25);
    return trial;
  }
  std::vector<std::string> Kinds() const {
    std::vector<std::string> out;
    for (const v1::Event& event : published_) out.push_back(event.kind());
    return out;
  }
};

TEST_F(ForeignRowsTest, NewStudiesAndTrialsAreThereWithTheirEvents) {
  Step({ForeignRows{{}, {Theirs(7, "theirs")}, {Theirs(7, 40, 0, v1::TRIAL_STATE_COMPLETE)}}});
  EXPECT_EQ(Study("theirs").counts().complete(), 1);
  EXPECT_DOUBLE_EQ(Study("theirs").best_value(), 0.25);
  EXPECT_EQ(Kinds(), (std::vector<std::string>{"study.created", "trial.completed"}));
}

TEST_F(ForeignRowsTest, OurIdsAndNumbersGoOnBehindTheirs) {
  ASSERT_TRUE(Submit("s", Spec(5)).ok());
  Step({ForeignRows{{}, {}, {Theirs(1, 40, 0, v1::TRIAL_STATE_RUNNING)}}});
  Attach("w", 1);
  AcceptNext("w");
  EXPECT_EQ(Trial("s/0").trial_id(), 40);
  EXPECT_EQ(Trial("s/1").trial_id(), 41);
}

TEST_F(ForeignRowsTest, WhatTheyEnqueueInOurStudyIsRunByUsWithItsFixedValues) {
  ASSERT_TRUE(Submit("s", Spec(2)).ok());
  v1::Trial waiting = Theirs(1, 1, 0, v1::TRIAL_STATE_WAITING);
  (*waiting.mutable_system_attributes())["fixed_params"] = R"({"learning_rate": 0.005})";
  v1::Trial wrong = Theirs(1, 2, 1, v1::TRIAL_STATE_WAITING);
  (*wrong.mutable_system_attributes())["fixed_params"] = R"({"learning_rate": 99})";
  Step({ForeignRows{{}, {}, {waiting, wrong}}});

  Attach("w", 1);
  AcceptNext("w");

  EXPECT_DOUBLE_EQ(Trial("s/0").params(0).value().float_value(), 0.005);
  EXPECT_EQ(Trial("s/0").state(), v1::TRIAL_STATE_RUNNING);
  EXPECT_EQ(Trial("s/1").state(), v1::TRIAL_STATE_FAIL);
  EXPECT_NE(Trial("s/1").reason().find("learning_rate"), std::string::npos);
}

TEST_F(ForeignRowsTest, ATrialThatTheyTakeIsNotRunByUs) {
  ASSERT_TRUE(Submit("s", Spec(1)).ok());
  Step({ForeignRows{{}, {}, {Theirs(1, 1, 0, v1::TRIAL_STATE_WAITING)}}});
  Step({ForeignRows{{}, {}, {Theirs(1, 1, 0, v1::TRIAL_STATE_RUNNING)}}});
  const SessionId session = Attach("w", 1);
  EXPECT_TRUE(TakeOffers(session).empty());
  Restart();
  EXPECT_TRUE(Trial("s/0").external());
}

TEST_F(ForeignRowsTest, ATrialThatTheyEndIsTakenFromTheWorker) {
  ASSERT_TRUE(Submit("s", Spec(1)).ok());
  const SessionId session = Attach("w", 1);
  const v1::Offer offer = AcceptNext("w");
  TakeInbox(session);

  Step({ForeignRows{{}, {}, {Theirs(1, Trial("s/0").trial_id(), 0, v1::TRIAL_STATE_COMPLETE)}}});

  EXPECT_EQ(Trial("s/0").state(), v1::TRIAL_STATE_COMPLETE);
  EXPECT_EQ(Trial("s/0").attempts(0).state(), v1::ATTEMPT_STATE_STOPPED);
  bool fenced = false;
  for (const auto& message : TakeInbox(session)) fenced |= message.has_fenced();
  EXPECT_TRUE(fenced);
  EXPECT_TRUE(Report(Points("w", offer, 1, 10, 0.5)).fenced());
  EXPECT_EQ(Study("s").state(), v1::STUDY_STATE_COMPLETED);
}

TEST_F(ForeignRowsTest, AttributesOfARunningTrialAreTakenAndItsStateStaysOurs) {
  ASSERT_TRUE(Submit("s", Spec(1)).ok());
  Attach("w", 1);
  AcceptNext("w");
  v1::Trial theirs = Theirs(1, Trial("s/0").trial_id(), 0, v1::TRIAL_STATE_WAITING);
  (*theirs.mutable_user_attributes())["note"] = "1";
  Step({ForeignRows{{}, {}, {theirs}}});
  EXPECT_EQ(Trial("s/0").state(), v1::TRIAL_STATE_RUNNING);
  EXPECT_EQ(Trial("s/0").user_attributes().at("note"), "1");
  EXPECT_EQ(store_.trial(Trial("s/0").trial_id()).state(), v1::TRIAL_STATE_RUNNING);
}

TEST_F(ForeignRowsTest, ALostStudyIsGoneAndItsIdMayComeAgain) {
  ASSERT_TRUE(Submit("s", Spec(2)).ok());
  const SessionId session = Attach("w", 1);
  AcceptNext("w");
  Step({ForeignRows{{1}, {Theirs(1, "again")}, {Theirs(1, 1, 0, v1::TRIAL_STATE_WAITING)}}});
  EXPECT_EQ(Study("again").counts().waiting(), 1);
  EXPECT_EQ(Study("again").n_trials(), 0);
  TakeInbox(session);
  Beat("w");
  EXPECT_TRUE(TakeOffers(session).empty()) << "it is not ours to run";
}

TEST_F(ForeignRowsTest, RowsWithoutAStudyOrWithAWrongNumberDoNoHarm) {
  Step({ForeignRows{{5},
                    {Theirs(1, "s")},
                    {Theirs(9, 1, 0, v1::TRIAL_STATE_RUNNING),
                     Theirs(1, 2, 1'000'000'000'000, v1::TRIAL_STATE_RUNNING),
                     Theirs(1, 3, -5, v1::TRIAL_STATE_RUNNING)}}});
  EXPECT_EQ(Study("s").counts().running(), 2);
  EXPECT_EQ(Trial("s/1").trial_id(), 3);
}

}  // namespace
}  // namespace vlm::core
