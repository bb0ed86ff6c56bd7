// Learning rates as a pure function of the step.
#pragma once

#include <cstdint>

#include "vlm/v1/config.pb.h"

namespace vlm::trainer {

// The learning rate of optimizer step `step` (from 0) of `total`. Warm-up: (step + 1) / (warmup +
// 1) of `base_lr`, so that no step is wasted on 0. Then constant; cosine: half a cosine down to
// min_lr_ratio at the last step (https://arxiv.org/abs/1608.03983 without restarts); wsd: stable,
// then linear to min_lr_ratio over the last decay_fraction of all steps
// (https://arxiv.org/abs/2404.06395).
double LearningRate(const v1::OptimizerConfig& config, double base_lr, int64_t step, int64_t total);

}  // namespace vlm::trainer
