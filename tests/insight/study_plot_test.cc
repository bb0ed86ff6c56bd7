// Pictures of a study's parameters: what is drawn for which trials, and data that nobody wants.
#include "insight/plot/study_plot.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>

#include "gtest/gtest.h"
#include "insight/plot/distribution.h"
#include "tests/insight/plot_files.h"
#include "tests/support/temp_dir.h"

namespace vlm::insight {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr uint32_t kPruned = 0xE69E00;
constexpr uint32_t kFailed = 0xD65E00;
constexpr uint32_t kFront = 0x009E73;
constexpr uint32_t kBlue = 0x0073B3;
constexpr uint32_t kBestHeat = 0x440154;  // The dark end of the colours.

// A bowl over a log axis, a choice and an integer; every seventh pruned, every eleventh failed.
StudyPlot Bowl(int trials) {
  StudyPlot study;
  study.title = "study demo";
  study.params = {{"learning_rate", true},
                  {"schedule", false, false, {"constant", "cosine"}},
                  {"n_layer", false, true}};
  study.objectives = {{"val_loss"}, {"seconds"}};
  study.maximize = {false, false};
  for (int i = 0; i < trials; ++i) {
    PlotTrial& trial = study.trials.emplace_back();
    trial.number = i;
    const double rate = std::pow(10, -5 + 4 * std::fmod(i * 0.618, 1.0));
    trial.params = {rate, double(i % 2), double(1 + i * 7 % 12)};
    const double loss = std::pow(std::log10(rate) + 3, 2) + 0.3 * (i % 2) + 0.02 * (i * 7 % 12);
    trial.values = {loss, 10 / (0.3 + loss) + i % 5};
    if (i % 7 == 3) trial.mark = TrialMark::kPruned;
    if (i % 11 == 5) {
      trial.mark = TrialMark::kFailed;
      trial.values.clear();
    }
  }
  return study;
}

class StudyPlotTest : public ::testing::Test {
 protected:
  // With VLM_PLOT_DIR set the pictures stay there, to be looked at.
  std::string Path(const std::string& name) const {
    const char* keep = std::getenv("VLM_PLOT_DIR");
    return keep != nullptr ? std::string(keep) + "/" + name : dir_ / name;
  }
  Picture Decode(const absl::Status& status, const std::string& path) {
    EXPECT_TRUE(status.ok()) << status;
    return DecodePng(path);
  }
  vlm::testing::TempDir dir_;
};

TEST_F(StudyPlotTest, ParallelDrawsCompletePrunedAndFailedTrials) {
  const std::string path = Path("parallel.png");
  const Picture picture = Decode(PlotParallel(Bowl(60), 0, path), path);
  EXPECT_EQ(picture.width, 960U);
  EXPECT_GT(CountNear(picture, kBestHeat), 300);
  EXPECT_GT(CountNear(picture, kFailed), 5);
}

TEST_F(StudyPlotTest, SliceHasAPanelAParameter) {
  const std::string path = Path("slice.png");
  const Picture picture = Decode(PlotSlice(Bowl(60), 0, path), path);
  EXPECT_GT(CountNear(picture, kPruned), 30);
  EXPECT_GT(CountNear(picture, kFailed), 30);
  StudyPlot one = Bowl(60);
  one.params.resize(1);
  for (PlotTrial& trial : one.trials) trial.params.resize(1);
  const std::string single = Path("slice-one.png");
  const Picture fewer = Decode(PlotSlice(one, 0, single), single);
  EXPECT_LT(CountNear(fewer, kPruned), CountNear(picture, kPruned));
}

TEST_F(StudyPlotTest, ContourIsDarkWhereTheValueIsBest) {
  StudyPlot study = Bowl(80);
  const std::string path = Path("contour.png");
  const Picture minimized = Decode(PlotContour(study, 0, 0, 2, path), path);
  study.maximize[0] = true;
  const std::string other = Path("contour-max.png");
  const Picture maximized = Decode(PlotContour(study, 0, 0, 2, other), other);
  const auto at = [](const Picture& p, double x, double y) {
    return p.pixels[static_cast<size_t>(y * p.height) * p.width + static_cast<size_t>(x * p.width)];
  };
  // Far left is the worst learning rate: light, and dark when large values are good.
  const auto brightness = [](uint32_t rgb) {
    return (rgb >> 16U) + (rgb >> 8U & 255U) + (rgb & 255U);
  };
  EXPECT_GT(brightness(at(minimized, 0.13, 0.4)), brightness(at(maximized, 0.13, 0.4)));
}

TEST_F(StudyPlotTest, ContourOverAChoice) {
  const std::string path = Path("contour-choice.svg");
  ASSERT_TRUE(PlotContour(Bowl(80), 0, 0, 1, path).ok());
  EXPECT_EQ(XmlRoot(path), "svg");
}

TEST_F(StudyPlotTest, ParetoMarksTheFront) {
  const std::string path = Path("pareto.png");
  const Picture with = Decode(PlotPareto(Bowl(60), 0, 1, {0, 2, 4, 6}, path), path);
  EXPECT_GT(CountNear(with, kFront), 100);
  const std::string none = Path("pareto-none.png");
  EXPECT_LT(CountNear(Decode(PlotPareto(Bowl(60), 0, 1, {}, none), none), kFront),
            CountNear(with, kFront));
}

TEST_F(StudyPlotTest, InfeasibleTrialsAreGreyInEveryPicture) {
  StudyPlot study = Bowl(60);
  for (PlotTrial& trial : study.trials) {
    if (trial.mark == TrialMark::kNormal) trial.mark = TrialMark::kInfeasible;
  }
  const auto grey = [&](const StudyPlot& plot, int kind) {
    const std::string path = Path("infeasible.png");
    const absl::Status status = kind == 0   ? PlotParallel(plot, 0, path)
                                : kind == 1 ? PlotSlice(plot, 0, path)
                                : kind == 2 ? PlotContour(plot, 0, 0, 1, path)
                                            : PlotPareto(plot, 0, 1, {}, path);
    return CountNear(Decode(status, path), 0x737882);
  };
  for (int kind : {1, 2}) EXPECT_GT(grey(study, kind), grey(Bowl(60), kind)) << kind;
  // The dark end of the colours is left to what may be the best; others have grey among them.
  EXPECT_LT(grey(study, 0), grey(Bowl(60), 0));
  EXPECT_NE(grey(study, 3), grey(Bowl(60), 3)) << "crosses in the place of dots";
}

TEST_F(StudyPlotTest, EdfReachesTheShareOfFiniteValues) {
  EdfOptions options;
  options.title = "two studies";
  const std::string path = Path("edf.png");
  const absl::Status status =
      PlotEdf({{"first", {1, 2, 2, 5}}, {"second", {0.5, kInf, kNan, 3}}}, options, path);
  const Picture picture = Decode(status, path);
  EXPECT_GT(CountNear(picture, kBlue), 400);
}

TEST_F(StudyPlotTest, BarsAreAsLongAsTheirValues) {
  const std::string path = Path("importance.png");
  const absl::Status status = PlotBars(
      {{"learning_rate", 0.7}, {"a_parameter_with_a_rather_long_name", 0.2}, {"c", 0.1}}, {}, path);
  const int all = CountNear(Decode(status, path), kBlue);
  const std::string less = Path("importance-one.png");
  const int one = CountNear(Decode(PlotBars({{"c", 0}}, {}, less), less), kBlue);
  EXPECT_GT(all, 10'000);
  EXPECT_LT(one, 200);
}

TEST_F(StudyPlotTest, HostileValuesAndNamesDrawSomething) {
  StudyPlot study = Bowl(8);
  study.title = "]]> <b> \xff\x1b[31m";
  study.params[0].name = std::string(600, 'x');
  study.params[1].choices[0] = "<\xc0&";
  study.trials[0].values = {kNan, -kInf};
  study.trials[1].values = {1e308, kInf};
  study.trials[2].params = {-1, 7, kNan};  // Not positive on a log axis, no such choice, none.
  study.trials[4].params = {kNan, kNan, kNan};
  for (const char* ending : {".png", ".svg"}) {
    const std::string path = Path(std::string("hostile") + ending);
    EXPECT_TRUE(PlotParallel(study, 0, path).ok());
    EXPECT_TRUE(PlotSlice(study, 0, path).ok());
    EXPECT_TRUE(PlotContour(study, 0, 0, 1, path).ok());
    EXPECT_TRUE(PlotPareto(study, 0, 1, {0, 1}, path).ok());
  }
  EXPECT_EQ(XmlRoot(Path("hostile.svg")), "svg");
}

TEST_F(StudyPlotTest, NothingToShowIsSaid) {
  StudyPlot study = Bowl(0);
  const std::string path = Path("empty.svg");
  EXPECT_TRUE(PlotParallel(study, 0, path).ok());
  EXPECT_TRUE(PlotSlice(study, 0, path).ok());
  EXPECT_TRUE(PlotContour(study, 0, 0, 1, path).ok());
  EXPECT_TRUE(PlotPareto(study, 0, 1, {}, path).ok());
  EXPECT_TRUE(PlotEdf({}, {}, path).ok());
  EXPECT_TRUE(PlotBars({}, {}, path).ok());
  EXPECT_EQ(XmlRoot(path), "svg");
}

TEST_F(StudyPlotTest, AnotherEndingIsRefused) {
  EXPECT_EQ(PlotSlice(Bowl(3), 0, Path("a.gif")).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PlotBars({}, {}, Path("a.pdf")).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace vlm::insight
