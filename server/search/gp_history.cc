#include "server/search/gp_history.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "server/search/pareto.h"
#include "server/search/random_sampler.h"

namespace vlm::search::gp {
namespace {

constexpr size_t kMaxPending = 64;  // The newest; each is a row of the model too.

// Its parameters in the order of the space; false if one is missing.
bool Place(const TrialView& trial, const Space& space, std::vector<double>* place) {
  place->clear();
  for (const v1::SearchParam& param : space) {
    const double* own = trial.params().Find(param.name());
    if (own == nullptr) return false;
    place->push_back(param.distribution().has_categorical_distribution()
                         ? *own
                         : QuantileOf(param.distribution(), *own));
  }
  return true;
}

struct Row {
  std::vector<double> place;
  std::vector<double> losses;
  std::vector<double> constraints;
};

double Violation(const Row& row) {
  double sum = 0;
  for (double c : row.constraints) sum += std::max(c, 0.0);
  return sum;
}

bool ReadRow(const TrialView& trial, const StudyView& study, const Space& space, Row* row) {
  const size_t objectives = study.directions.size();
  if (trial.values().size() != objectives || !Place(trial, space, &row->place)) return false;
  row->losses.assign(trial.values().begin(), trial.values().end());
  for (size_t i = 0; i < objectives; ++i) {
    if (study.directions[i] == v1::DIRECTION_MAXIMIZE) row->losses[i] = -row->losses[i];
  }
  row->constraints.assign(trial.constraints().begin(), trial.constraints().end());
  return true;
}

// Positions from the best on: feasible ones by rank, then the others by how much they violate.
std::vector<size_t> BestFirst(const std::vector<Row>& rows, size_t enough) {
  LossRows losses;
  for (const Row& row : rows) losses.push_back(row.losses);
  std::vector<size_t> ranks(rows.size());
  if (losses[0].size() > 1) ranks = NonDominationRanks(losses, enough);
  std::vector<size_t> order(rows.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    const double violation_a = Violation(rows[a]);
    const double violation_b = Violation(rows[b]);
    if (violation_a != violation_b) return violation_a < violation_b;
    return ranks[a] != ranks[b] ? ranks[a] < ranks[b] : rows[a].losses[0] < rows[b].losses[0];
  });
  return order;
}

std::vector<Row> Limit(std::vector<Row> rows, size_t max_trials) {
  if (max_trials == 0 || rows.size() <= max_trials) return rows;
  std::vector<bool> kept(rows.size());
  const size_t better = max_trials / 2;
  const std::vector<size_t> order = BestFirst(rows, better);
  for (size_t i = 0; i < better; ++i) kept[order[i]] = true;
  size_t left = max_trials - better;
  for (size_t i = rows.size(); i-- > 0 && left > 0;) {
    if (kept[i]) continue;
    kept[i] = true;
    --left;
  }
  std::vector<Row> out;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (kept[i]) out.push_back(std::move(rows[i]));
  }
  return out;
}

// Infinite values become the worst or best finite ones, as in Optuna; 0 where there is none.
void ClipInfinite(MatrixXd* values) {
  for (Eigen::Index column = 0; column < values->cols(); ++column) {
    double low = std::numeric_limits<double>::infinity();
    double high = -low;
    for (const double value : values->col(column)) {
      if (!std::isfinite(value)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
    if (low > high) low = high = 0;
    values->col(column) = values->col(column).cwiseMax(low).cwiseMin(high);
  }
}

Points AsPoints(const std::vector<std::vector<double>>& places, size_t dimensions) {
  Points points(static_cast<Eigen::Index>(dimensions), static_cast<Eigen::Index>(places.size()));
  for (size_t i = 0; i < places.size(); ++i) {
    points.col(static_cast<Eigen::Index>(i)) =
        Eigen::Map<const VectorXd>(places[i].data(), points.rows());
  }
  return points;
}

}  // namespace

bool History::Feasible(Eigen::Index trial) const {
  const std::vector<double>& own = constraints[static_cast<size_t>(trial)];
  return std::all_of(own.begin(), own.end(), [](double c) { return c <= 0; });
}

History ReadHistory(const StudyView& study, int64_t number, const Space& space, size_t max_trials) {
  History history;
  std::vector<Row> rows;
  std::vector<std::vector<double>> pending;
  Row row;
  for (const TrialView& trial : *study.trials) {
    if (trial.state() == v1::TRIAL_STATE_COMPLETE) {
      if (ReadRow(trial, study, space, &row)) rows.push_back(row);
    } else if (trial.state() == v1::TRIAL_STATE_RUNNING && trial.number() != number) {
      if (Place(trial, space, &row.place)) pending.push_back(row.place);
    }
  }
  history.complete = rows.size();
  rows = Limit(std::move(rows), max_trials);
  if (pending.size() > kMaxPending) {
    pending.erase(pending.begin(), pending.end() - static_cast<std::ptrdiff_t>(kMaxPending));
  }
  std::vector<std::vector<double>> places;
  history.values.resize(static_cast<Eigen::Index>(rows.size()),
                        static_cast<Eigen::Index>(study.directions.size()));
  for (size_t i = 0; i < rows.size(); ++i) {
    places.push_back(std::move(rows[i].place));
    history.constraints.push_back(std::move(rows[i].constraints));
    history.values.row(static_cast<Eigen::Index>(i)) =
        -Eigen::Map<const Eigen::RowVectorXd>(rows[i].losses.data(), history.values.cols());
  }
  ClipInfinite(&history.values);
  history.points = AsPoints(places, space.size());
  history.pending = AsPoints(pending, space.size());
  return history;
}

VectorXd Standardize(const VectorXd& values, double* mean, double* deviation) {
  *mean = values.mean();
  const VectorXd centred = values.array() - *mean;
  *deviation =
      std::max(1e-10, std::sqrt(centred.squaredNorm() / static_cast<double>(values.size())));
  return centred / *deviation;
}

}  // namespace vlm::search::gp
