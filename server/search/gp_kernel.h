// The covariance of the Gaussian process: Matern 5/2 with one length scale a parameter (Rasmussen
// and Williams, "Gaussian Processes for Machine Learning", 2006, chapter 4). Numbers are places in
// [0, 1] of their range; categories are equal or not (Hamming's distance). Pure functions.
#pragma once

#include <Eigen/Core>
#include <vector>

namespace vlm::search::gp {

using Eigen::ArrayXXd;
using Eigen::MatrixXd;
using Eigen::VectorXd;

// One column a point, one row a parameter.
using Points = MatrixXd;
// Which parameters are categories.
using Categories = std::vector<bool>;

struct KernelParams {
  VectorXd weights;  // 1 / length scale^2, one a parameter.
  double scale = 1;  // Variance of the process.
  double noise = 1;  // Variance of what is observed around it.
};

// Sums of the parameters' weighted squared differences: one row a point of `a`, one column a point
// of `b`.
ArrayXXd SquaredDistances(const Points& a, const Points& b, const Categories& categories,
                          const VectorXd& weights);

// The correlation at squared distances, in place.
void Matern(ArrayXXd* squared);
// Its derivative by the squared distance.
ArrayXXd MaternSlope(const ArrayXXd& squared);

}  // namespace vlm::search::gp
