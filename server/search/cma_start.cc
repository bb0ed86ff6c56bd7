// Where CMA-ES begins when it knows solutions already (Nomura et al. 2021, "Warm Starting CMA-ES
// for Hyperparameter Optimization", arXiv:2012.06932).
#include <Eigen/LU>
#include <algorithm>
#include <cmath>

#include "server/search/cma_es.h"

namespace vlm::search {
namespace {

constexpr double kBest = 0.1;        // The part of the solutions that count (gamma).
constexpr double kPriorWidth = 0.1;  // Deviation around each of them (alpha).

}  // namespace

CmaStart WarmStart(std::vector<CmaEs::Solution> solutions) {
  std::stable_sort(solutions.begin(), solutions.end(),
                   [](const auto& a, const auto& b) { return a.loss < b.loss; });
  solutions.resize(std::max<size_t>(
      1, static_cast<size_t>(std::floor(static_cast<double>(solutions.size()) * kBest))));
  const auto n = static_cast<Eigen::Index>(solutions[0].x.size());
  const auto count = static_cast<double>(solutions.size());
  Eigen::VectorXd mean = Eigen::VectorXd::Zero(n);
  Eigen::MatrixXd square = Eigen::MatrixXd::Zero(n, n);
  for (const CmaEs::Solution& solution : solutions) {
    const Eigen::Map<const Eigen::VectorXd> x(solution.x.data(), n);
    mean += x / count;
    square += x * x.transpose() / count;
  }
  Eigen::MatrixXd covariance = square - mean * mean.transpose();
  covariance.diagonal().array() += kPriorWidth * kPriorWidth;
  // The deviation of all together; what is left has determinant 1.
  const double sigma = std::pow(covariance.determinant(), 0.5 / static_cast<double>(n));
  covariance /= sigma * sigma;
  return {{mean.begin(), mean.end()},
          sigma,
          {covariance.data(), covariance.data() + covariance.size()}};
}

}  // namespace vlm::search
