// Whole plots: files that other programs open, whatever the data are.
#include <cmath>
#include <filesystem>
#include <limits>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "insight/plot/canvas.h"
#include "insight/plot/curves.h"
#include "insight/plot/history.h"
#include "tests/insight/plot_files.h"

namespace vlm::insight {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr uint32_t kBlue = 0x0072B2;

Curve Falling(int points, TrialMark mark = TrialMark::kNormal) {
  Curve curve{"trial", {}, mark};
  for (int i = 0; i < points; ++i) curve.points.push_back({double(i), 1 + 1.0 / (1 + i)});
  return curve;
}

class PlotTest : public testing::Test {
 protected:
  PlotTest() { fs::create_directories(dir_); }
  ~PlotTest() override { fs::remove_all(dir_); }
  std::string Path(const std::string& name) const { return dir_ / name; }
  // Number of files in the folder: a failed plot must leave none.
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir_)) names.push_back(entry.path().filename());
    return names;
  }
  Picture Draw(const std::vector<Curve>& curves, const CurveOptions& options = {}) {
    const absl::Status status = PlotCurves(curves, options, Path("a.png"));
    EXPECT_TRUE(status.ok()) << status;
    return DecodePng(Path("a.png"));
  }

 private:
  const fs::path dir_ = fs::path(testing::TempDir()) / ("plot" + std::to_string(getpid()));
};

TEST_F(PlotTest, PngHasTheAskedSizeAndShowsTheCurve) {
  CurveOptions options;
  options.width = 640;
  options.height = 400;

  const Picture picture = Draw({Falling(300)}, options);

  EXPECT_EQ(picture.width, 640U);
  EXPECT_EQ(picture.height, 400U);
  EXPECT_GT(CountNear(picture, kBlue), 300);
}

TEST_F(PlotTest, SvgIsWellFormedWithHostileLabels) {
  Curve curve = Falling(10);
  curve.label = "<b>&\"\xff\xc0\x80\n\x1b[31m é 漢";
  CurveOptions options;
  options.title = "]]> --> </svg>";

  ASSERT_TRUE(PlotCurves({curve}, options, Path("a.svg")).ok());

  EXPECT_EQ(XmlRoot(Path("a.svg")), "svg");
}

TEST_F(PlotTest, NanAndInfinityAreGaps) {
  Curve curve = Falling(300);
  for (size_t i = 100; i < 200; ++i)
    curve.points[i].value = i % 3 == 0 ? kNan : i % 3 == 1 ? kInf : -kInf;

  const int with_gap = CountNear(Draw({curve}), kBlue);

  EXPECT_GT(with_gap, 100);
  EXPECT_LT(with_gap, CountNear(Draw({Falling(300)}), kBlue));
}

TEST_F(PlotTest, DrawsFrameWithoutData) {
  EXPECT_EQ(Draw({}).width, 960U);
  EXPECT_EQ(Draw({Curve{"empty", {}}}).width, 960U);
  EXPECT_EQ(Draw({Curve{"nan", {{0, kNan}, {1, kNan}}}}).width, 960U);
}

TEST_F(PlotTest, ShowsASinglePointAsADot) {
  EXPECT_GT(CountNear(Draw({Curve{"", {{5, 2.5}}}}), kBlue), 20);
}

TEST_F(PlotTest, LogAxisLeavesOutWhatIsNotPositive) {
  CurveOptions options;
  options.log_y = true;

  const Picture picture =
      Draw({Curve{"", {{0, 100}, {1, 0}, {2, -1}, {3, 0.01}, {4, 0.1}}}}, options);

  EXPECT_GT(CountNear(picture, kBlue), 100);
}

TEST_F(PlotTest, SurvivesValuesAtTheEndsOfDouble) {
  const double max = std::numeric_limits<double>::max();

  EXPECT_EQ(Draw({Curve{"", {{0, -max}, {1, max}, {2, 1e299}, {3, -1e299}, {4, 5e-324}}}}).width,
            960U);
}

TEST_F(PlotTest, ADivergedTrialDoesNotStretchTheAxis) {
  Curve diverged{"", {{0, 1}, {50, 1e12}, {100, kNan}}, TrialMark::kFailed};

  const Picture picture = Draw({Falling(300), diverged});

  EXPECT_GT(CountNear(picture, kBlue), 300) << "the good curve would be a flat line on the axis";
}

TEST_F(PlotTest, DrawsAMillionPointsQuickly) {
  const absl::Time start = absl::Now();

  const Picture picture = Draw({Falling(1'000'000)});

  EXPECT_EQ(picture.width, 960U);
  EXPECT_LT(absl::Now() - start, absl::Seconds(5));
}

TEST_F(PlotTest, RefusesOtherExtensionsAndSizes) {
  CurveOptions tiny;
  tiny.width = 10;

  EXPECT_EQ(PlotCurves({}, {}, Path("a.pdf")).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(PlotCurves({}, tiny, Path("a.png")).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Files(), IsEmpty());
}

TEST_F(PlotTest, RefusesSmoothingOutsideItsRange) {
  CurveOptions options;
  for (const double smoothing : {-0.1, 1.0, kNan}) {
    options.smoothing = smoothing;
    EXPECT_EQ(PlotCurves({}, options, Path("a.png")).code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(PlotTest, NamesTheFileThatCannotBeWritten) {
  const absl::Status status = PlotCurves({}, {}, Path("missing/a.png"));

  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("missing/a.png"));
}

TEST_F(PlotTest, HistoryShowsCompletePrunedAndFailed) {
  const std::vector<HistoryTrial> trials{
      {2, 0.5}, {0, 1.5}, {1, 2.5, TrialMark::kPruned}, {3, kNan, TrialMark::kFailed}};

  ASSERT_TRUE(PlotHistory(trials, {}, Path("h.png")).ok());

  const Picture picture = DecodePng(Path("h.png"));
  EXPECT_GT(CountNear(picture, 0x0072B2), 50) << "complete";
  EXPECT_GT(CountNear(picture, 0x009E73), 50) << "best so far";
  EXPECT_GT(CountNear(picture, 0xE69F00), 20) << "pruned";
  EXPECT_GT(CountNear(picture, 0xD55E00), 10) << "failed";
}

TEST_F(PlotTest, AnInfeasibleTrialIsGreyAndNotTheBestSoFar) {
  const std::vector<HistoryTrial> trials{{0, 1, TrialMark::kInfeasible}, {1, 2}, {2, 3}};

  ASSERT_TRUE(PlotHistory(trials, {}, Path("h.png")).ok());
  ASSERT_TRUE(PlotHistory({{0, 1}, {1, 2}, {2, 3}}, {}, Path("feasible.png")).ok());

  const int grey = CountNear(DecodePng(Path("h.png")), 0x737882);
  EXPECT_GT(grey, CountNear(DecodePng(Path("feasible.png")), 0x737882) + 20);
  // The line of the best begins at the second trial, so that it is shorter.
  EXPECT_LT(CountNear(DecodePng(Path("h.png")), 0x009E73),
            CountNear(DecodePng(Path("feasible.png")), 0x009E73));
}

TEST_F(PlotTest, HistoryOfNothingIsAFrame) {
  ASSERT_TRUE(PlotHistory({}, {}, Path("h.svg")).ok());
  ASSERT_TRUE(PlotHistory({{0, kNan, TrialMark::kFailed}}, {}, Path("h.png")).ok());

  EXPECT_EQ(XmlRoot(Path("h.svg")), "svg");
}

TEST(CleanLabelTest, ReplacesBrokenUtf8AndControlCharacters) {
  EXPECT_EQ(CleanLabel("a\xffz"), "a?z");
  EXPECT_EQ(CleanLabel("\xed\xa0\x80"), "???") << "a surrogate";
  EXPECT_EQ(CleanLabel("\xc0\xaf"), "??") << "an overlong form";
  EXPECT_EQ(CleanLabel("\x1b[0m\n"), "?[0m?");
  EXPECT_EQ(CleanLabel("é漢😀"), "é漢😀");
  EXPECT_EQ(CleanLabel("\xe6\xbc"), "??") << "cut off";
}

}  // namespace
}  // namespace vlm::insight
