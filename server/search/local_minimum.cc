#include "server/search/local_minimum.h"

#include <nlopt.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

namespace vlm::search {
namespace {

struct Search {
  const SmoothFunction* function;
  std::vector<double> x;
  std::vector<double> gradient;
  std::vector<double> best;
  double best_value = std::numeric_limits<double>::infinity();
};

double Evaluate(unsigned n, const double* x, double* gradient, void* data) {
  auto& search = *static_cast<Search*>(data);
  search.x.assign(x, x + n);
  const double value =
      (*search.function)(search.x, gradient != nullptr ? gradient : search.gradient.data());
  if (value < search.best_value) {
    search.best_value = value;
    search.best = search.x;
  }
  return value;
}

}  // namespace

double MinimizeLocally(const SmoothFunction& function, const MinimizeOptions& options,
                       std::vector<double>* x) {
  const auto n = static_cast<unsigned>(x->size());
  for (size_t i = 0; i < n; ++i) {
    (*x)[i] = std::clamp((*x)[i], options.lower[i], options.upper[i]);
  }
  Search search{&function, {}, std::vector<double>(n), *x};
  const std::unique_ptr<nlopt_opt_s, decltype(&nlopt_destroy)> nlopt(
      nlopt_create(NLOPT_LD_LBFGS, n), &nlopt_destroy);
  nlopt_set_lower_bounds(nlopt.get(), options.lower.data());
  nlopt_set_upper_bounds(nlopt.get(), options.upper.data());
  nlopt_set_ftol_abs(nlopt.get(), options.tolerance);
  nlopt_set_maxeval(nlopt.get(), options.max_evaluations);
  nlopt_set_min_objective(nlopt.get(), &Evaluate, &search);
  // Its code is of no use: a line search that gets no further is reported as a failure, and what
  // counts is the best point so far.
  double value = 0;
  std::vector<double> last = *x;
  nlopt_optimize(nlopt.get(), last.data(), &value);
  *x = search.best;
  return search.best_value;
}

}  // namespace vlm::search
