// fANOVA: how much of a forest's variance over the whole space each parameter makes on its own.
// The quantities are those of optuna/importance/_fanova; a parameter's marginal prediction is
// summed up over the leaves instead of being asked for in every cell of a grid, which gives the
// same variance and does not grow with the number of combinations of choices.
#include <algorithm>
#include <cmath>
#include <map>

#include "absl/container/btree_map.h"
#include "absl/strings/str_cat.h"
#include "server/search/fanova_forest.h"
#include "server/search/grid_density.h"
#include "server/search/importance.h"
#include "server/search/sampler.h"
#include "server/search/space_tracker.h"

namespace vlm::search {
namespace {

// A parameter's part of the encoded space: a number has one column, a choice one for each of its
// values, as wide as the range, scaled to [0, 1].
struct Encoded {
  std::string name;
  v1::Distribution distribution;
  size_t first = 0;
  size_t columns = 1;
};

struct Interval {
  double low = 0;
  double high = 1;
  double length() const { return high - low; }
};
using Box = std::vector<Interval>;  // By column.

struct Leaf {
  Box box;
  double value = 0;
};

std::vector<Leaf> LeavesOf(const RegressionTree& tree, size_t columns) {
  std::vector<Leaf> leaves;
  std::vector<std::pair<size_t, Box>> open{{0, Box(columns)}};
  while (!open.empty()) {
    auto [index, box] = std::move(open.back());
    open.pop_back();
    const RegressionTree::Node& node = tree.nodes[index];
    if (node.column < 0) {
      leaves.push_back({std::move(box), node.value});
      continue;
    }
    const auto column = static_cast<size_t>(node.column);
    Box right = box;
    right[column].low = node.threshold;
    box[column].high = node.threshold;
    open.emplace_back(node.left, std::move(box));
    open.emplace_back(node.right, std::move(right));
  }
  return leaves;
}

double Volume(const Box& box, size_t first, size_t last) {
  double volume = 1;
  for (size_t c = first; c < last; ++c) volume *= box[c].length();
  return volume;
}

// Of the tree's prediction over the whole space.
double TotalVariance(const std::vector<Leaf>& leaves) {
  double mean = 0;
  for (const Leaf& leaf : leaves) mean += Volume(leaf.box, 0, leaf.box.size()) * leaf.value;
  double variance = 0;
  for (const Leaf& leaf : leaves) {
    const double from_mean = leaf.value - mean;
    variance += Volume(leaf.box, 0, leaf.box.size()) * from_mean * from_mean;
  }
  return variance;
}

// What a leaf adds to the marginal prediction of a parameter inside its box.
double Height(const Leaf& leaf, const Encoded& param) {
  const size_t last = param.first + param.columns;
  return leaf.value * Volume(leaf.box, 0, param.first) * Volume(leaf.box, last, leaf.box.size());
}

// The marginal prediction of a number is a step function.
double VarianceOfNumber(const std::vector<Leaf>& leaves, const Encoded& param) {
  std::map<double, double> steps{{1, 0}};  // By where it changes: by how much.
  for (const Leaf& leaf : leaves) {
    const Interval& interval = leaf.box[param.first];
    const double height = Height(leaf, param);
    steps[interval.low] += height;
    steps[interval.high] -= height;
  }
  double mean = 0;
  double square = 0;
  double height = 0;
  double from = 0;
  for (const auto& [at, change] : steps) {
    const double length = at - from;
    mean += length * height;
    square += length * height * height;
    height += change;
    from = at;
  }
  return square - mean * mean;
}

// Of a choice: a sum over pairs of boxes. Many leaves share theirs.
double VarianceOfChoice(const std::vector<Leaf>& leaves, const Encoded& param) {
  absl::btree_map<std::string, double> heights;  // By half of each column: '0', '1', or '*' = both.
  for (const Leaf& leaf : leaves) {
    std::string key;
    for (size_t c = param.first; c < param.first + param.columns; ++c) {
      key += leaf.box[c].low > 0 ? '1' : leaf.box[c].high < 1 ? '0' : '*';
    }
    heights[key] += Height(leaf, param);
  }
  double mean = 0;
  double square = 0;
  for (const auto& [a, height_a] : heights) {
    mean += height_a * std::pow(0.5, static_cast<double>(std::count_if(
                                         a.begin(), a.end(), [](char c) { return c != '*'; })));
    for (const auto& [b, height_b] : heights) {
      double overlap = 1;
      for (size_t c = 0; c < a.size() && overlap > 0; ++c) {
        if (a[c] == '*' && b[c] == '*') continue;
        overlap *= a[c] == b[c] || a[c] == '*' || b[c] == '*' ? 0.5 : 0;
      }
      square += overlap * height_a * height_b;
    }
  }
  return square - mean * mean;
}

// Parameters that every trial has, from one range that is no single value.
std::vector<Encoded> Encode(const std::vector<const v1::Trial*>& trials, Importances* singles) {
  absl::btree_map<std::string, std::pair<const v1::Distribution*, size_t>> shared;
  for (const v1::Trial* trial : trials) {
    for (const v1::Param& param : trial->params()) {
      auto& [distribution, count] = shared[param.name()];
      if (distribution == nullptr) distribution = &param.distribution();
      count += SameDistribution(*distribution, param.distribution());
    }
  }
  std::vector<Encoded> encoded;
  size_t columns = 0;
  for (const auto& [name, known] : shared) {
    if (known.second < trials.size()) continue;
    if (IsSingle(*known.first)) {
      singles->params.emplace_back(name, 0);
      continue;
    }
    const bool choice = known.first->has_categorical_distribution();
    const auto choices =
        static_cast<size_t>(known.first->categorical_distribution().choices_size());
    encoded.push_back({name, *known.first, columns, choice ? choices : 1});
    columns += encoded.back().columns;
  }
  return encoded;
}

// The trial's place in the encoded space; false if a value lies outside its range.
bool Place(const v1::Trial& trial, const std::vector<Encoded>& params,
           std::vector<std::vector<double>>* columns) {
  std::vector<double> row;
  for (const Encoded& param : params) {
    const auto given = std::find_if(trial.params().begin(), trial.params().end(),
                                    [&](const v1::Param& p) { return p.name() == param.name; });
    const auto internal = ToInternal(param.distribution, given->value());
    if (!internal.ok()) return false;
    if (param.distribution.has_categorical_distribution()) {
      row.resize(row.size() + param.columns, 0);
      row[param.first + static_cast<size_t>(*internal)] = 1;
    } else {
      const auto& floats = param.distribution.float_distribution();
      const auto& ints = param.distribution.int_distribution();
      const bool is_int = param.distribution.has_int_distribution();
      const double low = is_int ? static_cast<double>(ints.low()) : floats.low();
      const double high = is_int ? static_cast<double>(ints.high()) : floats.high();
      row.push_back((*internal - low) / (high - low));
    }
  }
  columns->resize(row.size());
  for (size_t c = 0; c < row.size(); ++c) (*columns)[c].push_back(row[c]);
  return true;
}

}  // namespace

absl::StatusOr<Importances> FanovaImportances(const std::vector<v1::Trial>& trials,
                                              const std::vector<v1::Direction>& directions,
                                              std::optional<int> objective) {
  if (directions.size() > 1 && !objective) {
    return absl::InvalidArgumentError(absl::StrCat(
        "fANOVA explains one objective; say which of the study's ", directions.size(), ", from 0"));
  }
  auto complete = TrialsToExplain(trials, directions, objective);
  if (!complete.ok()) return complete.status();
  Importances out;
  const std::vector<Encoded> params = Encode(*complete, &out);
  std::vector<std::vector<double>> columns;
  std::vector<double> targets;
  for (const v1::Trial* trial : *complete) {
    if (Place(*trial, params, &columns)) targets.push_back(trial->values(objective.value_or(0)));
  }
  out.trials = static_cast<int64_t>(targets.size());
  if (params.empty() || targets.empty()) return Normalized(std::move(out));
  std::vector<double> sums(params.size(), 0);
  int counted = 0;
  for (const RegressionTree& tree : GrowForest(columns, targets, {})) {
    const std::vector<Leaf> leaves = LeavesOf(tree, columns.size());
    const double total = TotalVariance(leaves);
    if (!(total > 0)) continue;
    ++counted;
    for (size_t i = 0; i < params.size(); ++i) {
      const double variance = params[i].distribution.has_categorical_distribution()
                                  ? VarianceOfChoice(leaves, params[i])
                                  : VarianceOfNumber(leaves, params[i]);
      sums[i] += std::max(variance, 0.0) / total;
    }
  }
  if (counted == 0) {
    return absl::FailedPreconditionError(
        "all trials have the same value, so that there is nothing to explain");
  }
  for (size_t i = 0; i < params.size(); ++i) out.params.emplace_back(params[i].name, sums[i]);
  return Normalized(std::move(out));
}

}  // namespace vlm::search
