// The part of the space of objectives that nothing observed dominates, cut into boxes. All
// objectives are maximized here. Pure.
#pragma once

#include <vector>

namespace vlm::search::gp {

// Disjoint; `high` is infinite where the box is open.
struct Box {
  std::vector<double> low;
  std::vector<double> high;

  bool operator<(const Box& other) const {
    return low != other.low ? low < other.low : high < other.high;
  }
};

// What is above `reference` in each objective and dominated by none of `points`. With one objective
// the only box is what is above the best point; with two or three there are some boxes a point.
std::vector<Box> NotDominated(std::vector<std::vector<double>> points,
                              const std::vector<double>& reference);

}  // namespace vlm::search::gp
