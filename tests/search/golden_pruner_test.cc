// Pruners against what Optuna 5 itself decided (make_golden_pruners.py), report by report.
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "server/search/pruner.h"

namespace vlm::search {
namespace {

using Words = std::vector<std::string>;

struct GoldenCase {
  std::string title;
  StudyView study;
  v1::PrunerConfig config;
  std::vector<Words> events;
};

double Number(const std::string& text) { return std::strtod(text.c_str(), nullptr); }

// Options as the configuration's defaults fill them in.
v1::PrunerConfig Defaults(const std::string& name) {
  v1::PrunerConfig config;
  config.set_name(name);
  config.set_n_startup_trials(5);
  config.set_interval_steps(1);
  config.set_n_min_trials(1);
  config.set_reduction_factor(name == "hyperband" ? 3 : 4);
  if (name == "hyperband") config.set_min_resource(1);
  config.set_p_threshold(0.1);
  config.set_n_startup_steps(2);
  return config;
}

void SetOption(const std::string& key, const std::string& text, v1::PrunerConfig* config) {
  const auto* field = config->GetDescriptor()->FindFieldByName(key);
  ASSERT_NE(field, nullptr) << key;
  const auto* reflection = config->GetReflection();
  if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_INT64) {
    int64_t value = 0;
    ASSERT_TRUE(absl::SimpleAtoi(text, &value)) << key << " " << text;
    reflection->SetInt64(config, field, value);
  } else if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_DOUBLE) {
    reflection->SetDouble(config, field, Number(text));
  } else {
    reflection->SetString(config, field, text);
  }
}

std::vector<GoldenCase> ReadCases() {
  std::ifstream in(std::string(std::getenv("VLM_SOURCE_DIR")) + "/tests/search/golden_pruners.txt");
  std::vector<GoldenCase> cases;
  std::string line;
  while (std::getline(in, line)) {
    Words words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words[0] != "case") {
      cases.back().events.push_back(std::move(words));
      continue;
    }
    GoldenCase& next = cases.emplace_back();
    next.title = line;
    next.study.name = words[2];
    next.study.directions = {words[1] == "maximize" ? v1::DIRECTION_MAXIMIZE
                                                    : v1::DIRECTION_MINIMIZE};
    next.config = Defaults(words[3].substr(words[3].find('=') + 1));
    for (size_t i = 4; i < words.size(); ++i) {
      const std::pair<std::string, std::string> option = absl::StrSplit(words[i], '=');
      SetOption(option.first, option.second, &next.config);
    }
  }
  return cases;
}

// A study that is replayed. After every decision the pruner is made anew, as after a restart.
class Replay {
 public:
  explicit Replay(const GoldenCase& golden) : golden_(golden), study_(golden.study) {
    study_.trials = &trials_;
  }

  void Run() {
    for (const Words& event : golden_.events) {
      const auto number = static_cast<size_t>(Number(event[1]));
      if (event[0] == "s") {
        TrialView& started = trials_.emplace_back();
        started.set_number(static_cast<int64_t>(number));
        started.set_state(v1::TRIAL_STATE_RUNNING);
        attributes_.emplace_back();
      } else if (event[0] == "r") {
        Report(number, event);
      } else if (event[0] == "c") {
        attributes_[number]["constraints:memory"] = event[2];
        trials_.Edit(number).mutable_extras().constraints = ReadConstraints(attributes_[number]);
      } else {
        End(trials_.Edit(number), event);
      }
    }
  }
  int decisions() const { return decisions_; }
  int pruned() const { return pruned_; }

 private:
  void Report(size_t number, const Words& event) {
    TrialView& trial = trials_.Edit(number);
    trial.mutable_extras().intermediate_values.try_emplace(static_cast<int64_t>(Number(event[2])),
                                                           Number(event[3]));
    const auto pruner = MakePruner(golden_.config);
    ASSERT_TRUE(pruner.ok()) << pruner.status();
    const PruneDecision decision = (*pruner)->Judge(study_, trial.number());
    for (const auto& [key, json] : decision.attributes) attributes_[number][key] = json;
    ReadAttributes(attributes_[number], &trial);
    EXPECT_EQ(decision.prune, event[4] == "1")
        << golden_.title << ": trial " << number << " at step " << event[2] << ", " << event[3];
    ++decisions_;
    pruned_ += decision.prune;
  }
  void End(TrialView& trial, const Words& event) {
    trial.set_state(event[2] == "COMPLETE" ? v1::TRIAL_STATE_COMPLETE
                    : event[2] == "PRUNED" ? v1::TRIAL_STATE_PRUNED
                                           : v1::TRIAL_STATE_FAIL);
    if (event[3] != "-") trial.set_values({Number(event[3])});
    std::vector<double> rungs;
    for (size_t i = 4; i < event.size(); ++i) rungs.push_back(Number(event[i]));
    EXPECT_EQ(trial.rungs(), rungs) << golden_.title << ": trial " << trial.number();
  }

  const GoldenCase& golden_;
  StudyView study_;
  Trials trials_;
  std::vector<google::protobuf::Map<std::string, std::string>> attributes_;
  int decisions_ = 0;
  int pruned_ = 0;
};

TEST(GoldenPrunerTest, EveryDecisionIsOptunas) {
  int decisions = 0;
  int pruned = 0;
  for (const GoldenCase& golden : ReadCases()) {
    Replay replay(golden);
    replay.Run();
    decisions += replay.decisions();
    pruned += replay.pruned();
  }
  EXPECT_GE(decisions, 5000);
  EXPECT_GE(pruned, 500);
  RecordProperty("decisions", decisions);
}

}  // namespace
}  // namespace vlm::search
