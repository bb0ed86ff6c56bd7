// The slots that this worker offers: one a GPU where the NVIDIA driver is, otherwise shares of the
// processors.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "vlm/v1/study.pb.h"
#include "worker/agent/machine.h"

namespace vlm::agent {

struct SlotOptions {
  int slots = 0;                // 0 = all GPUs, or cores / threads_per_slot.
  int threads_per_slot = 0;     // 0 = 1, or cores / slots where slots is given or GPUs are used.
  std::string device = "auto";  // auto, cpu or cuda.
};

// INVALID_ARGUMENT: more GPU slots than GPUs, cuda without a driver, an unknown device.
absl::StatusOr<std::vector<v1::Slot>> MakeSlots(const Machine& machine, const SlotOptions& options);

}  // namespace vlm::agent
