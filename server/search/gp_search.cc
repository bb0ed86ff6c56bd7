#include "server/search/gp_search.h"

#include <algorithm>
#include <cmath>

#include "server/search/local_minimum.h"
#include "server/search/qmc_sequence.h"

namespace vlm::search::gp {
namespace {

constexpr int kMaxRounds = 100;
constexpr Eigen::Index kBatch = 256;  // Points at a time; bounds the size of the matrices.

double Snap(const Axis& axis, double place) {
  if (axis.grid.empty()) return place;
  if (axis.category) {
    return axis.grid[std::min(static_cast<size_t>(place * static_cast<double>(axis.grid.size())),
                              axis.grid.size() - 1)];
  }
  return *std::min_element(axis.grid.begin(), axis.grid.end(), [place](double a, double b) {
    return std::abs(a - place) < std::abs(b - place);
  });
}

// A scrambled Sobol sequence; plain draws where that has not enough dimensions.
Points Candidates(const std::vector<Axis>& axes, size_t count, RandomSource& random) {
  Points points(static_cast<Eigen::Index>(axes.size()), static_cast<Eigen::Index>(count));
  const bool sobol = axes.size() <= kMaxSobolDimensions;
  const SobolSequence sequence(sobol ? axes.size() : 1, true, random.Below(2147483647));
  for (size_t i = 0; i < count; ++i) {
    std::vector<double> point(axes.size());
    if (sobol) {
      point = sequence.At(i);
    } else {
      for (double& place : point) place = random.Double();
    }
    for (size_t axis = 0; axis < axes.size(); ++axis) {
      points(static_cast<Eigen::Index>(axis), static_cast<Eigen::Index>(i)) =
          Snap(axes[axis], point[axis]);
    }
  }
  return points;
}

VectorXd ValuesInBatches(const Acquisition& acquisition, const Points& points) {
  VectorXd values(points.cols());
  for (Eigen::Index at = 0; at < points.cols(); at += kBatch) {
    const Eigen::Index count = std::min(kBatch, points.cols() - at);
    values.segment(at, count) = acquisition.Values(points.middleCols(at, count));
  }
  return values;
}

// The best candidate, and others by chance, each as likely as it promises.
std::vector<Eigen::Index> Choose(const VectorXd& values, size_t count, RandomSource& random) {
  Eigen::Index best = 0;
  values.maxCoeff(&best);
  std::vector<Eigen::Index> chosen = {best};
  std::vector<double> weights(static_cast<size_t>(values.size()));
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i] = std::exp(values[static_cast<Eigen::Index>(i)] - values[best]);
  }
  weights[static_cast<size_t>(best)] = 0;
  while (chosen.size() < count) {
    if (!std::any_of(weights.begin(), weights.end(), [](double w) { return w > 0; })) break;
    const size_t next = random.Choose(weights);
    weights[next] = 0;
    chosen.push_back(static_cast<Eigen::Index>(next));
  }
  return chosen;
}

// A local search from one point.
class Climb {
 public:
  Climb(const Acquisition& acquisition, const std::vector<Axis>& axes, double tolerance)
      : acquisition_(acquisition), axes_(axes), tolerance_(tolerance) {
    const VectorXd lengths = acquisition.LengthScales();
    for (size_t axis = 0; axis < axes.size(); ++axis) {
      if (!axes[axis].grid.empty()) continue;
      continuous_.push_back(static_cast<Eigen::Index>(axis));
      lengths_.push_back(lengths[continuous_.back()]);
    }
  }

  double From(VectorXd* x) const {
    double value = acquisition_.Values(*x)[0];
    for (int round = 0; round < kMaxRounds; ++round) {
      ClimbNumbers(x, &value);
      bool moved = false;
      for (size_t axis = 0; axis < axes_.size(); ++axis) {
        if (!axes_[axis].grid.empty()) moved = TryAll(axis, x, &value) || moved;
      }
      if (!moved) break;
    }
    return value;
  }

 private:
  // In units of the length scales, in which no direction is steeper than another.
  void ClimbNumbers(VectorXd* x, double* value) const {
    if (continuous_.empty()) return;
    MinimizeOptions options;
    options.lower.assign(continuous_.size(), 0);
    options.tolerance = tolerance_;
    std::vector<double> scaled;
    for (size_t i = 0; i < continuous_.size(); ++i) {
      options.upper.push_back(1 / lengths_[i]);
      scaled.push_back((*x)[continuous_[i]] / lengths_[i]);
    }
    VectorXd at = *x;
    VectorXd gradient;
    const auto place = [&](const std::vector<double>& from) {
      for (size_t i = 0; i < continuous_.size(); ++i) {
        at[continuous_[i]] = std::clamp(from[i] * lengths_[i], 0.0, 1.0);
      }
    };
    const double least = MinimizeLocally(
        [&](const std::vector<double>& from, double* slopes) {
          place(from);
          const double promise = acquisition_.ValueWithGradient(at, &gradient);
          for (size_t i = 0; i < continuous_.size(); ++i) {
            slopes[i] = -gradient[continuous_[i]] * lengths_[i];
          }
          return -promise;
        },
        options, &scaled);
    if (!(-least > *value)) return;
    place(scaled);
    *x = at;
    *value = -least;
  }

  bool TryAll(size_t axis, VectorXd* x, double* value) const {
    const std::vector<double>& grid = axes_[axis].grid;
    Points points = x->replicate(1, static_cast<Eigen::Index>(grid.size()));
    points.row(static_cast<Eigen::Index>(axis)) =
        Eigen::Map<const Eigen::RowVectorXd>(grid.data(), points.cols());
    Eigen::Index best = 0;
    const double promise = acquisition_.Values(points).maxCoeff(&best);
    if (!(promise > *value) || points.col(best) == *x) return false;
    *x = points.col(best);
    *value = promise;
    return true;
  }

  const Acquisition& acquisition_;
  const std::vector<Axis>& axes_;
  const double tolerance_;
  std::vector<Eigen::Index> continuous_;
  std::vector<double> lengths_;  // Of the continuous ones.
};

}  // namespace

VectorXd MaximizeAcquisition(const Acquisition& acquisition, const std::vector<Axis>& axes,
                             const Points& starts, const SearchOptions& options,
                             RandomSource& random) {
  const Points candidates = Candidates(axes, options.candidates, random);
  const VectorXd values = ValuesInBatches(acquisition, candidates);
  const size_t wanted = options.searches - static_cast<size_t>(starts.cols());
  std::vector<VectorXd> from;
  for (const Eigen::Index chosen : Choose(values, wanted, random)) {
    from.emplace_back(candidates.col(chosen));
  }
  for (Eigen::Index i = 0; i < starts.cols(); ++i) from.emplace_back(starts.col(i));
  const Climb climb(acquisition, axes, options.tolerance);
  VectorXd best = from.front();
  double most = -HUGE_VAL;
  for (VectorXd& x : from) {
    const double value = climb.From(&x);
    if (value <= most) continue;
    most = value;
    best = x;
  }
  return best;
}

}  // namespace vlm::search::gp
