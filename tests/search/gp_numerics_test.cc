// The numerics of Gaussian processes against other ways to the same numbers: finite differences,
// quadrature, long doubles and Monte Carlo.
#include <Eigen/LU>
#include <cmath>
#include <limits>

#include "gtest/gtest.h"
#include "server/search/gp_acquisition.h"
#include "server/search/gp_normal.h"
#include "server/search/gp_search.h"
#include "server/search/local_minimum.h"

namespace vlm::search::gp {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

double Draw(RandomSource& random) {  // A standard normal (Box and Muller).
  return std::sqrt(-2 * std::log(1 - random.Double())) *
         std::cos(6.283185307179586 * random.Double());
}

// Two numbers and a category of three; values with some shape and some noise.
Observations SomeObservations(Eigen::Index n, uint32_t seed) {
  RandomSource random(seed);
  Observations out{Points(3, n), VectorXd(n), {false, false, true}};
  for (Eigen::Index i = 0; i < n; ++i) {
    out.points.col(i) << random.Double(), random.Double(), random.Below(3);
    out.values[i] =
        std::sin(5 * out.points(0, i)) + out.points(1, i) * out.points(2, i) + 0.1 * Draw(random);
  }
  out.values.array() -= out.values.mean();
  out.values /= std::sqrt(out.values.squaredNorm() / static_cast<double>(n));
  return out;
}

KernelParams SomeParams() {
  KernelParams params{VectorXd(3), 1.7, 0.02};
  params.weights << 4, 0.5, 1.2;
  return params;
}

// By the formula, one pair at a time.
double Covariance(const VectorXd& a, const VectorXd& b, const KernelParams& params) {
  const double squared = params.weights[0] * (a[0] - b[0]) * (a[0] - b[0]) +
                         params.weights[1] * (a[1] - b[1]) * (a[1] - b[1]) +
                         (a[2] != b[2] ? params.weights[2] : 0);
  const double r = std::sqrt(5 * squared);
  return params.scale * (1 + r + r * r / 3) * std::exp(-r);
}

TEST(KernelTest, IsMaternWithHammingDistanceForCategories) {
  const Observations observed = SomeObservations(7, 1);
  const KernelParams params = SomeParams();
  ArrayXXd kernel =
      SquaredDistances(observed.points, observed.points, observed.categories, params.weights);
  Matern(&kernel);
  for (Eigen::Index i = 0; i < 7; ++i) {
    for (Eigen::Index j = 0; j < 7; ++j) {
      EXPECT_NEAR(kernel(i, j) * params.scale,
                  Covariance(observed.points.col(i), observed.points.col(j), params), 1e-14);
    }
  }
}

TEST(KernelTest, TheSlopeIsTheDerivativeAndFiniteAtZero) {
  for (double squared : {0.0, 1e-6, 0.3, 2.0, 40.0}) {
    const double h = 1e-6 * (squared + 1e-3);
    ArrayXXd around(1, 2);
    around << squared + h, squared + 2 * h;
    Matern(&around);
    const ArrayXXd middle = ArrayXXd::Constant(1, 1, squared + 1.5 * h);
    EXPECT_NEAR(MaternSlope(middle)(0, 0), (around(0, 1) - around(0, 0)) / h, 1e-6);
  }
}

TEST(EvidenceTest, IsTheLikelihoodTimesThePriors) {
  const Observations observed = SomeObservations(9, 2);
  const KernelParams params = SomeParams();
  MatrixXd covariance(9, 9);
  for (Eigen::Index i = 0; i < 9; ++i) {
    for (Eigen::Index j = 0; j < 9; ++j) {
      covariance(i, j) = Covariance(observed.points.col(i), observed.points.col(j), params);
    }
  }
  covariance.diagonal().array() += params.noise;
  double expected = 0.5 * std::log(covariance.determinant()) +
                    0.5 * observed.values.dot(covariance.inverse() * observed.values);
  for (double weight : params.weights) expected += 0.1 / weight + 0.1 * weight;
  expected -= std::log(params.scale) - params.scale;             // gamma(2, 1)
  expected -= 0.1 * std::log(params.noise) - 30 * params.noise;  // gamma(1.1, 30)
  std::vector<double> raw = {std::log(4), std::log(0.5), std::log(1.2), std::log(1.7),
                             std::log(0.02 - kLeastNoise)};
  std::vector<double> gradient(5);
  EXPECT_NEAR(NegativeLogPosterior(observed, raw, gradient.data()), expected, 1e-9);
}

TEST(EvidenceTest, TheGradientIsThatOfFiniteDifferences) {
  const Observations observed = SomeObservations(25, 3);
  for (const double shift : {-2.0, 0.0, 1.5}) {
    std::vector<double> raw = {shift, 0.3, -0.4 * shift, 0.2, -3 + shift};
    std::vector<double> gradient(5);
    std::vector<double> ignored(5);
    NegativeLogPosterior(observed, raw, gradient.data());
    for (size_t i = 0; i < raw.size(); ++i) {
      constexpr double kStep = 1e-5;
      const double middle = raw[i];
      raw[i] = middle + kStep;
      const double above = NegativeLogPosterior(observed, raw, ignored.data());
      raw[i] = middle - kStep;
      const double below = NegativeLogPosterior(observed, raw, ignored.data());
      raw[i] = middle;
      EXPECT_NEAR(gradient[i], (above - below) / (2 * kStep), 1e-5 * (1 + std::abs(gradient[i])))
          << "parameter " << i << " shift " << shift;
    }
  }
}

TEST(EvidenceTest, TheFitIsAMinimum) {
  const Observations observed = SomeObservations(40, 4);
  const KernelParams fitted = FitKernel(observed, DefaultParams(3));
  std::vector<double> raw;
  for (double weight : fitted.weights) raw.push_back(std::log(weight));
  raw.push_back(std::log(fitted.scale));
  raw.push_back(std::log(fitted.noise - kLeastNoise));
  std::vector<double> gradient(5);
  const double least = NegativeLogPosterior(observed, raw, gradient.data());
  for (double slope : gradient) EXPECT_LT(std::abs(slope), 0.3);
  for (size_t i = 0; i < raw.size(); ++i) {
    for (double step : {-0.3, 0.3}) {
      std::vector<double> other = raw;
      other[i] += step;
      EXPECT_GT(NegativeLogPosterior(observed, other, gradient.data()), least);
    }
  }
}

// Against long doubles, whose erfc reaches to about -150.
TEST(NormalTest, ImprovementIsExactFarOut) {
  for (double z = -100; z <= 40; z += 0.37) {
    const long double x = z;
    const long double cdf = 0.5L * std::erfc(-x / std::sqrt(2.0L));
    EXPECT_NEAR(LogNormalCdf(z), static_cast<double>(std::log(cdf)), 1e-11 * (1 + z * z)) << z;
    // Its own cancellation costs the reference z^2 in accuracy.
    const long double density = std::exp(-x * x / 2) / std::sqrt(2 * std::acos(-1.0L));
    EXPECT_NEAR(LogStandardImprovement(z), static_cast<double>(std::log(x * cdf + density)),
                1e-10 * (1 + z * z * 1e-2))
        << z;
  }
}

TEST(NormalTest, ImprovementGoesOnBeyondAllDoubles) {
  EXPECT_NEAR(LogStandardImprovement(-1e6), -0.5e12 - 0.9189385332 - 2 * std::log(1e6), 1e-3);
  EXPECT_NEAR(LogNormalCdf(-1e6), -0.5e12 - 0.9189385332 - std::log(1e6), 1e-3);
  EXPECT_EQ(LogNormalCdf(50), 0);
  EXPECT_NEAR(LogStandardImprovement(1e6), std::log(1e6), 1e-9);
  // No step where the formulas meet.
  EXPECT_NEAR(LogStandardImprovement(-25 - 1e-9), LogStandardImprovement(-25 + 1e-9), 1e-7);
  EXPECT_NEAR(LogNormalCdf(-25 - 1e-9), LogNormalCdf(-25 + 1e-9), 1e-7);
}

TEST(NormalTest, SumsAndDifferencesOfLogarithms) {
  EXPECT_NEAR(LogDifference(-1000, -1001), -1000 + std::log1p(-std::exp(-1)), 1e-12);
  EXPECT_NEAR(LogDifference(2, 2 - 1e-9), 2 + std::log(1e-9), 1e-6);
  EXPECT_EQ(LogDifference(1, 1), -kInf);
  EXPECT_EQ(LogDifference(1, 2), -kInf);
  EXPECT_NEAR(LogSum(-1000, -1000), -1000 + std::log(2), 1e-12);
  EXPECT_EQ(LogSum(-kInf, -kInf), -kInf);
  EXPECT_EQ(LogSum(-kInf, 3), 3);
}

TEST(GainTest, IsTheIntegralOfWhatAnOutcomeGains) {
  for (const double low : {-3.0, 0.0, 2.0}) {
    for (const double width : {0.01, 1.0, 30.0}) {
      double integral = 0;
      const int steps = 400000;
      for (int i = 0; i < steps; ++i) {
        const double z = -10 + 20.0 * (i + 0.5) / steps;
        const double y = 0.4 + 0.7 * z;
        integral += std::exp(LogNormalDensity(z)) * std::clamp(y - low, 0.0, width) * 20.0 / steps;
      }
      const LogGain gain = ExpectedGain(0.4, 0.7, low, low + width);
      EXPECT_NEAR(std::exp(gain.value), integral, 1e-7) << low << " " << width;
      const auto value = [&](double mean, double deviation) {
        return ExpectedGain(mean, deviation, low, low + width).value;
      };
      EXPECT_NEAR(gain.by_mean, (value(0.4 + 1e-6, 0.7) - value(0.4 - 1e-6, 0.7)) / 2e-6, 1e-4);
      EXPECT_NEAR(gain.by_deviation, (value(0.4, 0.7 + 1e-6) - value(0.4, 0.7 - 1e-6)) / 2e-6,
                  1e-4);
    }
  }
}

TEST(RegressionTest, PredictsByTheFormula) {
  const Observations observed = SomeObservations(12, 5);
  const KernelParams params = SomeParams();
  const Regression model(observed, params);
  MatrixXd covariance(12, 12);
  VectorXd x(3);
  x << 0.4, 0.6, 1;
  VectorXd cross(12);
  for (Eigen::Index i = 0; i < 12; ++i) {
    cross[i] = Covariance(observed.points.col(i), x, params);
    for (Eigen::Index j = 0; j < 12; ++j) {
      covariance(i, j) = Covariance(observed.points.col(i), observed.points.col(j), params);
    }
  }
  covariance.diagonal().array() += params.noise;
  const MatrixXd inverse = covariance.inverse();
  const Regression::Prediction prediction = model.Predict(x);
  EXPECT_NEAR(prediction.mean(0, 0), cross.dot(inverse * observed.values), 1e-9);
  EXPECT_NEAR(prediction.variance[0], params.scale - cross.dot(inverse * cross), 1e-9);
}

TEST(RegressionTest, HypotheticalOutcomesAreDrawnFromThePosteriorAndTakenAsSeen) {
  Regression model(SomeObservations(12, 6), SomeParams());
  Points pending(3, 2);
  pending << 0.9, 0.2, 0.1, 0.8, 2, 0;
  const Regression::Prediction before = model.Predict(pending);
  RandomSource random(1);
  MatrixXd normals(4000, 2);
  for (double& value : normals.reshaped()) value = Draw(random);
  model.Hypothesize(pending, normals);

  const Regression::Prediction after = model.Predict(pending);
  for (Eigen::Index i = 0; i < 2; ++i) {
    const VectorXd drawn = model.hypothetical().col(i);
    EXPECT_NEAR(drawn.mean(), before.mean(i, 0), 0.05);
    EXPECT_NEAR((drawn.array() - drawn.mean()).square().mean(), before.variance[i], 0.05);
    EXPECT_LT(after.variance[i], 1e-6);
    EXPECT_NEAR(after.mean(i, 7), drawn[7], 1e-4);
  }
}

Acquisition TwoObjectives(bool constrained, bool pending) {
  Acquisition::Parts parts;
  parts.objectives.emplace_back(SomeObservations(12, 7), SomeParams());
  parts.objectives.emplace_back(SomeObservations(12, 8), SomeParams());
  if (constrained) {
    parts.constraints.emplace_back(SomeObservations(12, 9), SomeParams());
    parts.thresholds.push_back(0.3);
  }
  if (pending) {
    Points at(3, 1);
    at << 0.5, 0.1, 1;
    MatrixXd normals(3, 1);
    normals << -1, 0.2, 1.4;
    for (auto* models : {&parts.objectives, &parts.constraints}) {
      for (Regression& model : *models) model.Hypothesize(at, normals);
    }
  }
  for (Eigen::Index s = 0; s < parts.objectives[0].outcomes(); ++s) {
    parts.improvements.push_back(NotDominated(
        {{0.2, 1.0}, {0.7, 0.5 + 0.1 * static_cast<double>(s)}, {1.1, -0.4}}, {-1.5, -1.2}));
  }
  return Acquisition(std::move(parts));
}

TEST(AcquisitionTest, TheGradientIsThatOfFiniteDifferences) {
  for (const bool constrained : {false, true}) {
    for (const bool pending : {false, true}) {
      const Acquisition acquisition = TwoObjectives(constrained, pending);
      VectorXd x(3);
      x << 0.35, 0.55, 2;
      VectorXd gradient;
      const double value = acquisition.ValueWithGradient(x, &gradient);
      EXPECT_NEAR(value, acquisition.Values(x)[0], 1e-10);
      for (Eigen::Index i = 0; i < 2; ++i) {
        VectorXd above = x;
        VectorXd below = x;
        above[i] += 1e-6;
        below[i] -= 1e-6;
        EXPECT_NEAR(gradient[i],
                    (acquisition.Values(above)[0] - acquisition.Values(below)[0]) / 2e-6, 1e-5)
            << constrained << pending << i;
      }
      EXPECT_EQ(gradient[2], 0);
    }
  }
}

double GainedArea(const std::vector<Box>& boxes, const std::vector<double>& y) {
  double sum = 0;
  for (const Box& box : boxes) {
    double product = 1;
    for (size_t i = 0; i < y.size(); ++i) {
      product *= std::clamp(y[i] - box.low[i], 0.0, box.high[i] - box.low[i]);
    }
    sum += product;
  }
  return sum;
}

TEST(AcquisitionTest, TwoObjectivesGiveTheExpectedGainOfHypervolume) {
  Acquisition::Parts parts;
  parts.objectives.emplace_back(SomeObservations(12, 7), SomeParams());
  parts.objectives.emplace_back(SomeObservations(12, 8), SomeParams());
  const auto boxes = NotDominated({{0.2, 1.0}, {0.7, 0.5}, {1.1, -0.4}}, {-1.5, -1.2});
  parts.improvements.push_back(boxes);
  VectorXd x(3);
  x << 0.35, 0.55, 2;
  double mean[2];
  double deviation[2];
  for (size_t i = 0; i < 2; ++i) {
    const Regression::Prediction prediction = parts.objectives[i].Predict(x);
    mean[i] = prediction.mean(0, 0);
    deviation[i] = std::sqrt(prediction.variance[0]);
  }
  RandomSource random(4);
  double sum = 0;
  constexpr int kDraws = 1'000'000;
  for (int i = 0; i < kDraws; ++i) {
    const double a = mean[0] + deviation[0] * Draw(random);
    sum += GainedArea(boxes, {a, mean[1] + deviation[1] * Draw(random)});
  }
  const double exact = std::exp(Acquisition(std::move(parts)).Values(x)[0]);
  EXPECT_GT(exact, 0.01);
  EXPECT_NEAR(exact, sum / kDraws, 0.01 * exact);
}

// A point's gain is what it adds to the dominated volume, which counting cells shows.
TEST(BoxesTest, HoldWhatNothingDominatesOnce) {
  for (const size_t axes : {1, 2, 3}) {
    RandomSource random(static_cast<uint32_t>(axes));
    std::vector<std::vector<double>> points(9);
    for (auto& point : points) {
      for (size_t i = 0; i < axes; ++i) point.push_back(random.Below(5));
    }
    points.push_back(points[0]);      // Twice the same.
    points.emplace_back(axes, -1.0);  // Below the reference.
    const std::vector<double> reference(axes, 0.0);
    const std::vector<Box> boxes = NotDominated(points, reference);
    for (int cell = 0; cell < 216; ++cell) {
      const double middle[] = {cell % 6 + 0.5, cell / 6 % 6 + 0.5, cell / 36 + 0.5};
      bool dominated = false;
      for (const auto& point : points) {
        bool covers = true;
        for (size_t i = 0; i < axes; ++i) covers = covers && point[i] > middle[i];
        dominated = dominated || covers;
      }
      int held = 0;
      for (const Box& box : boxes) {
        bool inside = true;
        for (size_t i = 0; i < axes; ++i) {
          inside = inside && box.low[i] < middle[i] && middle[i] < box.high[i];
        }
        held += inside ? 1 : 0;
      }
      EXPECT_EQ(held, dominated ? 0 : 1) << axes << " " << cell;
    }
  }
}

TEST(LocalMinimumTest, FindsTheMinimumInsideAndAtTheEdge) {
  const auto valley = [](const std::vector<double>& x, double* gradient) {
    const double a = x[1] - x[0] * x[0];
    gradient[0] = -400 * x[0] * a - 2 * (1 - x[0]);
    gradient[1] = 200 * a;
    return 100 * a * a + (1 - x[0]) * (1 - x[0]);
  };
  MinimizeOptions options{{-2, -2}, {2, 2}, 1e-12, 500};
  std::vector<double> x = {-1.2, 1};
  EXPECT_LT(MinimizeLocally(valley, options, &x), 1e-8);
  EXPECT_NEAR(x[0], 1, 1e-3);
  options.upper = {0.5, 2};
  x = {-5, 1};  // Outside.
  EXPECT_NEAR(MinimizeLocally(valley, options, &x), 0.25, 1e-6);
  EXPECT_NEAR(x[0], 0.5, 1e-9);
}

TEST(SearchTest, FindsWhatAFineGridFinds) {
  const Acquisition acquisition = TwoObjectives(true, false);
  double best = -kInf;
  for (int i = 0; i <= 100; ++i) {
    for (int j = 0; j <= 100; ++j) {
      for (int category = 0; category < 3; ++category) {
        VectorXd x(3);
        x << i / 100.0, j / 100.0, category;
        best = std::max(best, acquisition.Values(x)[0]);
      }
    }
  }
  RandomSource random(1);
  const std::vector<Axis> axes = {{}, {}, {true, {0, 1, 2}}};
  const VectorXd found = MaximizeAcquisition(acquisition, axes, Points(3, 0), {}, random);
  EXPECT_GE(acquisition.Values(found)[0], best - 1e-3);
  EXPECT_TRUE(found[2] == 0 || found[2] == 1 || found[2] == 2);
}

}  // namespace
}  // namespace vlm::search::gp
