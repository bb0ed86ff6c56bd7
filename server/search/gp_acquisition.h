// What a point promises: the logarithm of the expected improvement (one objective) or of the
// expected gain of hypervolume (several), times the probability that its constraints hold. Exact,
// because the objectives' models are independent: the expected gain is a sum over boxes of products
// over objectives of differences of expected improvements (Emmerich, Deutz and Klinkenberg 2011;
// logarithms as in arXiv:2310.20708). With hypothetical outcomes of pending points it is the mean
// over them; up to a constant that is the joint gain with those points (Ginsbourger, Le Riche and
// Carraro 2010). Constant after construction.
#pragma once

#include "server/search/gp_boxes.h"
#include "server/search/gp_regression.h"

namespace vlm::search::gp {

class Acquisition {
 public:
  struct Parts {
    std::vector<Regression> objectives;  // Maximized.
    // What would be an improvement, one list an outcome. Empty: nothing feasible is known, and only
    // the constraints count.
    std::vector<std::vector<Box>> improvements;
    std::vector<Regression> constraints;  // Hold where the function is at least its threshold.
    std::vector<double> thresholds;
  };
  // REQUIRES: all models have equally many outcomes.
  explicit Acquisition(Parts parts);

  // One a column of `x`.
  VectorXd Values(const Points& x) const;
  // The gradient is by the parameters, 0 for categories.
  double ValueWithGradient(const VectorXd& x, VectorXd* gradient) const;
  // Of the objectives on average.
  VectorXd LengthScales() const;

 private:
  struct Gaussian;
  double Outcome(size_t outcome, std::vector<Gaussian>& gaussians, bool slopes) const;
  std::vector<const Regression*> Models() const;

  const Parts parts_;
  Eigen::Index outcomes_ = 1;
};

// Of E[min(max(y - low, 0), high - low)] for a normal y: its logarithm, and that one's derivatives
// by the mean and the deviation.
struct LogGain {
  double value = 0;
  double by_mean = 0;
  double by_deviation = 0;
};
LogGain ExpectedGain(double mean, double deviation, double low, double high);

}  // namespace vlm::search::gp
