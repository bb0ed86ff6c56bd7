// Options of nsga3 that say where its trials are kept, and what is wrong with them.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/config/study_text.h"

namespace vlm::config {
namespace {

struct Fault {
  const char* key;
  int line;
  int column;
  const char* message;
  const char* suggestion;
};

constexpr char kTwo[] =
    "  objectives: [{metric: val_loss, direction: minimize}, {metric: samples_per_s, direction: "
    "maximize}]\n";

class ReferencePointsTest : public ::testing::TestWithParam<std::pair<const char*, Fault>> {};

TEST_P(ReferencePointsTest, FaultsAreFoundWithTheirPlaceAndARemedy) {
  const auto& [options, fault] = GetParam();
  const LoadResult result =
      LoadStudy(absl::StrCat(kTwo, "  sampler:\n    name: nsga3\n    ", options, "\n"));

  ASSERT_FALSE(result.ok()) << options;
  const v1::ConfigIssue& issue = result.issues.front();
  EXPECT_EQ(issue.line(), fault.line) << AllIssues(result);
  EXPECT_EQ(issue.column(), fault.column) << AllIssues(result);
  EXPECT_EQ(absl::StrCat("study.sampler.", fault.key), issue.key());
  EXPECT_TRUE(absl::StrContains(issue.message(), fault.message)) << AllIssues(result);
  EXPECT_TRUE(absl::StrContains(issue.suggestion(), fault.suggestion)) << AllIssues(result);
}

// What is given, and key, place, message and remedy of the fault.
INSTANTIATE_TEST_SUITE_P(
    Hostile, ReferencePointsTest,
    ::testing::Values(
        std::pair{"dividing_parameter: 0",
                  Fault{"dividing_parameter", 7, 25, "out of range [1, 1000]", ""}},
        std::pair{"dividing_parameter: 2000000000",
                  Fault{"dividing_parameter", 7, 25, "out of range", ""}},
        std::pair{"dividing_parameter: nan",
                  Fault{"dividing_parameter", 7, 25, "is not an integer", ""}},
        std::pair{"reference_points: 3",
                  Fault{"reference_points", 7, 23, "must be a list of points", "such as"}},
        std::pair{"reference_points: []",
                  Fault{"reference_points", 7, 23, "must be a list of points", "such as"}},
        std::pair{"reference_points: [1, 0]",
                  Fault{"reference_points[0]", 7, 24, "must be a list of numbers", "such as"}},
        std::pair{"reference_points: [[1, 0], [1]]",
                  Fault{"reference_points[1]", 7, 5, "has 1 coordinates, the study 2 objectives",
                        "one coordinate per objective"}},
        std::pair{"reference_points: [[1, .nan]]",
                  Fault{"reference_points[0]", 7, 28, "\".nan\" is no number", ""}},
        std::pair{"reference_points: [[1, nan]]",
                  Fault{"reference_points[0]", 7, 28, "\"nan\" is no number", ""}},
        std::pair{"reference_points: [[1e300, 0]]",
                  Fault{"reference_points[0]", 7, 25, "is no number of at most 1e+06", ""}},
        std::pair{"reference_points: [[0, 0]]",
                  Fault{"reference_points[0]", 7, 24, "is the origin", "1e-06 or more"}},
        std::pair{
            "reference_points: [[1, 0]]\n    dividing_parameter: 4",
            Fault{"dividing_parameter", 8, 5, "is not used with reference_points", "remove one"}}));

TEST(ReferencePointsConfigTest, TooManyMadeUpPointsAreRefused) {
  std::string objectives = "  objectives:\n";
  for (const char* metric : {"val_loss", "train_loss", "grad_norm", "samples_per_s"}) {
    absl::StrAppend(&objectives, "    - {metric: ", metric, ", direction: minimize}\n");
  }
  const auto load = [&](int dividing) {
    return LoadStudy(
        absl::StrCat(objectives, "  sampler: {name: nsga3, dividing_parameter: ", dividing, "}\n"));
  };
  EXPECT_TRUE(load(36).ok()) << AllIssues(load(36));  // 9,139 points.
  ASSERT_FALSE(load(38).ok());                        // 10,660 points.
  EXPECT_TRUE(absl::StrContains(load(38).issues.front().message(),
                                "38 makes 1.066e+04 reference points of 4 objectives"))
      << AllIssues(load(38));
}

TEST(ReferencePointsConfigTest, PointsSurviveAYamlRoundTrip) {
  const LoadResult first = LoadStudy(absl::StrCat(
      kTwo, "  sampler: {name: nsga3, reference_points: [[1, 0], [0.1, 1e-6], [-2, 1e6]]}\n"));
  ASSERT_TRUE(first.ok()) << AllIssues(first);

  const LoadResult second = Load(ToYaml(first.spec), "/home/a.yaml");

  ASSERT_TRUE(second.ok()) << AllIssues(second) << ToYaml(first.spec);
  EXPECT_EQ(first.spec.sampler().SerializeAsString(), second.spec.sampler().SerializeAsString());
}

}  // namespace
}  // namespace vlm::config
