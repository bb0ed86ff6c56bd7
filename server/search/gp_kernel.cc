#include "server/search/gp_kernel.h"

namespace vlm::search::gp {

ArrayXXd SquaredDistances(const Points& a, const Points& b, const Categories& categories,
                          const VectorXd& weights) {
  ArrayXXd sums = ArrayXXd::Zero(a.cols(), b.cols());
  for (Eigen::Index axis = 0; axis < a.rows(); ++axis) {
    const Eigen::ArrayXd row = a.row(axis).transpose().array();
    const bool category = categories[static_cast<size_t>(axis)];
    for (Eigen::Index j = 0; j < b.cols(); ++j) {
      if (category) {
        sums.col(j) += (row != b(axis, j)).cast<double>() * weights[axis];
      } else {
        sums.col(j) += (row - b(axis, j)).square() * weights[axis];
      }
    }
  }
  return sums;
}

void Matern(ArrayXXd* squared) {
  const ArrayXXd distance = (5 * *squared).sqrt();
  *squared = (-distance).exp() * (*squared * (5.0 / 3) + distance + 1);
}

// Its own formula, because the chain rule through the distance divides by zero at equal points.
ArrayXXd MaternSlope(const ArrayXXd& squared) {
  const ArrayXXd distance = (5 * squared).sqrt();
  return (-5.0 / 6) * (distance + 1) * (-distance).exp();
}

}  // namespace vlm::search::gp
