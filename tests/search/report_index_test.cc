// The index that pruners ask, against a look at every trial: in random histories, in which trials
// also change after their end, both decide alike.
#include "server/search/report_index.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <random>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/search/hyperband_pruner.h"
#include "server/search/pruner.h"

namespace vlm::search {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

TEST(SortedNumbersTest, KeepOrderAndCountsThroughManyChanges) {
  std::mt19937 random(3);
  SortedNumbers numbers;
  std::vector<double> plain;
  for (int i = 0; i < 20'000; ++i) {
    // Few distinct values, so that equal ones cross the borders of pieces.
    const double value = random() % 50 == 0 ? (random() % 2 == 0 ? kInf : -kInf)
                                            : static_cast<double>(random() % 700) / 8;
    if (random() % 3 == 0 && !plain.empty()) {
      const size_t at = random() % plain.size();
      numbers.Remove(plain[at]);
      plain.erase(plain.begin() + static_cast<ptrdiff_t>(at));
    } else {
      numbers.Add(value);
      plain.insert(std::upper_bound(plain.begin(), plain.end(), value), value);
    }
    ASSERT_EQ(numbers.size(), plain.size());
    const auto [low, high] = std::equal_range(plain.begin(), plain.end(), value);
    ASSERT_EQ(numbers.CountBelow(value), static_cast<size_t>(low - plain.begin()));
    ASSERT_EQ(numbers.CountAbove(value), static_cast<size_t>(plain.end() - high));
    if (plain.empty()) continue;
    const size_t position = random() % plain.size();
    ASSERT_EQ(numbers.At(position), plain[position]);
  }
  EXPECT_GT(numbers.size(), 4000u);
  for (double value : plain) numbers.Remove(value);
  EXPECT_TRUE(numbers.empty());
  EXPECT_EQ(numbers.CountBelow(kInf), 0u);
}

// The same decisions by scanning all trials at each report, as the pruners themselves once did.
class Scan {
 public:
  Scan(const v1::PrunerConfig& config, const Trials& trials, bool maximize)
      : config_(config), trials_(trials), maximize_(maximize) {}

  bool Percentile(const TrialView& trial) const {
    std::vector<double> others;
    int64_t complete = 0;
    int64_t reported = 0;
    const int64_t step = trial.intermediate_values().rbegin()->first;
    for (const TrialView& other : trials_) {
      if (other.state() != v1::TRIAL_STATE_COMPLETE) continue;
      ++complete;
      const auto it = other.intermediate_values().find(step);
      if (it == other.intermediate_values().end()) continue;
      ++reported;
      if (!std::isnan(it->second)) others.push_back(it->second);
    }
    if (complete == 0 || complete < config_.n_startup_trials()) return false;
    double best = NAN;
    for (const auto& [at, value] : trial.intermediate_values()) {
      if (std::isnan(value)) continue;
      if (std::isnan(best) || (maximize_ ? value > best : value < best)) best = value;
    }
    if (std::isnan(best)) return true;
    if (others.empty() || reported < config_.n_min_trials()) return false;
    std::sort(others.begin(), others.end());
    const double percent = maximize_ ? 100 - config_.percentile() : config_.percentile();
    const double last = static_cast<double>(others.size() - 1);
    const double position = last * (percent / 100.0);
    const double below = position >= last ? last : std::floor(position);
    const double a = others[static_cast<size_t>(below)];
    const double b = others[static_cast<size_t>(std::min(below + 1, last))];
    const double t = position - below;
    const double bar = t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t;
    return maximize_ ? best < bar : best > bar;
  }

  bool Halving(const TrialView& trial, int64_t resource, int64_t rate,
               const std::function<bool(const TrialView&)>& competes) const {
    const auto [step, value] = *trial.intermediate_values().rbegin();
    for (size_t rung = trial.rungs().size();; ++rung) {
      int64_t needed = resource;
      for (size_t i = 0; i < static_cast<size_t>(rate) + rung; ++i) {
        needed *= config_.reduction_factor();
      }
      if (step < needed) return false;
      if (std::isnan(value)) return true;
      std::vector<double> values{value};
      for (const TrialView& other : trials_) {
        if (other.rungs().size() > rung && competes(other)) values.push_back(other.rungs()[rung]);
      }
      const auto count = static_cast<int64_t>(values.size());
      if (count <= config_.bootstrap_count()) return true;
      const auto place =
          static_cast<size_t>(std::max<int64_t>(count / config_.reduction_factor() - 1, 0));
      std::sort(values.begin(), values.end());
      const bool goes_on =
          maximize_ ? value >= values[values.size() - 1 - place] : value <= values[place];
      if (!goes_on) return true;
    }
  }

  int64_t Longest() const {
    int64_t longest = -1;
    for (const TrialView& trial : trials_) {
      if (trial.state() != v1::TRIAL_STATE_COMPLETE || trial.intermediate_values().empty())
        continue;
      longest = std::max(longest, trial.intermediate_values().rbegin()->first);
    }
    return longest;
  }

  int64_t Stored() const {
    for (const TrialView& trial : trials_) {
      if (trial.pruner_resource() > 0) return trial.pruner_resource();
    }
    return 0;
  }

  const TrialView* Best() const {
    const TrialView* best = nullptr;
    for (const TrialView& trial : trials_) {
      if (trial.state() != v1::TRIAL_STATE_COMPLETE || trial.values().empty()) continue;
      if (!trial.feasible()) continue;
      if (best == nullptr || (maximize_ ? trial.values()[0] > best->values()[0]
                                        : trial.values()[0] < best->values()[0])) {
        best = &trial;
      }
    }
    return best;
  }

  bool Prunes(const TrialView& trial) const {
    if (config_.name() == "percentile") return Percentile(trial);
    int64_t resource = Stored();
    if (config_.name() == "successive_halving") {
      if (config_.has_min_resource()) resource = config_.min_resource();
      if (resource == 0) {
        if (Longest() < 0) return false;
        resource = std::max<int64_t>(Longest() / 100, 1);
      }
      return Halving(trial, resource, 0, [](const TrialView&) { return true; });
    }
    if (resource == 0) resource = Longest() + 1;
    if (resource == 0) return false;
    const auto budgets =
        HyperbandPruner::Budgets(config_.min_resource(), resource, config_.reduction_factor());
    if (budgets.empty()) return false;
    const auto bracket = [&](int64_t number) {
      return HyperbandPruner::Bracket(budgets, "s", number);
    };
    const size_t own = bracket(trial.number());
    return Halving(trial, config_.min_resource(), static_cast<int64_t>(own),
                   [&](const TrialView& other) { return bracket(other.number()) == own; });
  }

 private:
  const v1::PrunerConfig& config_;
  const Trials& trials_;
  const bool maximize_;
};

// A study with random trials that runs on for many reports.
class History {
 public:
  History(const v1::PrunerConfig& config, bool maximize, unsigned seed)
      : config_(config), maximize_(maximize), random_(seed), pruner_(*MakePruner(config)) {
    study_.name = "s";
    study_.directions = {maximize ? v1::DIRECTION_MAXIMIZE : v1::DIRECTION_MINIMIZE};
    study_.trials = &trials_;
    study_.reports = &index_;
  }

  void Run(int events) {
    for (int i = 0; i < events; ++i) {
      const auto what = random_() % 20;
      if (what == 0 || running_.empty()) {
        Start();
      } else if (what == 1) {
        End();
      } else if (what == 2) {
        ChangeAnEndedOne();
      } else {
        Report();
      }
      ASSERT_EQ(index_.Best(trials_, maximize_), Scan(config_, trials_, maximize_).Best()) << i;
    }
  }
  int decisions() const { return decisions_; }
  int pruned() const { return pruned_; }

 private:
  // Few distinct values: many are equal.
  double Value() {
    const auto kind = random_() % 40;
    if (kind == 0) return NAN;
    if (kind == 1) return random_() % 2 == 0 ? kInf : -kInf;
    return static_cast<double>(random_() % 60);
  }
  void Set(TrialView view) {
    const auto number = static_cast<size_t>(view.number());
    index_.Replace(number < trials_.size() ? trials_[number] : TrialView(), view);
    trials_.Set(number, std::make_shared<const TrialView>(std::move(view)));
  }
  void Start() {
    TrialView view;
    view.set_number(static_cast<int64_t>(trials_.size()));
    view.set_state(v1::TRIAL_STATE_RUNNING);
    running_.push_back(trials_.size());
    attributes_.emplace_back();
    Set(std::move(view));
  }
  void End() {
    const size_t at = random_() % running_.size();
    TrialView view = trials_[running_[at]];
    running_.erase(running_.begin() + static_cast<ptrdiff_t>(at));
    view.set_state(random_() % 4 != 0   ? v1::TRIAL_STATE_COMPLETE
                   : random_() % 2 == 0 ? v1::TRIAL_STATE_PRUNED
                                        : v1::TRIAL_STATE_FAIL);
    view.set_values({static_cast<double>(random_() % 30)});
    if (random_() % 3 == 0) view.mutable_extras().constraints = {random_() % 2 == 0 ? 1.0 : -1.0};
    Set(std::move(view));
  }
  // As another program may.
  void ChangeAnEndedOne() {
    TrialView view = trials_[random_() % trials_.size()];
    if (view.state() == v1::TRIAL_STATE_RUNNING) return;
    if (random_() % 2 == 0) {
      view.set_state(random_() % 2 == 0 ? v1::TRIAL_STATE_FAIL : v1::TRIAL_STATE_COMPLETE);
    }
    view.set_values({static_cast<double>(random_() % 30)});
    view.mutable_extras().intermediate_values[random_() % 5] = Value();
    view.mutable_extras().rungs.assign(random_() % 3, 20);
    Set(std::move(view));
  }
  void Report() {
    const size_t number = running_[random_() % running_.size()];
    TrialView view = trials_[number];
    const auto& known = view.intermediate_values();
    const int64_t step = known.empty() ? 0 : known.rbegin()->first + 1 + random_() % 2;
    view.mutable_extras().intermediate_values[step] = Value();
    Set(view);
    const bool expected = Scan(config_, trials_, maximize_).Prunes(trials_[number]);
    const PruneDecision decision = pruner_->Judge(study_, static_cast<int64_t>(number));
    ASSERT_EQ(decision.prune, expected) << config_.ShortDebugString() << " trial " << number;
    for (const auto& [key, json] : decision.attributes) attributes_[number][key] = json;
    ReadAttributes(attributes_[number], &view);
    Set(std::move(view));
    ++decisions_;
    pruned_ += decision.prune;
  }

  const v1::PrunerConfig config_;
  const bool maximize_;
  std::mt19937 random_;
  std::unique_ptr<Pruner> pruner_;
  Trials trials_;
  ReportIndex index_;
  StudyView study_;
  std::vector<size_t> running_;
  std::vector<google::protobuf::Map<std::string, std::string>> attributes_;
  int decisions_ = 0;
  int pruned_ = 0;
};

std::vector<v1::PrunerConfig> Configs() {
  std::vector<v1::PrunerConfig> configs;
  const auto add = [&](const char* name) {
    v1::PrunerConfig& config = configs.emplace_back();
    config.set_name(name);
    config.set_n_startup_trials(3);
    config.set_interval_steps(1);
    config.set_n_min_trials(2);
    config.set_percentile(30);
    config.set_reduction_factor(3);
    return &config;
  };
  add("percentile");
  add("successive_halving");
  add("successive_halving")->set_min_resource(1);
  v1::PrunerConfig* config = add("successive_halving");
  config->set_min_resource(2);
  config->set_bootstrap_count(4);
  add("hyperband")->set_min_resource(1);
  return configs;
}

TEST(ReportIndexTest, DecidesAsALookAtEveryTrialDoes) {
  int decisions = 0;
  int pruned = 0;
  for (const v1::PrunerConfig& config : Configs()) {
    for (unsigned seed = 0; seed < 8; ++seed) {
      History history(config, seed % 2 == 1, seed);
      history.Run(1500);
      if (::testing::Test::HasFatalFailure()) return;
      EXPECT_GT(history.pruned(), 20) << config.ShortDebugString();
      decisions += history.decisions();
      pruned += history.pruned();
    }
  }
  EXPECT_GT(decisions, 40'000);
  EXPECT_LT(pruned, decisions - 5'000);
  RecordProperty("decisions", decisions);
}

}  // namespace
}  // namespace vlm::search
