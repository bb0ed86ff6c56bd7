// Finished trials in few bytes: a heart that starts from them is the one that starts from the rows.
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "server/core/core.h"
#include "tests/storage/store_fixture.h"

namespace vlm::storage {
namespace {

using core::Core;

// Everything a heart knows of its trials, as text.
std::string Told(core::Snapshot snapshot) {
  core::CoreOptions options;
  core::Output start;
  const core::Now now{absl::Seconds(1), absl::FromUnixSeconds(1'800'000'000)};
  const size_t count = snapshot.trials.size() + snapshot.packed.size();
  Core heart(options, std::move(snapshot), now, &start);
  std::string text;
  for (const core::Effect& effect : start.effects) {
    const auto* history = std::get_if<core::SearchHistory>(&effect);
    if (history == nullptr) continue;
    for (const search::TrialView& view : history->trials) {
      absl::StrAppend(&text, "view ", view.number(), " ", static_cast<int>(view.state()), ":");
      for (const double value : view.values()) absl::StrAppend(&text, " ", value);
      for (const search::ParamPoint& param : view.params()) {
        absl::StrAppend(&text, " ", param.name, "=", param.value, " of ",
                        param.distribution.ShortDebugString());
      }
      for (const auto& [step, value] : view.intermediate_values()) {
        absl::StrAppend(&text, " ", step, ":", value);
      }
      for (const double value : view.constraints()) absl::StrAppend(&text, " c", value);
      for (const double value : view.rungs()) absl::StrAppend(&text, " r", value);
      absl::StrAppend(&text, "\n");
    }
  }
  std::vector<core::Input> calls;
  v1::GetStudyRequest study;
  study.set_study(SampleStudy().name());
  calls.emplace_back(core::Call{1, study});
  v1::BestTrialsRequest best;
  best.set_study(SampleStudy().name());
  best.set_count(3);
  calls.emplace_back(core::Call{2, best});
  for (size_t id = 1; id <= count; ++id) {
    v1::GetTrialRequest trial;
    trial.set_trial(absl::StrCat(id));
    calls.emplace_back(core::Call{id + 2, trial});
  }
  for (const core::Effect& effect : heart.Step(now, std::move(calls)).effects) {
    const auto* reply = std::get_if<core::Reply>(&effect);
    if (reply == nullptr) continue;
    absl::StrAppend(&text, reply->token, " ", reply->status.ToString(), " ",
                    reply->message ? reply->message->DebugString() : "", "\n");
  }
  return text;
}

class PackedTest : public StoreTest {
 protected:
  // A study with trials of every kind; ids from 1.
  void Fill() {
    core::Batch batch = SampleBatch();
    for (int64_t number = 1; number < 60; ++number) {
      v1::Trial trial = SampleTrial();
      trial.set_trial_id(number + 1);
      trial.set_number(number);
      trial.set_values(0, static_cast<double>(60 - number) / 7);
      trial.mutable_params(0)->mutable_value()->set_float_value(
          0.001 + static_cast<double>(number) / 20'000);
      Vary(number, &trial);
      for (const v1::IntermediateValue& value : trial.intermediate_values()) {
        batch.push_back(core::PutIntermediateValue{number + 1, value.step(), value.value()});
      }
      batch.push_back(core::PutTrial{std::move(trial)});
    }
    ASSERT_TRUE(Commit(*Open(), batch).ok());
  }
  static void Vary(int64_t number, v1::Trial* trial) {
    switch (number % 12) {
      case 1:
        trial->set_state(v1::TRIAL_STATE_PRUNED);
        trial->clear_values();
        trial->add_intermediate_values()->set_step(30);
        trial->mutable_intermediate_values(1)->set_value(NAN);
        break;
      case 2:
        trial->set_state(v1::TRIAL_STATE_FAIL);
        trial->clear_values();
        trial->set_reason("out of memory");
        break;
      case 3:
        trial->set_state(v1::TRIAL_STATE_RUNNING);
        trial->set_external(true);
        trial->clear_values();
        trial->clear_end_time();
        break;
      case 4:  // A range of its own, and a value outside of the study's.
        trial->mutable_params(0)->mutable_distribution()->mutable_float_distribution()->set_high(9);
        trial->mutable_params(0)->mutable_value()->set_float_value(8);
        break;
      case 5:  // One parameter more.
        *trial->add_params() = trial->params(0);
        trial->mutable_params(2)->set_name("own");
        break;
      case 6:
        trial->clear_params();
        trial->set_values(0, std::numeric_limits<double>::infinity());
        break;
      case 7:
        (*trial->mutable_system_attributes())["completed_rung_0"] = "0.5";
        (*trial->mutable_system_attributes())["constraints"] = "[-1.0, 2.0]";
        break;
      case 8:  // More values than the study has objectives.
        trial->add_values(1);
        break;
      case 9:
        trial->set_last_step(-1);
        trial->clear_system_attributes();
        trial->clear_user_attributes();
        trial->clear_intermediate_values();
        break;
      default:
        break;
    }
  }
};

TEST_F(PackedTest, AHeartThatStartsFromThemIsTheSame) {
  Fill();
  const std::string rows = Told(OpenAndLoad());
  core::Snapshot packed = OpenAndLoad(true);
  EXPECT_EQ(packed.packed.size(), 55u);
  EXPECT_EQ(packed.trials.size(), 5u);  // Those that run.
  EXPECT_EQ(Told(std::move(packed)), rows);
  EXPECT_NE(rows.find("out of memory"), std::string::npos);
}

TEST_F(PackedTest, TheyAreWrittenInTheTransactionThatEndsATrial) {
  Fill();
  EXPECT_EQ(Count("SELECT count(*) FROM vlm_packed_trials"), 55);
  EXPECT_EQ(Count("SELECT count(*) FROM vlm_param_kinds"), 4);
  v1::Trial trial = SampleTrial();
  trial.set_trial_id(4);
  trial.set_number(3);
  ASSERT_TRUE(Commit(*Open(), {core::PutTrial{trial}}).ok());
  EXPECT_EQ(Count("SELECT state FROM vlm_packed_trials WHERE trial_id = 4"),
            v1::TRIAL_STATE_COMPLETE);
}

TEST_F(PackedTest, WhatEndedElsewhereIsPackedAtTheNextStart) {
  Fill();
  const std::string before = Told(OpenAndLoad());
  Execute("DELETE FROM vlm_packed_trials; DELETE FROM vlm_param_kinds");
  EXPECT_EQ(Told(OpenAndLoad(true)), before);
  EXPECT_EQ(Count("SELECT count(*) FROM vlm_packed_trials"), 55);
}

TEST_F(PackedTest, WhatAnotherProgramHasChangedIsReadFromTheRows) {
  Fill();
  OpenAndLoad(true);
  Execute("UPDATE trial_values SET value = -5 WHERE trial_id = 1");
  Execute("INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (11, 'k', '7')");
  Execute("DELETE FROM trial_params WHERE trial_id = 13");
  const std::string told = Told(OpenAndLoad(true));
  EXPECT_EQ(told, Told(OpenAndLoad()));
  EXPECT_NE(told.find("best_value: -5"), std::string::npos);
}

TEST_F(PackedTest, DamageIsRepairedOutOfTheRows) {
  Fill();
  const std::string before = Told(OpenAndLoad());
  for (const char* damage :
       {"UPDATE vlm_packed_trials SET numbers = x'ffff' WHERE trial_id = 11",
        "UPDATE vlm_packed_trials SET state = 2 WHERE trial_id = 11",
        "DELETE FROM vlm_param_kinds WHERE slot = 0", "DELETE FROM vlm_param_kinds WHERE slot = 3",
        "UPDATE vlm_param_kinds SET distribution = x'ff'"}) {
    Execute(damage);
    EXPECT_EQ(Told(OpenAndLoad(true)), before) << damage;
  }
}

TEST_F(PackedTest, ADeletedStudyLeavesNone) {
  Fill();
  std::vector<int64_t> ids;
  for (int64_t id = 1; id <= 60; ++id) ids.push_back(id);
  ASSERT_TRUE(Commit(*Open(), {core::DeleteStudy{1, ids}}).ok());
  EXPECT_EQ(Count("SELECT count(*) FROM vlm_packed_trials"), 0);
  EXPECT_EQ(Count("SELECT count(*) FROM vlm_param_kinds"), 0);
}

TEST(PackedTrialTest, BytesThatAreNoneAreRefused) {
  core::UnpackedNumbers numbers;
  const std::string good = core::PackNumbers({1, NAN}, {0, 3}, {0.5, -0.0});
  ASSERT_TRUE(core::UnpackNumbers(good, &numbers));
  EXPECT_EQ(numbers.slots, (std::vector<uint32_t>{0, 3}));
  EXPECT_TRUE(std::isnan(numbers.values[1]));
  EXPECT_TRUE(std::signbit(numbers.params[1]));
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(core::UnpackNumbers(good.substr(0, size), &numbers)) << size;
  }
  EXPECT_FALSE(core::UnpackNumbers(good + "x", &numbers));
}

TEST(PackedTrialTest, ManyGoThroughInOrder) {
  core::PackedTrials trials;
  const std::string rest(3000, 'x');
  for (int64_t id = 0; id < 2000; ++id) {
    trials.Add({id, 1, id, v1::TRIAL_STATE_FAIL, id % 2 == 0, absl::StrCat(id), rest});
  }
  int64_t next = 0;
  trials.Drain([&](const core::PackedTrial& trial) {
    EXPECT_EQ(trial.trial_id, next);
    EXPECT_EQ(std::string(trial.numbers), absl::StrCat(next));
    EXPECT_EQ(trial.rest.size(), rest.size());
    EXPECT_EQ(trial.has_extras, next % 2 == 0);
    ++next;
  });
  EXPECT_EQ(next, 2000);
  EXPECT_EQ(trials.size(), 0u);
}

}  // namespace
}  // namespace vlm::storage
