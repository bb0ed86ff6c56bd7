// Samplers against what Optuna 5 itself suggested (make_golden.py), value by value.
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "gtest/gtest.h"
#include "server/search/sampler.h"

namespace vlm::search {
namespace {

struct GoldenTrial {
  std::vector<double> values;  // Internal, in suggestion order.
  v1::TrialState state;
  int64_t report_step;
  double value;
};
struct GoldenCase {
  std::string name;
  std::string space;
  std::vector<GoldenTrial> trials;
};

v1::SearchParam FloatParam(const std::string& name, double low, double high, bool log,
                           double step = 0) {
  v1::SearchParam param;
  param.set_name(name);
  auto* range = param.mutable_distribution()->mutable_float_distribution();
  range->set_low(low);
  range->set_high(high);
  range->set_log(log);
  if (step > 0) range->set_step(step);
  return param;
}

v1::SearchParam Choices(const std::string& name, int count) {
  v1::SearchParam param;
  param.set_name(name);
  for (int i = 0; i < count; ++i) {
    param.mutable_distribution()->mutable_categorical_distribution()->add_choices()->set_int_value(
        i);
  }
  return param;
}

Space SpaceOf(const std::string& name) {
  if (name == "default") {
    return {FloatParam("learning_rate", 1e-3, 6e-3, true), Choices("batch_size", 4),
            Choices("n_embd", 3)};
  }
  v1::SearchParam layers;
  layers.set_name("layers");
  layers.mutable_distribution()->mutable_int_distribution()->set_low(1);
  layers.mutable_distribution()->mutable_int_distribution()->set_high(100000);
  layers.mutable_distribution()->mutable_int_distribution()->set_step(1);
  layers.mutable_distribution()->mutable_int_distribution()->set_log(true);
  return {FloatParam("learning_rate", 1e-5, 1e-1, true), FloatParam("dropout", 0, 0.5, false),
          FloatParam("momentum", 0, 1, false, 0.125), Choices("schedule", 2), layers};
}

std::vector<GoldenCase> ReadCases() {
  std::ifstream in(std::string(std::getenv("VLM_SOURCE_DIR")) + "/tests/search/golden.txt");
  std::vector<GoldenCase> cases;
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string word;
    if (line.rfind("case ", 0) == 0) {
      GoldenCase& next = cases.emplace_back();
      words >> word >> next.name >> next.space;
      continue;
    }
    GoldenTrial& trial = cases.back().trials.emplace_back();
    while (words >> word && word.find('x') != std::string::npos) {
      trial.values.push_back(std::strtod(word.c_str(), nullptr));
    }
    trial.state = word == "FAIL"     ? v1::TRIAL_STATE_FAIL
                  : word == "PRUNED" ? v1::TRIAL_STATE_PRUNED
                                     : v1::TRIAL_STATE_COMPLETE;
    words >> trial.report_step >> word;
    trial.value = std::strtod(word.c_str(), nullptr);
  }
  return cases;
}

// Replays a study; the largest relative difference to Optuna's values, and how many differ at all.
void Replay(const GoldenCase& golden, double* worst, int* different) {
  const Space space = SpaceOf(golden.space);
  v1::SamplerConfig config;
  config.set_name(golden.name.substr(0, golden.name.find('-')));
  config.set_n_startup_trials(10);
  config.set_n_ei_candidates(24);
  config.set_constant_liar(true);
  const auto seed = static_cast<uint32_t>(std::stoi(golden.name.substr(golden.name.find('-') + 1)));
  auto sampler = *MakeSampler(config, seed);
  std::vector<TrialView> trials;
  const StudyView study{golden.name, {v1::DIRECTION_MINIMIZE}, &trials};
  for (const GoldenTrial& trial : golden.trials) {
    TrialView& view = trials.emplace_back();
    view.number = static_cast<int64_t>(trials.size()) - 1;
    view.state = v1::TRIAL_STATE_RUNNING;
    const auto params = Suggest(*sampler, study, view.number, space);
    ASSERT_TRUE(params.ok()) << params.status();
    for (size_t i = 0; i < space.size(); ++i) {
      const double ours = *ToInternal(space[i].distribution(), (*params)[i].value());
      const double theirs = trial.values[i];
      *worst = std::max(*worst, std::abs(ours - theirs) / std::max(1e-12, std::abs(theirs)));
      *different += ours != theirs;
      // The history is theirs, so that one difference does not become many.
      view.params.emplace_back(space[i].name(), theirs);
      view.distributions.push_back(space[i].distribution());
    }
    view.state = trial.state;
    if (trial.state != v1::TRIAL_STATE_FAIL) view.values = {trial.value};
    if (trial.state == v1::TRIAL_STATE_PRUNED) {
      view.intermediate_values[trial.report_step] = trial.value;
    }
  }
}

class GoldenTest : public ::testing::TestWithParam<size_t> {};

TEST_P(GoldenTest, EveryValueIsOptunas) {
  const GoldenCase golden = ReadCases().at(GetParam());
  double worst = 0;
  int different = 0;

  Replay(golden, &worst, &different);

  EXPECT_LE(worst, 1e-12) << golden.name << " " << golden.space << ": " << different << " differ";
}

INSTANTIATE_TEST_SUITE_P(All, GoldenTest, ::testing::Range<size_t>(0, 8));

}  // namespace
}  // namespace vlm::search
