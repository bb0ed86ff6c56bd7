#include "insight/plot/series.h"

#include <algorithm>
#include <cmath>

namespace vlm::insight {
namespace {

// The points of one pixel column that a line through all of them could not do without.
class Column {
 public:
  void Add(const PlotPoint& p) {
    if (!std::isfinite(p.value)) {
      gap_ = true;
      gap_point_ = p;
      return;
    }
    if (!used_) first_ = lowest_ = highest_ = p;
    used_ = true;
    if (p.value < lowest_.value) lowest_ = p;
    if (p.value > highest_.value) highest_ = p;
    last_ = p;
  }

  void FlushTo(std::vector<PlotPoint>* out) {
    if (used_) {
      PlotPoint low = lowest_;
      PlotPoint high = highest_;
      if (high.step < low.step) std::swap(low, high);
      for (const PlotPoint& p : {first_, low, high, last_}) {
        if (out->empty() || out->back().step != p.step || out->back().value != p.value) {
          out->push_back(p);
        }
      }
    }
    if (gap_) out->push_back(gap_point_);
    used_ = gap_ = false;
  }

 private:
  bool used_ = false;
  bool gap_ = false;
  PlotPoint first_, lowest_, highest_, last_, gap_point_;
};

}  // namespace

std::vector<PlotPoint> SmoothEma(const std::vector<PlotPoint>& points, double weight) {
  if (weight <= 0) return points;
  std::vector<PlotPoint> out = points;
  double sum = 0;
  double correction = 0;  // 1 - weight^n after n finite points.
  for (PlotPoint& p : out) {
    if (!std::isfinite(p.value)) continue;
    sum = weight * sum + (1 - weight) * p.value;
    correction = weight * correction + (1 - weight);
    p.value = sum / correction;
  }
  return out;
}

std::vector<PlotPoint> DecimateMinMax(const std::vector<PlotPoint>& points, double low, double high,
                                      int columns) {
  if (columns <= 0 || !(high > low)) return points;
  std::vector<PlotPoint> out;
  out.reserve(std::min(points.size(), static_cast<size_t>(columns) * 5));
  Column column;
  double current = 0;
  for (const PlotPoint& p : points) {
    const double index = std::floor((p.step - low) / (high - low) * columns);
    if (index != current) column.FlushTo(&out);
    current = index;
    column.Add(p);
  }
  column.FlushTo(&out);
  return out;
}

}  // namespace vlm::insight
