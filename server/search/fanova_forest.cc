#include "server/search/fanova_forest.h"

#include <algorithm>
#include <numeric>

#include "server/search/random_source.h"

namespace vlm::search {
namespace {

constexpr double kPure = 2.220446049250313e-16;  // Variance of a leaf that is not split further.

using Columns = std::vector<std::vector<double>>;
using Order = std::vector<uint32_t>;  // Samples by ascending value of a column.

// One tree. The orders of a node's samples are ranges of the whole orders, which splitting parts
// in place, so that nothing is sorted twice.
class Grower {
 public:
  Grower(const Columns& columns, const std::vector<double>& targets,
         const std::vector<Order>& orders, int max_depth, RandomSource& random)
      : columns_(columns),
        targets_(targets),
        max_depth_(max_depth),
        random_(random),
        weights_(targets.size(), 0),
        looked_at_(columns.size()),
        goes_left_(targets.size()) {
    const auto samples = static_cast<uint32_t>(targets.size());
    for (uint32_t i = 0; i < samples; ++i) weights_[random_.Below(samples)] += 1;
    std::iota(looked_at_.begin(), looked_at_.end(), size_t{0});
    for (const Order& order : orders) {
      Order& kept = orders_.emplace_back();
      for (uint32_t sample : order) {
        if (weights_[sample] > 0) kept.push_back(sample);
      }
    }
  }

  RegressionTree Grow() {
    AddNode(0, orders_[0].size(), 0);
    return std::move(tree_);
  }

 private:
  struct Sums {
    double weight = 0;
    double target = 0;
    double square = 0;
  };
  struct Split {
    int column = -1;
    double threshold = 0;
    double gain = 0;
  };

  Sums SumsOf(size_t begin, size_t end) const {
    Sums sums;
    for (size_t i = begin; i < end; ++i) {
      const uint32_t sample = orders_[0][i];
      sums.weight += weights_[sample];
      sums.target += weights_[sample] * targets_[sample];
    }
    const double mean = sums.target / sums.weight;
    for (size_t i = begin; i < end; ++i) {
      const double from_mean = targets_[orders_[0][i]] - mean;
      sums.square += weights_[orders_[0][i]] * from_mean * from_mean;
    }
    return sums;
  }

  // Of splits that are equally good that of a random column.
  Split BestSplit(size_t begin, size_t end, const Sums& sums) {
    for (size_t i = looked_at_.size(); i > 1; --i) {
      std::swap(looked_at_[i - 1], looked_at_[random_.Below(static_cast<uint32_t>(i))]);
    }
    Split best;
    for (const size_t c : looked_at_) {
      const std::vector<double>& column = columns_[c];
      double weight = 0;
      double target = 0;
      for (size_t i = begin; i + 1 < end; ++i) {
        const uint32_t sample = orders_[c][i];
        weight += weights_[sample];
        target += weights_[sample] * targets_[sample];
        const double value = column[sample];
        const double next = column[orders_[c][i + 1]];
        if (!(next > value)) continue;
        const double rest = sums.target - target;
        const double gain = target * target / weight + rest * rest / (sums.weight - weight);
        if (best.column >= 0 && gain <= best.gain) continue;
        const double middle = value / 2 + next / 2;
        best = {static_cast<int>(c), middle < next ? middle : value, gain};
      }
    }
    return best;
  }

  // How many go left.
  size_t Part(size_t begin, size_t end, const Split& split) {
    const std::vector<double>& column = columns_[static_cast<size_t>(split.column)];
    for (size_t i = begin; i < end; ++i) {
      goes_left_[orders_[0][i]] = column[orders_[0][i]] <= split.threshold;
    }
    size_t left = 0;
    Order right;
    for (Order& order : orders_) {
      right.clear();
      left = 0;
      for (size_t i = begin; i < end; ++i) {
        if (goes_left_[order[i]]) {
          order[begin + left++] = order[i];
        } else {
          right.push_back(order[i]);
        }
      }
      std::copy(right.begin(), right.end(), order.begin() + static_cast<ptrdiff_t>(begin + left));
    }
    return left;
  }

  size_t AddNode(size_t begin, size_t end, int depth) {
    const size_t index = tree_.nodes.size();
    const Sums sums = SumsOf(begin, end);
    tree_.nodes.emplace_back().value = sums.target / sums.weight;
    if (depth == max_depth_ || end - begin < 2 || sums.square / sums.weight <= kPure) return index;
    const Split split = BestSplit(begin, end, sums);
    if (split.column < 0) return index;
    const size_t middle = begin + Part(begin, end, split);
    const size_t left = AddNode(begin, middle, depth + 1);
    const size_t right = AddNode(middle, end, depth + 1);
    RegressionTree::Node& node = tree_.nodes[index];
    node.column = split.column;
    node.threshold = split.threshold;
    node.left = left;
    node.right = right;
    return index;
  }

  const Columns& columns_;
  const std::vector<double>& targets_;
  const int max_depth_;
  RandomSource& random_;
  std::vector<double> weights_;    // How often each sample was drawn.
  std::vector<size_t> looked_at_;  // Columns, in the order in which splits are compared.
  std::vector<Order> orders_;      // By column.
  std::vector<char> goes_left_;
  RegressionTree tree_;
};

}  // namespace

std::vector<RegressionTree> GrowForest(const Columns& columns, const std::vector<double>& targets,
                                       const ForestOptions& options) {
  std::vector<Order> orders;
  for (const std::vector<double>& column : columns) {
    Order& order = orders.emplace_back(targets.size());
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(),
                     [&](uint32_t a, uint32_t b) { return column[a] < column[b]; });
  }
  RandomSource random(options.seed);
  std::vector<RegressionTree> forest;
  for (int i = 0; i < options.trees; ++i) {
    forest.push_back(Grower(columns, targets, orders, options.max_depth, random).Grow());
  }
  return forest;
}

}  // namespace vlm::search
