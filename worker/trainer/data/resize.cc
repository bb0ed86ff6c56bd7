#include "worker/trainer/data/resize.h"

#include <algorithm>
#include <cmath>

namespace vlm::data {
namespace {

// 32 bits minus 8 of the pixel minus 2 against overflow when the sum overshoots.
constexpr int kBits = 32 - 8 - 2;

// Which inputs an output pixel is made of, along one axis.
struct Window {
  int begin = 0;
  int count = 0;
  size_t weights = 0;  // Index of the first weight.
};
struct Filter {
  std::vector<Window> windows;   // One per output pixel.
  std::vector<int32_t> weights;  // Fixed point, kBits after the point.
};

double Triangle(double x) {
  x = std::abs(x);
  return x < 1 ? 1 - x : 0;
}

Filter MakeFilter(int in, int out) {
  Filter filter;
  const double scale = static_cast<double>(in) / out;
  const double stretch = std::max(scale, 1.0);
  const double support = stretch;  // The triangle reaches 1 to both sides.
  std::vector<double> row;
  for (int i = 0; i < out; ++i) {
    const double center = (i + 0.5) * scale;
    const int begin = std::max(static_cast<int>(center - support + 0.5), 0);
    const int end = std::min(static_cast<int>(center + support + 0.5), in);
    row.clear();
    double sum = 0;
    for (int x = begin; x < end; ++x) {
      row.push_back(Triangle((x - center + 0.5) * (1 / stretch)));
      sum += row.back();
    }
    filter.windows.push_back({begin, end - begin, filter.weights.size()});
    for (double weight : row) {
      if (sum != 0) weight *= 1 / sum;
      filter.weights.push_back(static_cast<int32_t>(0.5 + weight * (1 << kBits)));
    }
  }
  return filter;
}

uint8_t Round(int32_t sum) { return static_cast<uint8_t>(std::clamp(sum >> kBits, 0, 255)); }

// `stride`: distance of two inputs of a window, in bytes; 3 neighbouring bytes are one pixel.
void Blend(const uint8_t* in, ptrdiff_t stride, const Window& window, const int32_t* weights,
           uint8_t* out) {
  int32_t r = 1 << (kBits - 1), g = r, b = r;
  in += window.begin * stride;
  for (int k = 0; k < window.count; ++k, in += stride) {
    r += in[0] * weights[k];
    g += in[1] * weights[k];
    b += in[2] * weights[k];
  }
  out[0] = Round(r), out[1] = Round(g), out[2] = Round(b);
}

Picture Horizontal(const Picture& in, int width) {
  Picture out{width, in.height, {}};
  out.rgb.resize(static_cast<size_t>(width) * static_cast<size_t>(in.height) * 3);
  const Filter filter = MakeFilter(in.width, width);
  uint8_t* pixel = out.rgb.data();
  for (int y = 0; y < in.height; ++y) {
    const uint8_t* row = in.rgb.data() + static_cast<size_t>(y) * static_cast<size_t>(in.width) * 3;
    for (const Window& window : filter.windows) {
      Blend(row, 3, window, filter.weights.data() + window.weights, pixel);
      pixel += 3;
    }
  }
  return out;
}

Picture Vertical(const Picture& in, int height) {
  Picture out{in.width, height, {}};
  const ptrdiff_t row_bytes = static_cast<ptrdiff_t>(in.width) * 3;
  out.rgb.resize(static_cast<size_t>(row_bytes) * static_cast<size_t>(height));
  const Filter filter = MakeFilter(in.height, height);
  uint8_t* pixel = out.rgb.data();
  for (const Window& window : filter.windows) {
    for (int x = 0; x < in.width; ++x) {
      Blend(in.rgb.data() + x * 3, row_bytes, window, filter.weights.data() + window.weights,
            pixel);
      pixel += 3;
    }
  }
  return out;
}

}  // namespace

Picture Resize(const Picture& picture, int width, int height) {
  if (picture.width == width && picture.height == height) return picture;
  // A pass along an axis that keeps its length would change nothing.
  if (picture.width == width) return Vertical(picture, height);
  Picture narrow = Horizontal(picture, width);
  return picture.height == height ? narrow : Vertical(narrow, height);
}

std::vector<uint8_t> ToPlanar(const Picture& picture) {
  const size_t plane = picture.rgb.size() / 3;
  std::vector<uint8_t> planar(picture.rgb.size());
  for (size_t i = 0; i < plane; ++i) {
    for (size_t c = 0; c < 3; ++c) planar[c * plane + i] = picture.rgb[i * 3 + c];
  }
  return planar;
}

}  // namespace vlm::data
