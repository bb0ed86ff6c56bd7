#include "server/rpc/lttb.h"

#include <cmath>
#include <vector>

namespace vlm::rpc {

void Thin(v1::Series* series, int budget) {
  const auto& in = series->points();
  const int n = in.size();
  if (budget <= 0 || n <= budget) return;
  if (budget < 3) {
    v1::Series out;
    out.set_name(series->name());
    *out.add_points() = in[0];
    if (budget == 2) *out.add_points() = in[n - 1];
    *series = std::move(out);
    return;
  }
  std::vector<int> chosen = {0};
  const double width = static_cast<double>(n - 2) / (budget - 2);
  for (int bucket = 0; bucket < budget - 2; ++bucket) {
    const int begin = 1 + static_cast<int>(bucket * width);
    const int end = std::min(n - 1, 1 + static_cast<int>((bucket + 1) * width));
    const int next_end = std::min(n, 1 + static_cast<int>((bucket + 2) * width));
    double mean_x = 0;
    double mean_y = 0;
    for (int i = end; i < next_end; ++i) {
      mean_x += static_cast<double>(in[i].step());
      mean_y += in[i].value();
    }
    const int count = std::max(1, next_end - end);
    mean_x /= count;
    mean_y /= count;
    const auto& last = in[chosen.back()];
    int best = begin;
    double largest = -1;
    for (int i = begin; i < end; ++i) {
      const double area =
          std::abs((static_cast<double>(last.step()) - mean_x) * (in[i].value() - last.value()) -
                   static_cast<double>(last.step() - in[i].step()) * (mean_y - last.value()));
      if (area > largest) {
        largest = area;
        best = i;
      }
    }
    chosen.push_back(best);
  }
  chosen.push_back(n - 1);
  v1::Series out;
  out.set_name(series->name());
  for (int i : chosen) *out.add_points() = in[i];
  *series = std::move(out);
}

}  // namespace vlm::rpc
