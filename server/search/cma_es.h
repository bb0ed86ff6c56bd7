// Covariance matrix adaptation on the unit cube: N. Hansen, "The CMA Evolution Strategy: A
// Tutorial" (arXiv:1604.00772, equations in cma_es.cc), and its separable form (Ros and Hansen,
// 2008), with the constants of the package `cmaes` that Optuna uses. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/search/cma_margin.h"
#include "server/search/random_source.h"

namespace vlm::search {

class CmaEs {
 public:
  struct Options {
    size_t dimensions = 1;
    double sigma = 1.0 / 6;
    size_t population_size = 0;      // 0: 4 + floor(3 ln dimensions).
    bool separable = false;          // The covariance stays diagonal.
    std::vector<double> mean;        // Empty: the middle.
    std::vector<double> covariance;  // Row by row, times sigma^2; empty: the identity.
    std::vector<double> steps;       // Not empty: with margin, see CmaMargin. Not if separable.
  };
  explicit CmaEs(const Options& options);

  // A point drawn with a generator of this seed: in the cube, but where it is discrete. This is
  // what Tell takes.
  std::vector<double> Ask(uint32_t seed);
  // The point of the cube to be tried for it: the same, or the discrete parameters at their values.
  std::vector<double> Encode(const std::vector<double>& x) const;
  struct Solution {
    std::vector<double> x;
    double loss = 0;
  };
  // A generation. REQUIRES: population_size() solutions.
  void Tell(std::vector<Solution> solutions);

  // Empty without margin.
  std::vector<double> steps() const { return margin_ ? margin_->steps() : std::vector<double>(); }
  size_t dimensions() const { return n_; }
  size_t population_size() const { return population_; }
  int64_t generation() const { return generation_; }

  // All that Tell changes, as text.
  std::string State() const;
  bool Restore(const std::string& state);

 private:
  using Vector = std::vector<double>;

  void MakeConstants();
  void MakeSeparableConstants();
  void Decompose();
  Vector Draw(RandomSource& random);
  Vector Deviations() const;
  Vector Whiten(const Vector& y) const;  // C^(-1/2) y
  void AdaptCovariance(const std::vector<Vector>& steps, double h_sigma);

  const size_t n_;
  const bool separable_;
  size_t population_;
  size_t mu_ = 0;
  double mu_eff_ = 0;
  double c1_ = 0;
  double cmu_ = 0;
  double c_sigma_ = 0;
  double d_sigma_ = 0;
  double cc_ = 0;
  double chi_n_ = 0;
  Vector weights_;

  int64_t generation_ = 0;
  double sigma_;
  Vector mean_;
  Vector p_sigma_;
  Vector p_c_;
  Vector covariance_;  // Row by row; the diagonal alone if separable.
  std::optional<CmaMargin> margin_;
  // Of the covariance: square roots of its eigenvalues, and eigenvectors by column.
  bool decomposed_ = false;
  Vector scale_;
  Vector basis_;
  bool has_normal_ = false;
  double normal_ = 0;
};

// The distribution that the best tenth of solutions, and their surroundings, suggest. REQUIRES: not
// empty; at least 10 for a tenth of them.
struct CmaStart {
  std::vector<double> mean;
  double sigma = 0;
  std::vector<double> covariance;
};
CmaStart WarmStart(std::vector<CmaEs::Solution> solutions);

// Eigenvalues and eigenvectors (by column) of a symmetric matrix, by Jacobi's rotations.
void SymmetricEigen(size_t n, std::vector<double> matrix, std::vector<double>* values,
                    std::vector<double>* vectors);

}  // namespace vlm::search
