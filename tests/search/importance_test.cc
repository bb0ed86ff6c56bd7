// Importances against what Optuna 5 itself evaluates (make_golden_importance.py), and bad
// questions.
#include "server/search/importance.h"

#include <cstdlib>
#include <fstream>
#include <limits>

#include "gmock/gmock.h"
#include "nlohmann/json.hpp"

namespace vlm::search {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

v1::Distribution RangeOf(const json& range) {
  v1::Distribution out;
  if (range.contains("choices")) {
    for (int i = 0; i < range["choices"].get<int>(); ++i) {
      out.mutable_categorical_distribution()->add_choices()->set_int_value(i);
    }
  } else if (range["kind"] == "int") {
    auto* d = out.mutable_int_distribution();
    d->set_low(range["low"]);
    d->set_high(range["high"]);
    d->set_step(range["step"]);
    d->set_log(range["log"]);
  } else {
    auto* d = out.mutable_float_distribution();
    d->set_low(range["low"]);
    d->set_high(range["high"]);
    if (!range["step"].is_null()) d->set_step(range["step"]);
    d->set_log(range["log"]);
  }
  return out;
}

v1::Trial TrialOf(const json& row, const json& ranges) {
  v1::Trial trial;
  v1::TrialState state = v1::TRIAL_STATE_UNSPECIFIED;
  EXPECT_TRUE(v1::TrialState_Parse("TRIAL_STATE_" + row["state"].get<std::string>(), &state));
  trial.set_state(state);
  for (const json& value : row["values"]) {
    trial.add_values(value.is_string() ? std::numeric_limits<double>::infinity()
                                       : value.get<double>());
  }
  for (const json& given : row["params"]) {
    v1::Param& param = *trial.add_params();
    param.set_name(given[0]);
    *param.mutable_distribution() = RangeOf(ranges.at(given[2].get<size_t>()));
    if (param.distribution().has_float_distribution()) {
      param.mutable_value()->set_float_value(given[1]);
    } else {
      param.mutable_value()->set_int_value(given[1]);
    }
  }
  return trial;
}

struct Study {
  std::vector<v1::Trial> trials;
  std::vector<v1::Direction> directions;
  ImportanceOptions options;
};

Study StudyOf(const json& row) {
  Study out;
  for (const json& trial : row["trials"]) out.trials.push_back(TrialOf(trial, row["ranges"]));
  for (const bool maximize : row["maximize"]) {
    out.directions.push_back(maximize ? v1::DIRECTION_MAXIMIZE : v1::DIRECTION_MINIMIZE);
  }
  if (!row["objective"].is_null()) out.options.objective = row["objective"].get<int>();
  out.options.target_quantile = row.value("target", 0.1);
  out.options.region_quantile = row.value("region", 1.0);
  return out;
}

std::vector<json> Rows(const std::string& file = "golden_importance.jsonl") {
  std::ifstream in(std::string(std::getenv("VLM_SOURCE_DIR")) + "/tests/search/" + file);
  std::vector<json> rows;
  std::string line;
  while (std::getline(in, line)) rows.push_back(json::parse(line));
  return rows;
}

TEST(ImportanceTest, EqualsOptuna) {
  const std::vector<json> rows = Rows();
  ASSERT_GE(rows.size(), 13u);
  for (const json& row : rows) {
    SCOPED_TRACE(row["name"].get<std::string>());
    const Study study = StudyOf(row);
    const auto found = ParamImportances(study.trials, study.directions, study.options);
    ASSERT_TRUE(found.ok()) << found.status();
    ASSERT_EQ(found->params.size(), row["importances"].size());
    double last = 1;
    for (const auto& [name, value] : found->params) {
      EXPECT_NEAR(value, row["importances"].at(name).get<double>(), 1e-10) << name;
      EXPECT_LE(value, last) << "not in descending order";
      last = value;
    }
  }
}

// Two seeds of Optuna differ as much: trees grow at random (make_golden_fanova.py).
TEST(FanovaTest, IsNearOptunasMeanAndInItsOrder) {
  const std::vector<json> rows = Rows("golden_fanova.jsonl");
  ASSERT_EQ(rows.size(), 6u);
  for (const json& row : rows) {
    SCOPED_TRACE(row["name"].get<std::string>());
    const Study study = StudyOf(row);
    const auto found = FanovaImportances(study.trials, study.directions, study.options.objective);
    ASSERT_TRUE(found.ok()) << found.status();
    const json& mean = row["importances"];
    const json& spread = row["spread"];
    ASSERT_EQ(found->params.size(), mean.size());
    double sum = 0;
    for (const auto& [name, value] : found->params) {
      EXPECT_NEAR(value, mean.at(name).get<double>(), 4 * spread.at(name).get<double>() + 0.002)
          << name;
      sum += value;
    }
    EXPECT_NEAR(sum, 1, 1e-12);
    for (size_t i = 1; i < found->params.size(); ++i) {
      const std::string& before = found->params[i - 1].first;
      const std::string& after = found->params[i].first;
      const double noise = spread.at(before).get<double>() + spread.at(after).get<double>();
      EXPECT_GE(mean.at(before).get<double>(), mean.at(after).get<double>() - 4 * noise - 0.002)
          << before << " before " << after;
    }
  }
}

TEST(FanovaTest, ADependenceOnOneParameterAloneIsAllThereIs) {
  std::vector<v1::Trial> trials;
  for (int i = 0; i < 200; ++i) {
    v1::Trial& trial = trials.emplace_back();
    trial.set_state(v1::TRIAL_STATE_COMPLETE);
    for (const int choices : {3, 40}) {
      v1::Param& param = *trial.add_params();
      param.set_name(choices == 3 ? "counts" : "many");
      auto* range = param.mutable_distribution()->mutable_categorical_distribution();
      for (int c = 0; c < choices; ++c) range->add_choices()->set_int_value(c);
      param.mutable_value()->set_int_value((i * 7919 / 5) % choices);
    }
    trial.add_values(trial.params(0).value().int_value() == 1 ? 5 : 2);
  }
  const auto found = FanovaImportances(trials, {v1::DIRECTION_MAXIMIZE}, std::nullopt);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->params[0].first, "counts");
  EXPECT_NEAR(found->params[0].second, 1, 1e-9);
}

TEST(FanovaTest, WhatItCannotExplainIsRefused) {
  const std::vector<json> rows = Rows("golden_fanova.jsonl");
  Study two = StudyOf(rows[3]);
  EXPECT_EQ(FanovaImportances(two.trials, two.directions, std::nullopt).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FanovaImportances(two.trials, two.directions, 2).status().code(),
            absl::StatusCode::kInvalidArgument);
  for (v1::Trial& trial : two.trials) {
    if (trial.values_size() > 0) trial.set_values(0, 7);
  }
  const auto equal = FanovaImportances(two.trials, two.directions, 0).status();
  EXPECT_EQ(equal.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(equal.message()), HasSubstr("the same value"));
  two.trials.resize(1);
  EXPECT_EQ(FanovaImportances(two.trials, two.directions, 0).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(FanovaTest, TrialsWithoutACommonParameterLeaveNothing) {
  Study study = StudyOf(Rows("golden_fanova.jsonl").front());
  for (size_t i = 0; i < study.trials.size(); i += 2) study.trials[i].clear_params();
  const auto found = FanovaImportances(study.trials, study.directions, std::nullopt);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_TRUE(found->params.empty());
}

TEST(ImportanceTest, QuantilesAndObjectivesOutOfRangeAreRefused) {
  const Study study = StudyOf(Rows().front());
  for (const auto& [target, region] : {std::pair{0.0, 1.0}, {0.5, 0.5}, {0.1, 1.1}, {-1.0, 1.0}}) {
    ImportanceOptions options;
    options.target_quantile = target;
    options.region_quantile = region;
    EXPECT_EQ(ParamImportances(study.trials, study.directions, options).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  for (const int objective : {-1, 1}) {
    ImportanceOptions options;
    options.objective = objective;
    const auto refused = ParamImportances(study.trials, study.directions, options).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(refused.message()), HasSubstr(std::to_string(objective)));
  }
}

TEST(ImportanceTest, TooFewFiniteTrialsAreRefused) {
  Study study = StudyOf(Rows().front());
  for (v1::Trial& trial : study.trials) {
    if (trial.values_size() > 0) trial.set_values(0, std::numeric_limits<double>::infinity());
  }
  EXPECT_EQ(ParamImportances(study.trials, study.directions, {}).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(ImportanceTest, AValueOutsideItsRangeIsLeftOut) {
  Study study = StudyOf(Rows().back());
  study.options.objective = 0;
  for (v1::Param& param : *study.trials.front().mutable_params()) {
    param.mutable_value()->set_string_value("from another program");
  }
  EXPECT_TRUE(ParamImportances(study.trials, study.directions, study.options).ok());
}

}  // namespace
}  // namespace vlm::search
