#include "server/search/gp_boxes.h"

#include <algorithm>
#include <limits>
#include <map>

namespace vlm::search::gp {
namespace {

using Point = std::vector<double>;
constexpr double kInf = std::numeric_limits<double>::infinity();

// In the first `axes` objectives.
bool Covers(const Point& a, const Point& b, size_t axes) {
  for (size_t i = 0; i < axes; ++i) {
    if (a[i] < b[i]) return false;
  }
  return true;
}

// Adds a point unless another one covers it, and drops those that it covers.
void AddToFront(const Point& point, size_t axes, std::vector<Point>* front) {
  for (const Point& other : *front) {
    if (Covers(other, point, axes)) return;
  }
  std::erase_if(*front, [&](const Point& other) { return Covers(point, other, axes); });
  front->push_back(point);
}

// Pieces of a slice end at a level.
void Close(std::map<Box, double> pieces, double level, std::vector<Box>* boxes) {
  for (const auto& [piece, top] : pieces) {
    Box& box = boxes->emplace_back(piece);
    box.low.push_back(level);
    box.high.push_back(top);
  }
}

// Sweeps the last of `axes` objectives from infinity down. At each level a slice is free where the
// points above leave it free in the other objectives; a piece of it that is free at the next level
// too goes on, so that each point adds a few boxes only.
void Cut(std::vector<Point> points, const Point& reference, size_t axes, std::vector<Box>* boxes) {
  const size_t last = axes - 1;
  if (axes == 1) {
    double best = reference[0];
    for (const Point& point : points) best = std::max(best, point[0]);
    boxes->push_back({{best}, {kInf}});
    return;
  }
  std::sort(points.begin(), points.end(),
            [last](const Point& a, const Point& b) { return a[last] > b[last]; });
  std::vector<Point> front;
  std::map<Box, double> open;  // Pieces of the slice above, and where each begins.
  for (size_t i = 0; i <= points.size();) {
    const double level = i == points.size() ? reference[last] : points[i][last];
    const double top = i == 0 ? kInf : points[i - 1][last];
    std::vector<Box> slice;
    Cut(front, reference, last, &slice);
    std::map<Box, double> still;
    for (Box& piece : slice) {
      const auto before = open.find(piece);
      const double begin = before == open.end() ? top : before->second;
      if (before != open.end()) open.erase(before);
      still.emplace(std::move(piece), begin);
    }
    Close(std::move(open), top, boxes);
    open = std::move(still);
    do {
      if (i < points.size()) AddToFront(points[i], last, &front);
      ++i;
    } while (i < points.size() && points[i][last] == level);
  }
  Close(std::move(open), reference[last], boxes);
}

}  // namespace

std::vector<Box> NotDominated(std::vector<Point> points, const Point& reference) {
  const size_t axes = reference.size();
  std::vector<Point> front;
  for (const Point& point : points) {
    bool above = true;
    for (size_t i = 0; i < axes; ++i) above = above && point[i] > reference[i];
    if (above) AddToFront(point, axes, &front);
  }
  std::vector<Box> boxes;
  Cut(std::move(front), reference, axes, &boxes);
  return boxes;
}

}  // namespace vlm::search::gp
