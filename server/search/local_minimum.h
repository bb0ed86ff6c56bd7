// Local minimization of a smooth function in a box, by NLopt's L-BFGS (J. Nocedal 1980, in the form
// of L. Luksan). Equal calls give equal results.
#pragma once

#include <functional>
#include <vector>

namespace vlm::search {

// The value at `x`; writes the gradient, which has as many elements. Must not throw.
using SmoothFunction = std::function<double(const std::vector<double>& x, double* gradient)>;

struct MinimizeOptions {
  std::vector<double> lower;  // As long as x.
  std::vector<double> upper;
  double tolerance = 1e-6;  // Ends when the value changes by less, in its own unit.
  int max_evaluations = 200;
};

// The best point that was evaluated, `start` (moved into the box) among them, in `x`; returns its
// value.
double MinimizeLocally(const SmoothFunction& function, const MinimizeOptions& options,
                       std::vector<double>* x);

}  // namespace vlm::search
