#include "server/search/gp_models.h"

#include <algorithm>

#include "server/search/qmc_sequence.h"
#include "server/search/truncated_normal.h"

namespace vlm::search::gp {
namespace {

// Hypothetical ones of the pending trials. Each has its own boxes, which are many with several
// objectives.
Eigen::Index CountOutcomes(size_t objectives) {
  return static_cast<Eigen::Index>(32 / (objectives * objectives));
}

KernelParams StartOf(const std::vector<double>& last, Eigen::Index dimensions) {
  if (static_cast<Eigen::Index>(last.size()) != dimensions + 2) return DefaultParams(dimensions);
  return {Eigen::Map<const VectorXd>(last.data(), dimensions), last[last.size() - 2], last.back()};
}

Regression Fit(Observations observed, std::vector<double>* last) {
  KernelParams params = FitKernel(observed, StartOf(*last, observed.points.rows()));
  last->assign(params.weights.begin(), params.weights.end());
  last->insert(last->end(), {params.scale, params.noise});
  return {std::move(observed), std::move(params)};
}

// A constraint's trials: those that have it. One that has none of it is feasible, but says nothing
// about where it is violated.
Observations ObserveConstraint(const History& history, const Categories& categories, size_t which,
                               double* threshold) {
  std::vector<Eigen::Index> having;
  for (size_t i = 0; i < history.constraints.size(); ++i) {
    if (history.constraints[i].size() > which) having.push_back(static_cast<Eigen::Index>(i));
  }
  VectorXd values(static_cast<Eigen::Index>(having.size()));
  for (Eigen::Index i = 0; i < values.size(); ++i) {
    values[i] = -history.constraints[static_cast<size_t>(having[static_cast<size_t>(i)])][which];
  }
  values = values.cwiseMax(-1e300).cwiseMin(1e300);
  double mean = 0;
  double deviation = 1;
  values = Standardize(values, &mean, &deviation);
  *threshold = -mean / deviation;
  return {history.points(Eigen::all, having), std::move(values), categories};
}

// Standard normals: quasi-random where the sequence has enough dimensions.
MatrixXd Normals(Eigen::Index rows, Eigen::Index columns, RandomSource& random) {
  const auto dimensions = static_cast<size_t>(columns);
  const bool sobol = dimensions <= kMaxSobolDimensions;
  const SobolSequence sequence(sobol ? dimensions : 1, true, random.Below(2147483647));
  MatrixXd normals(rows, columns);
  const std::vector<double> low(dimensions, -9);
  const std::vector<double> high(dimensions, 9);
  for (Eigen::Index row = 0; row < rows; ++row) {
    std::vector<double> u(dimensions);
    if (sobol) {
      u = sequence.At(static_cast<uint64_t>(row));
    } else {
      for (double& place : u) place = random.Double();
    }
    const std::vector<double> quantiles = TruncatedNormalQuantiles(u, low, high);
    normals.row(row) = Eigen::Map<const Eigen::RowVectorXd>(quantiles.data(), columns);
  }
  return normals;
}

void Hypothesize(const Points& pending, Acquisition::Parts* parts, RandomSource& random) {
  if (pending.cols() == 0) return;
  std::vector<Regression*> models;
  for (Regression& model : parts->objectives) models.push_back(&model);
  for (Regression& model : parts->constraints) models.push_back(&model);
  const MatrixXd normals =
      Normals(CountOutcomes(parts->objectives.size()),
              pending.cols() * static_cast<Eigen::Index>(models.size()), random);
  for (size_t m = 0; m < models.size(); ++m) {
    models[m]->Hypothesize(
        pending, normals.middleCols(static_cast<Eigen::Index>(m) * pending.cols(), pending.cols()));
  }
}

// Whether all constraints hold for a pending point in one outcome.
bool HypothesisHolds(const Acquisition::Parts& parts, Eigen::Index outcome, Eigen::Index point) {
  for (size_t c = 0; c < parts.constraints.size(); ++c) {
    if (parts.constraints[c].hypothetical()(outcome, point) < parts.thresholds[c]) return false;
  }
  return true;
}

// A tenth below the worst in each objective, as in Optuna.
std::vector<double> Reference(const std::vector<std::vector<double>>& points) {
  std::vector<double> reference = points[0];
  for (const std::vector<double>& point : points) {
    for (size_t i = 0; i < point.size(); ++i) reference[i] = std::min(reference[i], point[i]);
  }
  for (double& low : reference) low = std::min(1.1 * low, 0.9 * low) - 1e-12;
  return reference;
}

std::vector<std::vector<Box>> Improvements(const History& history,
                                           const Acquisition::Parts& parts) {
  const size_t objectives = parts.objectives.size();
  std::vector<std::vector<double>> known;
  for (Eigen::Index trial = 0; trial < history.values.rows(); ++trial) {
    if (!history.Feasible(trial)) continue;
    std::vector<double>& point = known.emplace_back();
    for (const Regression& model : parts.objectives) {
      point.push_back(model.observed().values[trial]);
    }
  }
  std::vector<std::vector<Box>> improvements;
  if (known.empty()) return improvements;
  const std::vector<double> reference = Reference(known);
  const Eigen::Index pending = history.pending.cols();
  for (Eigen::Index outcome = 0; outcome < parts.objectives[0].outcomes(); ++outcome) {
    std::vector<std::vector<double>> points = known;
    for (Eigen::Index i = 0; i < pending; ++i) {
      if (!HypothesisHolds(parts, outcome, i)) continue;
      std::vector<double>& point = points.emplace_back(objectives);
      for (size_t m = 0; m < objectives; ++m) {
        point[m] = parts.objectives[m].hypothetical()(outcome, i);
      }
    }
    improvements.push_back(NotDominated(std::move(points), reference));
  }
  return improvements;
}

bool IsDominated(const MatrixXd& values, Eigen::Index trial, const std::vector<Eigen::Index>& by) {
  return std::any_of(by.begin(), by.end(), [&](Eigen::Index other) {
    return (values.row(other).array() >= values.row(trial).array()).all() &&
           (values.row(other).array() > values.row(trial).array()).any();
  });
}

}  // namespace

Acquisition MakeAcquisition(const History& history, const Categories& categories, Fitted* fitted,
                            RandomSource& random) {
  size_t constraints = 0;
  for (const auto& own : history.constraints) constraints = std::max(constraints, own.size());
  const auto objectives = static_cast<size_t>(history.values.cols());
  fitted->resize(objectives + constraints);
  Acquisition::Parts parts;
  double mean = 0;
  double deviation = 1;
  for (size_t i = 0; i < objectives; ++i) {
    Observations observed{
        history.points,
        Standardize(history.values.col(static_cast<Eigen::Index>(i)), &mean, &deviation),
        categories};
    parts.objectives.push_back(Fit(std::move(observed), &(*fitted)[i]));
  }
  for (size_t c = 0; c < constraints; ++c) {
    Observations observed =
        ObserveConstraint(history, categories, c, &parts.thresholds.emplace_back());
    parts.constraints.push_back(Fit(std::move(observed), &(*fitted)[objectives + c]));
  }
  Hypothesize(history.pending, &parts, random);
  parts.improvements = Improvements(history, parts);
  return Acquisition(std::move(parts));
}

Points BestPoints(const History& history, size_t most, RandomSource& random) {
  std::vector<Eigen::Index> feasible;
  for (Eigen::Index i = 0; i < history.values.rows(); ++i) {
    if (history.Feasible(i)) feasible.push_back(i);
  }
  std::vector<Eigen::Index> best;
  for (const Eigen::Index i : feasible) {
    if (!IsDominated(history.values, i, feasible)) best.push_back(i);
  }
  const size_t wanted = history.values.cols() == 1 ? 1 : most;
  for (size_t i = 0; i < std::min(wanted, best.size()); ++i) {
    std::swap(best[i], best[i + random.Below(static_cast<uint32_t>(best.size() - i))]);
  }
  if (best.size() > wanted) best.resize(wanted);
  return history.points(Eigen::all, best);
}

}  // namespace vlm::search::gp
