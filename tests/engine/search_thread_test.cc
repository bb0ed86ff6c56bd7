// Questions for several trials at once.
#include "server/search_thread.h"

#include <optional>
#include <utility>

#include "common/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace vlm::server {
namespace {

core::SearchStudy Study(const std::string& sampler_state = "") {
  core::SearchStudy study;
  study.study_id = 1;
  study.name = "a";
  study.directions = {v1::DIRECTION_MINIMIZE};
  study.spec.set_seed(7);
  study.spec.mutable_sampler()->set_name("tpe");
  study.spec.mutable_sampler()->set_n_startup_trials(2);
  study.spec.mutable_sampler()->set_n_ei_candidates(24);
  study.spec.mutable_sampler()->set_constant_liar(true);  // Running trials count.
  study.sampler_state = sampler_state;
  for (const char* name : {"x", "y"}) {
    v1::SearchParam& param = *study.spec.add_search_space();
    param.set_name(name);
    param.mutable_distribution()->mutable_float_distribution()->set_high(1);
  }
  return study;
}

search::TrialPtr View(int64_t number, v1::TrialState state, const std::vector<v1::Param>& params) {
  search::TrialView view;
  view.set_number(number);
  view.set_state(state);
  double sum = 0;
  for (const v1::Param& param : params) {
    view.AddParam(param.name(), param.distribution(), param.value().float_value());
    sum += param.value().float_value();
  }
  if (state == v1::TRIAL_STATE_COMPLETE) view.set_values({&sum, 1});
  return std::make_shared<const search::TrialView>(std::move(view));
}

// A search thread and its only asker.
class Asker {
 public:
  core::Suggestion Ask(int64_t number, int64_t count) {
    thread_.Handle(core::SearchAsk{1, number, {}, count});
    MutexLock lock(mutex_);
    while (!answer_) answered_.Wait(mutex_);
    return *std::exchange(answer_, std::nullopt);
  }
  void Tell(int64_t number, v1::TrialState state, const std::vector<v1::Param>& params) {
    thread_.Handle(core::SearchTrial{1, View(number, state, params)});
  }
  void Announce(core::SearchStudy study) { thread_.Handle(std::move(study)); }
  // Six finished trials, so that TPE looks at them and at what runs.
  void Begin() {
    Announce(Study());
    for (int64_t i = 0; i < 6; ++i) Tell(i, v1::TRIAL_STATE_COMPLETE, *Ask(i, 1).params);
  }

 private:
  void Take(core::Suggestion suggestion) {
    MutexLock lock(mutex_);
    answer_ = std::move(suggestion);
    answered_.NotifyAll();
  }

  Mutex mutex_;
  CondVar answered_;
  std::optional<core::Suggestion> answer_ ABSL_GUARDED_BY(mutex_);
  SearchThread thread_{[this](core::Suggestion s) { Take(std::move(s)); }};
};

// Values, not messages, to be readable when they differ.
std::vector<double> Values(const std::vector<v1::Param>& params) {
  std::vector<double> values;
  for (const v1::Param& param : params) values.push_back(param.value().float_value());
  return values;
}

TEST(SearchThreadTest, SeveralAtOnceAreThoseThatOneByOneWouldBe) {
  Asker together;
  together.Begin();
  const core::Suggestion five = together.Ask(6, 5);
  ASSERT_EQ(five.more.size(), 4u);
  Asker alone;
  alone.Begin();
  core::Suggestion one;
  for (int64_t i = 6; i < 11; ++i) {
    one = alone.Ask(i, 1);
    alone.Tell(i, v1::TRIAL_STATE_RUNNING, *one.params);
    const auto& same = i == 6 ? *five.params : five.more[static_cast<size_t>(i - 7)];
    EXPECT_EQ(Values(*one.params), Values(same)) << i;
  }
  EXPECT_EQ(one.sampler_state, five.sampler_state);
}

TEST(SearchThreadTest, TrialsThatNeverCameAreForgotten) {
  Asker asker;
  asker.Begin();
  const std::string state = asker.Ask(6, 4).sampler_state;
  const core::Suggestion next = asker.Ask(6, 1);  // None of the four came about.
  Asker other;
  other.Begin();
  other.Announce(Study(state));  // The generators go on, the history is the same.
  EXPECT_EQ(Values(*next.params), Values(*other.Ask(6, 1).params));
}

TEST(SearchThreadTest, AnEndInTheMiddleGivesWhatThereWas) {
  core::SearchStudy study = Study();
  study.spec.mutable_sampler()->set_name("grid");
  study.spec.clear_search_space();
  v1::SearchParam& param = *study.spec.add_search_space();
  param.set_name("x");
  auto& range = *param.mutable_distribution()->mutable_int_distribution();
  range.set_high(2);
  range.set_step(1);
  Asker asker;
  asker.Announce(study);
  const core::Suggestion some = asker.Ask(0, 5);
  ASSERT_TRUE(some.params.ok());
  EXPECT_EQ(some.more.size(), 2u);
  asker.Tell(0, v1::TRIAL_STATE_RUNNING, *some.params);
  for (int64_t i = 0; i < 2; ++i) {
    asker.Tell(i + 1, v1::TRIAL_STATE_RUNNING, some.more[static_cast<size_t>(i)]);
  }
  EXPECT_EQ(asker.Ask(3, 2).params.status().code(), absl::StatusCode::kOutOfRange);
}

}  // namespace
}  // namespace vlm::server
