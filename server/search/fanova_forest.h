// A forest of regression trees as scikit-learn grows them by default, on which fANOVA works: each
// tree on a bootstrap sample, every split the one of all columns that lowers the squared error
// most, until the leaves are pure (L. Breiman, "Random Forests", 2001). Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace vlm::search {

struct RegressionTree {
  struct Node {
    int column = -1;       // -1: a leaf.
    double threshold = 0;  // Values up to it go left.
    size_t left = 0;
    size_t right = 0;
    double value = 0;  // Mean of the targets.
  };
  std::vector<Node> nodes;  // The root first; children after their parents.
};

struct ForestOptions {
  int trees = 64;
  int max_depth = 64;
  uint32_t seed = 0;
};

// columns: [columns][samples]; targets: [samples], finite. REQUIRES: at least one sample.
std::vector<RegressionTree> GrowForest(const std::vector<std::vector<double>>& columns,
                                       const std::vector<double>& targets,
                                       const ForestOptions& options);

}  // namespace vlm::search
