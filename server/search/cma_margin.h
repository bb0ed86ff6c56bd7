// CMA-ES with margin: discrete parameters that keep a least probability of leaving their value, so
// that the search does not freeze on it (Hamano et al. 2022, arXiv:2205.13482; as the package
// `cmaes` does it). On the unit cube. Not thread-safe.
#pragma once

#include <cstddef>
#include <vector>

namespace vlm::search {

class CmaMargin {
 public:
  // `steps`: distance of the values of each parameter, the first of which is 0; 0 = continuous.
  // `margin`: the least probability.
  CmaMargin(std::vector<double> steps, double margin);

  bool Discrete(size_t axis) const { return steps_[axis] > 0; }
  // A drawn point with its discrete parameters at values of theirs.
  std::vector<double> Encode(const std::vector<double>& x, const std::vector<double>& mean) const;
  // After a generation: moves the mean of discrete parameters and widens their distribution, whose
  // deviations it is given.
  void Correct(const std::vector<double>& deviations, std::vector<double>* mean);

  // How much wider each parameter is drawn.
  std::vector<double>& widths() { return widths_; }
  const std::vector<double>& widths() const { return widths_; }
  const std::vector<double>& steps() const { return steps_; }

 private:
  size_t Nearest(size_t axis, double x) const;
  void CorrectAxis(size_t axis, double deviation, double* mean);

  const std::vector<double> steps_;
  const double margin_;
  std::vector<size_t> counts_;  // Values of each.
  std::vector<double> widths_;
};

}  // namespace vlm::search
