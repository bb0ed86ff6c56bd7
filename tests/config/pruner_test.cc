// Section study.pruner: each pruner with its own options, nothing else.
#include "common/config/pruner.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/config/config.h"
#include "gtest/gtest.h"

namespace vlm::config {
namespace {

LoadResult LoadPruner(const std::string& pruner, const std::vector<std::string>& overrides = {}) {
  return Load(absl::StrCat("input_path: /data/a.csv\nstudy:\n  pruner: ", pruner, "\n"), "/a.yaml",
              overrides);
}

std::string AllIssues(const LoadResult& result) {
  std::string out;
  for (const auto& issue : result.issues) absl::StrAppend(&out, FormatIssue(issue), "\n");
  return out;
}

TEST(PrunerConfigTest, EachPrunerGetsItsOwnDefaults) {
  EXPECT_EQ(LoadPruner("median").spec.pruner().n_startup_trials(), 5);
  EXPECT_EQ(LoadPruner("percentile").spec.pruner().percentile(), 25);
  EXPECT_EQ(LoadPruner("successive_halving").spec.pruner().reduction_factor(), 4);
  EXPECT_FALSE(LoadPruner("successive_halving").spec.pruner().has_min_resource());
  EXPECT_EQ(LoadPruner("hyperband").spec.pruner().reduction_factor(), 3);
  EXPECT_EQ(LoadPruner("hyperband").spec.pruner().min_resource(), 1);
  EXPECT_DOUBLE_EQ(LoadPruner("wilcoxon").spec.pruner().p_threshold(), 0.1);
  EXPECT_EQ(LoadPruner("pareto").spec.pruner().reduction_factor(), 3);
  EXPECT_EQ(LoadPruner("{name: patient, patience: 3, wrapped: hyperband}")
                .spec.pruner()
                .reduction_factor(),
            3);
}

TEST(PrunerConfigTest, TheDefaultIsTheMedian) {
  EXPECT_EQ(Load("input_path: /a\n", "/a.yaml").spec.pruner().name(), "median");
}

TEST(PrunerConfigTest, EveryDefaultIsAValueOfItsKey) {
  for (const std::string& name : PrunerNames()) {
    v1::PrunerConfig pruner;
    pruner.set_name(name);
    for (const Key& key : Keys()) {
      const std::string option = std::string(key.name).substr(std::string(key.name).rfind('.') + 1);
      const char* fallback = PrunerDefault(pruner, option);
      if (!absl::StartsWith(key.name, "study.pruner.") || fallback == nullptr ||
          *fallback == '\0') {
        continue;
      }
      v1::StudySpec spec;
      EXPECT_EQ(SetFromText(key, fallback, &spec), "") << name << " " << key.name;
    }
  }
}

TEST(PrunerConfigTest, WrittenOutItReadsBackTheSame) {
  for (const char* pruner :
       {"none", "median", "{name: percentile, percentile: 0}", "successive_halving",
        "{name: successive_halving, min_resource: auto}",
        "{name: hyperband, max_resource: 300, bootstrap_count: 2}", "{name: patient, patience: 0}",
        "{name: threshold, upper: 4}",
        "{name: patient, patience: 2, min_delta: 0.25, wrapped: percentile, n_min_trials: 3}",
        "wilcoxon", "{name: pareto, reduction_factor: 2, n_warmup_steps: 10}"}) {
    const LoadResult first = LoadPruner(pruner);
    ASSERT_TRUE(first.ok()) << pruner << AllIssues(first);
    const LoadResult second = Load(ToYaml(first.spec), "/a.yaml");
    EXPECT_TRUE(second.issues.empty()) << AllIssues(second);
    EXPECT_EQ(first.spec.pruner().DebugString(), second.spec.pruner().DebugString()) << pruner;
  }
}

TEST(PrunerConfigTest, APrunerChosenOnTheCommandLineLeavesTheFilesOptions) {
  const LoadResult result =
      LoadPruner("{name: median, n_startup_trials: 2}", {"study.pruner=none"});
  ASSERT_TRUE(result.ok()) << AllIssues(result);
  ASSERT_EQ(result.issues.size(), 1u);
  EXPECT_TRUE(result.issues[0].warning());
  EXPECT_FALSE(LoadPruner("median", {"study.pruner.name=none", "study.pruner.patience=1"}).ok());
}

struct Fault {
  const char* pruner;  // Begins at column 11 of line 3.
  int line;
  int column;
  const char* message;
  const char* suggestion;
};

class PrunerFaultTest : public ::testing::TestWithParam<Fault> {};

TEST_P(PrunerFaultTest, IsFoundWithItsPlaceAndARemedy) {
  const LoadResult result = LoadPruner(GetParam().pruner);

  ASSERT_FALSE(result.ok());
  const v1::ConfigIssue& issue = result.issues.front();
  EXPECT_EQ(issue.line(), GetParam().line) << AllIssues(result);
  EXPECT_EQ(issue.column(), GetParam().column) << AllIssues(result);
  EXPECT_TRUE(absl::StrContains(issue.message(), GetParam().message)) << AllIssues(result);
  EXPECT_TRUE(absl::StrContains(issue.suggestion(), GetParam().suggestion)) << AllIssues(result);
}

INSTANTIATE_TEST_SUITE_P(
    All, PrunerFaultTest,
    ::testing::Values(
        Fault{"hyperbnd", 3, 11, "\"hyperbnd\" is none of median", "did you mean \"hyperband\"?"},
        Fault{"{name: none, n_warmup_steps: 3}", 3, 24, "is not used by the pruner none",
              "none takes no options"},
        Fault{"{name: median, percentile: 30}", 3, 26, "is not used by the pruner median",
              "n_startup_trials"},
        Fault{"{name: patient, patience: 1, upper: 2}", 3, 40, "is not used by the pruner patient",
              "min_delta"},
        Fault{"{name: successive_halving, reduction_factor: 1}", 3, 56, "out of range [2", ""},
        Fault{"{name: successive_halving, bootstrap_count: 1}", 3, 38, "min_resource", "steps"},
        Fault{"{name: successive_halving, min_resource: 0}", 3, 52, "out of range [1", ""},
        Fault{"{name: hyperband, bootstrap_count: 1}", 3, 29, "max_resource", "steps"},
        Fault{"{name: hyperband, min_resource: auto}", 3, 29, "auto is for", "number of steps"},
        Fault{"{name: hyperband, min_resource: 5, max_resource: 4}", 3, 46, "4 is below", ""},
        Fault{"patient", 0, 0, "is missing", "without progress"},
        Fault{"{name: patient, patience: -1}", 3, 37, "-1 is out of range [0", ""},
        Fault{"{name: patient, patience: 1, wrapped: none}", 3, 40, "\"none\" is no pruner", ""},
        Fault{"{name: patient, patience: 1, wrapped: nonsense}", 3, 40, "\"nonsense\"", ""},
        Fault{"threshold", 0, 0, "needs lower or upper", ""},
        Fault{"{name: threshold, upper: .nan}", 3, 36, "not a finite number", ""},
        Fault{"{name: threshold, lower: 2, upper: 1}", 3, 29, "2 is above upper 1", ""},
        Fault{"{name: wilcoxon, p_threshold: 1.5}", 3, 41, "out of range [0, 1]", ""},
        Fault{"{name: percentile, percentile: 101}", 3, 42, "out of range [0, 100]", ""},
        Fault{"{name: median, n_startup_trials: null}", 3, 26, "has no value", ""}));

}  // namespace
}  // namespace vlm::config
