#include <cmath>

#include "server/search/cma_es.h"

namespace vlm::search {
namespace {

constexpr int kSweeps = 60;  // Convergence is quadratic; 6 to 10 do for matrices of this size.

}  // namespace

// Golub and Van Loan, "Matrix Computations", section 8.5 (cyclic by row).
void SymmetricEigen(size_t n, std::vector<double> a, std::vector<double>* values,
                    std::vector<double>* vectors) {
  std::vector<double>& v = *vectors;
  v.assign(n * n, 0);
  for (size_t i = 0; i < n; ++i) v[i * n + i] = 1;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    double off = 0;
    double diagonal = 0;
    for (size_t i = 0; i < n; ++i) {
      diagonal += a[i * n + i] * a[i * n + i];
      for (size_t j = i + 1; j < n; ++j) off += a[i * n + j] * a[i * n + j];
    }
    if (off <= 1e-32 * diagonal) break;
    for (size_t p = 0; p + 1 < n; ++p) {
      for (size_t q = p + 1; q < n; ++q) {
        if (a[p * n + q] == 0) continue;
        const double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
        const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::hypot(theta, 1.0));
        const double c = 1 / std::hypot(t, 1.0);
        const double s = t * c;
        const auto rotate = [c, s](double& x, double& y) {
          const double old = x;
          x = c * old - s * y;
          y = s * old + c * y;
        };
        for (size_t k = 0; k < n; ++k) rotate(a[k * n + p], a[k * n + q]);
        for (size_t k = 0; k < n; ++k) rotate(a[p * n + k], a[q * n + k]);
        for (size_t k = 0; k < n; ++k) rotate(v[k * n + p], v[k * n + q]);
      }
    }
  }
  values->resize(n);
  for (size_t i = 0; i < n; ++i) (*values)[i] = a[i * n + i];
}

}  // namespace vlm::search
