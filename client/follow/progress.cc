#include "client/follow/progress.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace vlm::client {
namespace {

constexpr double kLeastFraction = 0.005;
constexpr absl::Duration kLeastHistory = absl::Seconds(2);

}  // namespace

std::string Bar(double fraction, int width) {
  const int inside = std::max(1, width - 2);
  const double part = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0.0;
  const int full = static_cast<int>(std::floor(part * inside + 1e-9));
  return absl::StrCat("[", std::string(full, '#'), std::string(inside - full, '.'), "]");
}

double DoneFraction(const Progress& progress) {
  if (!(progress.total > 0)) return 0;
  return std::clamp((progress.ended + progress.fractions) / progress.total, 0.0, 1.0);
}

std::optional<absl::Duration> TimeLeft(const Progress& progress) {
  std::optional<absl::Duration> left;
  const double done = DoneFraction(progress);
  if (done >= kLeastFraction && progress.elapsed >= kLeastHistory) {
    left = progress.elapsed * ((1 - done) / done);
  }
  if (progress.timeout > absl::ZeroDuration()) {
    const absl::Duration budget =
        std::max(absl::ZeroDuration(), progress.timeout - progress.elapsed);
    left = left.has_value() ? std::min(*left, budget) : budget;
  }
  return left;
}

}  // namespace vlm::client
