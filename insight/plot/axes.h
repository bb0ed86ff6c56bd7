// Scales, ticks and the frame of a plot. Private to insight/plot. Units: data units and pixels.
#pragma once

#include <string>
#include <vector>

#include "insight/plot/canvas.h"

namespace vlm::insight {

// The smallest interval that holds every finite value added to it.
class Range {
 public:
  void Add(double value);
  bool empty() const { return !(high_ >= low_); }
  double low() const { return low_; }
  double high() const { return high_; }

 private:
  double low_ = 1;  // low > high: nothing was added yet.
  double high_ = 0;
};

// Maps data to 0..1. `log` scales need positive bounds.
struct Scale {
  double low = 0;
  double high = 1;
  bool log = false;
  double Map(double value) const;
};

// A scale that shows `range` with `margin` (a share of the span) on both sides; an empty range
// becomes 0..1 (log: 0.1..1), a single value gets some room around it.
Scale MakeScale(const Range& range, bool log, double margin);

struct Tick {
  double value;
  std::string label;
};

// About `target` ticks at 1, 2 or 5 times a power of ten, labels with equally many digits. Integers
// only with `whole`. A log scale has powers of ten, over less than two decades some between them.
std::vector<Tick> MakeTicks(const Scale& scale, int target, bool whole);

// The rectangle that holds the data, in pixels.
struct Area {
  double left, top, right, bottom;
  double X(const Scale& s, double v) const { return left + s.Map(v) * (right - left); }
  double Y(const Scale& s, double v) const { return bottom - s.Map(v) * (bottom - top); }
};

struct Labels {
  std::string title, x, y;
};

// Room for title, tick labels and axis labels around the data; `legend` pixels are left free on the
// right.
Area LayOut(Canvas* canvas, int width, int height, const Labels& labels,
            const std::vector<Tick>& y_ticks, double legend);

void DrawFrame(Canvas* canvas, const Area& area, int height, const Labels& labels, const Scale& x,
               const Scale& y, const std::vector<Tick>& x_ticks, const std::vector<Tick>& y_ticks);

}  // namespace vlm::insight
