// Samplers that are Optuna's in distribution, not in each value: on known functions they must come
// as near to the optimum as Optuna's own runs, whose figures make_quality.py wrote down.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "server/search/cma_es.h"
#include "tests/search/golden_file.h"

namespace vlm::search {
namespace {

constexpr uint32_t kSeeds = 11;
constexpr double kSlack = 0.7;  // Of the median's logarithm; medians of 11 runs scatter so much.

struct Line {
  std::string sampler;
  std::string function;
  int dimensions = 0;
  int trials = 0;
  double median = 0;
  double worst = 0;
};

std::vector<Line> ReadLines() {
  std::ifstream in(std::string(std::getenv("VLM_SOURCE_DIR")) + "/tests/search/quality.txt");
  std::vector<Line> lines;
  Line line;
  while (in >> line.sampler >> line.function >> line.dimensions >> line.trials >> line.median >>
         line.worst) {
    lines.push_back(line);
  }
  return lines;
}

double Evaluate(const std::string& function, const std::vector<double>& x) {
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double d = (x[i] - 1) * (x[i] - 1);
    const double place = static_cast<double>(i) / static_cast<double>(x.size() - 1);
    if (function == "sphere") sum += d;
    if (function == "ellipsoid") sum += std::pow(1000.0, place) * d;
    if (function == "rosenbrock" && i + 1 < x.size()) {
      sum += 100 * std::pow(x[i + 1] - x[i] * x[i], 2) + d;
    }
  }
  return sum;
}

// log10 of the best loss of a study.
double Best(const Line& line, uint32_t seed) {
  v1::SamplerConfig config;
  config.set_name("cmaes");
  config.set_n_startup_trials(1);
  config.set_separable(line.sampler == "cmaes-separable");
  auto sampler = *MakeSampler(config, seed);
  Space space;
  for (int i = 0; i < line.dimensions; ++i) {
    space.push_back(FloatParam(absl::StrCat("x", i), -5, 5, false));
  }
  Trials trials;
  const StudyView study{"quality", {v1::DIRECTION_MINIMIZE}, &trials};
  double best = HUGE_VAL;
  for (int number = 0; number < line.trials; ++number) {
    TrialView view;
    view.set_number(number);
    view.set_state(v1::TRIAL_STATE_COMPLETE);
    std::vector<double> x;
    const auto params = Suggest(*sampler, study, number, space);
    EXPECT_TRUE(params.ok()) << params.status();
    for (const v1::Param& param : *params) {
      x.push_back(param.value().float_value());
      view.AddParam(param.name(), param.distribution(), x.back());
    }
    const double value = Evaluate(line.function, x);
    view.set_values({value});
    best = std::min(best, value);
    trials.push_back(std::move(view));
    sampler->Observe(study, number);
  }
  return std::log10(best);
}

class QualityTest : public ::testing::TestWithParam<size_t> {};

TEST_P(QualityTest, ComesAsNearToTheOptimumAsOptuna) {
  const std::vector<Line> lines = ReadLines();
  ASSERT_EQ(lines.size(), 12u);
  const Line& line = lines[GetParam()];
  std::vector<double> losses;
  for (uint32_t seed = 0; seed < kSeeds; ++seed) losses.push_back(Best(line, seed));
  std::sort(losses.begin(), losses.end());
  EXPECT_LE(losses[kSeeds / 2], line.median + kSlack)
      << line.sampler << " " << line.function << " " << line.dimensions;
  EXPECT_LE(losses.back(), std::max(line.worst, line.median) + 2 * kSlack)
      << line.sampler << " " << line.function << " " << line.dimensions;
}

INSTANTIATE_TEST_SUITE_P(All, QualityTest, ::testing::Range<size_t>(0, 12));

TEST(SymmetricEigenTest, VectorsAndValuesMakeUpTheMatrix) {
  const std::vector<double> matrix = {4, 1, -2, 1, 3, 0.5, -2, 0.5, 5};
  std::vector<double> values;
  std::vector<double> vectors;
  SymmetricEigen(3, matrix, &values, &vectors);
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      double sum = 0;
      for (size_t k = 0; k < 3; ++k) sum += vectors[i * 3 + k] * values[k] * vectors[j * 3 + k];
      EXPECT_NEAR(sum, matrix[i * 3 + j], 1e-13);
    }
  }
}

}  // namespace
}  // namespace vlm::search
