// Pure functions on series of points, used by every plot: smoothing and thinning.
// Thread-safe (no state). Values may be NaN or infinite; steps are optimizer steps.
#pragma once

#include <vector>

namespace vlm::insight {

struct PlotPoint {
  double step = 0;
  double value = 0;  // May be NaN or infinite: drawn as a gap.
};

// Exponential moving average with bias correction, as TensorBoard smooths: the weights of a prefix
// are divided by 1 - weight^n, so the curve does not start at zero and lags less. `weight` in
// [0, 1); 0 returns the input. Values that are not finite are passed through and not averaged.
std::vector<PlotPoint> SmoothEma(const std::vector<PlotPoint>& points, double weight);

// At most four points per column (first, lowest, highest, last, in step order), so that a spike of
// one step stays visible however many points there are. `points` sorted by step; a point that is
// not finite is kept once per column as a gap. O(points).
std::vector<PlotPoint> DecimateMinMax(const std::vector<PlotPoint>& points, double low, double high,
                                      int columns);

}  // namespace vlm::insight
