// Search spaces with conditions and fixed values; objectives, constraints, enqueued
// configurations and where a study begins.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/config/study_text.h"

namespace vlm::config {
namespace {

constexpr char kConditional[] =
    "  search_space:\n"
    "    optimizer.min_lr_ratio: {type: float, low: 0, high: 1, when: {optimizer.schedule: "
    "cosine}}\n"
    "    optimizer.decay_fraction: {choices: [0.1, 0.2], when: {optimizer.schedule: [wsd]}}\n"
    "    optimizer.schedule: [constant, cosine, wsd]\n"
    "    n_layer: 4\n"
    "    dropout: {value: 0.25, when: {n_layer: 4, optimizer.schedule: [cosine, wsd]}}\n";

TEST(SpaceConfigTest, ConditionsPutTheirNamesFirst) {
  const LoadResult result = LoadStudy(kConditional);

  ASSERT_TRUE(result.ok()) << AllIssues(result);
  std::vector<std::string> names;
  for (const auto& param : result.spec.search_space()) names.push_back(param.name());
  EXPECT_EQ(names, (std::vector<std::string>{"optimizer.schedule", "optimizer.min_lr_ratio",
                                             "optimizer.decay_fraction", "n_layer", "dropout"}));
  EXPECT_EQ(result.spec.search_space(1).when(0).values(0).string_value(), "cosine");
  EXPECT_EQ(result.spec.search_space(4).when_size(), 2);
}

TEST(SpaceConfigTest, AFixedValueIsARangeOfOne) {
  const LoadResult result = LoadStudy(kConditional);
  EXPECT_EQ(result.spec.search_space(3).distribution().int_distribution().low(), 4);
  EXPECT_EQ(result.spec.search_space(3).distribution().int_distribution().high(), 4);
  EXPECT_EQ(result.spec.search_space(4).distribution().float_distribution().high(), 0.25);
}

TEST(SpaceConfigTest, ARangeEndsAtItsLastStepAsInOptuna) {
  const LoadResult result = LoadStudy(
      "  search_space:\n"
      "    dropout: {type: float, low: 0, high: 0.7, step: 0.1}\n"
      "    emb_dropout: {type: float, low: 0.05, high: 0.5, step: 0.2}\n"
      "    n_layer: {type: int, low: 1, high: 8, step: 3}\n"
      "    num_blks: {type: int, low: 1, high: 7, step: 3}\n");
  ASSERT_TRUE(result.ok()) << AllIssues(result);
  const auto& space = result.spec.search_space();
  EXPECT_EQ(space[0].distribution().float_distribution().high(), 0.7);
  EXPECT_EQ(space[1].distribution().float_distribution().high(), 0.45);
  EXPECT_EQ(space[2].distribution().int_distribution().high(), 7);
  EXPECT_EQ(space[3].distribution().int_distribution().high(), 7);
  ASSERT_EQ(result.issues.size(), 2u) << AllIssues(result);
  EXPECT_EQ(
      FormatIssue(result.issues[0]),
      "/home/a.yaml:6:49: warning: study.search_space.emb_dropout: high 0.5 is not a step away "
      "from low; 0.45 is used");
}

TEST(SpaceConfigTest, WholeNumbersHaveNoFractionAsTheirStep) {
  const LoadResult result =
      LoadStudy("  search_space:\n    n_layer: {type: int, low: 1, high: 8, step: 0.5}\n");
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(FormatIssue(result.issues[0]),
            "/home/a.yaml:5:49: error: study.search_space.n_layer: step must be a whole number");
}

TEST(SpaceConfigTest, SizesThatNeverMeetAreNoFault) {
  const LoadResult result = LoadStudy(
      "  search_space:\n    num_head: [8, 6]\n"
      "    n_embd: {choices: [96], when: {num_head: 6}}\n    image_embed_dim: 768\n");
  EXPECT_TRUE(result.ok()) << AllIssues(result);
}

TEST(SpaceConfigTest, ObjectivesNameMetricsAndDirections) {
  const LoadResult result = LoadStudy(
      "  objectives:\n    - {metric: samples_per_s, direction: maximize}\n"
      "    - {metric: train_loss, direction: minimize}\n");
  ASSERT_TRUE(result.ok()) << AllIssues(result);
  EXPECT_EQ(result.spec.directions(0), v1::DIRECTION_MAXIMIZE);
  EXPECT_EQ(result.spec.metrics(1), "train_loss");
  EXPECT_EQ(result.spec.train().metric(), "train_loss");
  EXPECT_EQ(result.spec.pruner().name(), "none");
}

TEST(SpaceConfigTest, WrittenOutItReadsBackTheSame) {
  const LoadResult first = LoadStudy(absl::StrCat(
      kConditional,
      "  objectives: [{metric: val_loss, direction: minimize}, {metric: samples_per_s, direction: "
      "maximize}]\n"
      "  constraints: [{metric: peak_rss_mb, upper: 4000}, {name: 'it''s', metric: grad_norm, "
      "lower: 0.5, upper: 2}]\n"
      "  enqueue: [{optimizer.schedule: wsd, optimizer.decay_fraction: 0.1}, {}]\n"
      "  seed_from: {optuna_db: old.db, study: first}\n  pruner: pareto\n"));
  ASSERT_TRUE(first.ok()) << AllIssues(first);
  EXPECT_EQ(first.spec.seed_from().optuna_db(), "/home/old.db");
  LoadResult second = Load(ToYaml(first.spec), "/home/a.yaml");
  EXPECT_TRUE(second.issues.empty()) << AllIssues(second) << ToYaml(first.spec);
  v1::StudySpec expected = first.spec;
  expected.clear_source_text();
  second.spec.clear_source_text();
  EXPECT_EQ(ConfigHash(expected), ConfigHash(second.spec))
      << expected.DebugString() << second.spec.DebugString();
}

struct Fault {
  const char* text;  // Begins in line 4.
  int line;
  int column;
  const char* message;
  const char* suggestion;
};

class SpaceFaultTest : public ::testing::TestWithParam<Fault> {};

TEST_P(SpaceFaultTest, IsFoundWithItsPlaceAndARemedy) {
  const LoadResult result = LoadStudy(GetParam().text);

  ASSERT_FALSE(result.ok());
  const v1::ConfigIssue& issue = result.issues.front();
  EXPECT_EQ(issue.line(), GetParam().line) << AllIssues(result);
  EXPECT_EQ(issue.column(), GetParam().column) << AllIssues(result);
  EXPECT_TRUE(absl::StrContains(issue.message(), GetParam().message)) << AllIssues(result);
  EXPECT_TRUE(absl::StrContains(issue.suggestion(), GetParam().suggestion)) << AllIssues(result);
}

constexpr char kFourForGp[] =
    "  sampler: gp\n"
    "  objectives:\n"
    "    - {metric: val_loss, direction: minimize}\n"
    "    - {metric: train_loss, direction: minimize}\n"
    "    - {metric: grad_norm, direction: minimize}\n"
    "    - {metric: samples_per_s, direction: maximize}\n";

INSTANTIATE_TEST_SUITE_P(
    Samplers, SpaceFaultTest,
    ::testing::Values(
        Fault{kFourForGp, 4, 3, "gp takes up to 3 objectives, not 4", "nsga3"},
        Fault{"  sampler: cmaes\n  objectives: [{metric: val_loss, direction: minimize}, {metric: "
              "samples_per_s, direction: maximize}]\n",
              4, 3, "cmaes takes one objective", "nsga2"},
        Fault{"  sampler: {name: tpe, dividing_parameter: 4}\n", 4, 24,
              "is not used by the sampler tpe", "remove it"},
        Fault{"  sampler: {name: brute_force, avoid_premature_stop: maybe}\n", 4, 54,
              "\"maybe\" is not true or false", ""}));

INSTANTIATE_TEST_SUITE_P(
    Conditions, SpaceFaultTest,
    ::testing::Values(
        Fault{
            "  search_space:\n    n_layer: [2, 4]\n    dropout: {value: 0.1, when: {n_layr: 2}}\n",
            6, 34, "\"n_layr\" is no other searched parameter", "did you mean \"n_layer\"?"},
        Fault{"  search_space:\n    n_layer: {choices: [2], when: {n_layer: 2}}\n", 5, 36,
              "no other searched parameter", ""},
        Fault{
            "  search_space:\n    n_layer: [2, 4]\n    dropout: {value: 0.1, when: {n_layer: 3}}\n",
            6, 43, "3 is none of its values", ""},
        Fault{"  search_space:\n    n_layer: [2, 4]\n    dropout: {value: 0.1, when: [n_layer]}\n",
              6, 33, "must be a map of parameters", "such as"},
        Fault{"  search_space:\n    n_layer: [2, 4]\n    dropout: {value: 0.1, when: {n_layer: "
              "[]}}\n",
              6, 43, "at least one value", ""},
        Fault{"  search_space:\n    weight_decay: {type: float, low: 0, high: 1}\n"
              "    dropout: {value: 0.1, when: {weight_decay: 1}}\n",
              6, 34, "range of reals", "list of choices"},
        Fault{"  search_space:\n    n_layer: {choices: [2], when: {num_blks: 3}}\n"
              "    num_blks: {choices: [3], when: {n_layer: 2}}\n",
              5, 35, "n_layer -> num_blks -> n_layer", "remove one"},
        Fault{"  search_space:\n    n_layer: x\n", 5, 14, "not an integer", ""},
        Fault{"  search_space:\n    n_layer: {value: 4, low: 2}\n", 5, 22, "has no range", ""}));

INSTANTIATE_TEST_SUITE_P(
    Goals, SpaceFaultTest,
    ::testing::Values(
        Fault{"  objectives: [{metric: val_los, direction: minimize}]\n", 4, 25, "\"val_los\"",
              "did you mean \"val_loss\"?"},
        Fault{"  objectives: [{metric: val_loss}]\n", 4, 16, "none of minimize, maximize", ""},
        Fault{"  objectives: []\n", 4, 15, "at least one objective", ""},
        Fault{"  objectives: [{metric: val_loss, direction: minimize, weight: 2}]\n", 4, 56,
              "unknown key", "metric"},
        Fault{"  metric: val_loss\n  objectives: [{metric: val_loss, direction: minimize}]\n", 4, 3,
              "says the same", "remove"},
        Fault{"  direction: [minimize, maximize]\n", 4, 14, "several directions", "objectives"},
        Fault{"  pruner: median\n  objectives: [{metric: val_loss, direction: minimize}, {metric: "
              "samples_per_s, direction: maximize}]\n",
              4, 11, "judges one objective", "pareto"},
        Fault{"  constraints: [{metric: peak_rss_mb}]\n", 4, 17, "needs lower or upper", ""},
        Fault{"  constraints: [{metric: peak_rss_mb, upper: many}]\n", 4, 46, "finite number", ""},
        Fault{"  constraints: {metric: peak_rss_mb}\n", 4, 16, "must be a list", "such as"},
        Fault{"  constraints: [{metric: lr, upper: 1}]\n", 4, 26, "\"lr\" is none of", ""},
        Fault{"  constraints: [{metric: grad_norm, upper: 1}, {metric: grad_norm, lower: 0}]\n", 4,
              48, "two are named", "name of its own"}));

INSTANTIATE_TEST_SUITE_P(
    Beginnings, SpaceFaultTest,
    ::testing::Values(
        Fault{"  enqueue: [{n_layer: 2}]\n", 4, 12, "hyperparameter_tuning is false", "true"},
        Fault{"  search_space: {n_layer: [2, 4]}\n  enqueue: [{n_layr: 2}]\n", 5, 14,
              "not in study.search_space", "n_layer"},
        Fault{"  enqueue: [{n_layer: 3}]\n  search_space: {n_layer: [2, 4]}\n", 4, 23,
              "none of its values", ""},
        Fault{"  search_space: {n_layer: [2, 4], dropout: {value: 0.1, when: {n_layer: 2}}}\n"
              "  enqueue: [{n_layer: 4, dropout: 0.1}]\n",
              5, 26, "`when` does not hold", "leave it out"},
        Fault{
            "  search_space: {n_layer: [2]}\n  enqueue: [{}, {}, {}, {}, {}, {}, {}, {}, {}, {}]\n",
            5, 12, "has 10 configurations, n_trials is 9", "at least 10"},
        Fault{"  search_space: {n_layer: [2]}\n  seed_from: {csv: a.csv, study: b}\n", 5, 14,
              "more than one source", ""},
        Fault{"  seed_from: first\n", 4, 3, "hyperparameter_tuning is false", "true"},
        Fault{"  search_space: {n_layer: [2]}\n  seed_from: {optuna_db: a.db}\n", 5, 14,
              "names no source", "study: NAME"},
        Fault{"  search_space: {n_layer: [2]}\n  seed_from: {cvs: a.csv}\n", 5, 15, "unknown key",
              "did you mean \"csv\"?"}));

}  // namespace
}  // namespace vlm::config
