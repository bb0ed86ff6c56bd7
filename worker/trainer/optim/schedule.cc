#include "worker/trainer/optim/schedule.h"

#include <algorithm>
#include <cmath>

namespace vlm::trainer {

double LearningRate(const v1::OptimizerConfig& config, double base_lr, int64_t step,
                    int64_t total) {
  constexpr double kPi = 3.14159265358979323846;
  const int64_t warmup = std::clamp<int64_t>(config.warmup_iters(), 0, std::max<int64_t>(total, 0));
  if (step < warmup) {
    return base_lr * static_cast<double>(step + 1) / static_cast<double>(warmup + 1);
  }
  const double least = base_lr * config.min_lr_ratio();
  const int64_t last = std::max(total - 1, warmup);
  // The share of [from, last] that is behind us.
  const auto progress = [&](int64_t from) {
    if (last <= from) return step > from ? 1.0 : 0.0;
    return std::clamp(static_cast<double>(step - from) / static_cast<double>(last - from), 0.0,
                      1.0);
  };
  switch (config.schedule()) {
    case v1::SCHEDULE_COSINE:
      return least + (base_lr - least) * 0.5 * (1 + std::cos(kPi * progress(warmup)));
    case v1::SCHEDULE_WSD: {
      const auto decay =
          static_cast<int64_t>(std::llround(config.decay_fraction() * static_cast<double>(total)));
      const int64_t start = std::max(warmup, last - decay);
      return step <= start ? base_lr : base_lr + (least - base_lr) * progress(start);
    }
    default:
      return base_lr;
  }
}

}  // namespace vlm::trainer
