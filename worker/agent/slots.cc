#include "worker/agent/slots.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace vlm::agent {

absl::StatusOr<std::vector<v1::Slot>> MakeSlots(const Machine& machine,
                                                const SlotOptions& options) {
  if (options.device != "auto" && options.device != "cpu" && options.device != "cuda") {
    return absl::InvalidArgumentError(
        absl::StrCat("device \"", options.device, "\" is none of auto, cpu, cuda"));
  }
  const int gpus = static_cast<int>(machine.gpus.size());
  const bool cuda = options.device == "cuda" || (options.device == "auto" && gpus > 0);
  if (cuda && gpus == 0) {
    return absl::InvalidArgumentError(
        "no NVIDIA driver is loaded (/proc/driver/nvidia/gpus and /dev/nvidia0 are missing); "
        "use device cpu");
  }
  if (cuda && options.slots > gpus) {
    return absl::InvalidArgumentError(absl::StrCat("slots is ", options.slots, " but there are ",
                                                   gpus, " GPUs; a GPU is one slot"));
  }
  int threads = options.threads_per_slot;
  int count = options.slots;
  if (count <= 0) count = cuda ? gpus : std::max(1, machine.cores / std::max(1, threads));
  if (threads <= 0) {
    threads = options.slots > 0 || cuda ? std::max(1, machine.cores / count) : 1;
  }
  std::vector<v1::Slot> slots;
  for (int i = 0; i < count; ++i) {
    v1::Slot& slot = slots.emplace_back();
    slot.set_index(i);
    slot.set_kind(cuda ? v1::SLOT_KIND_GPU : v1::SLOT_KIND_CPU);
    slot.set_device(cuda ? absl::StrCat("cuda:", i) : "cpu");
    slot.set_model(cuda ? machine.gpus[static_cast<size_t>(i)].model : machine.cpu_model);
    // The driver tells a GPU's memory to CUDA programs only; the trainer reports its peak.
    slot.set_memory_bytes(cuda ? 0 : machine.memory_bytes / count);
    slot.set_threads(threads);
  }
  return slots;
}

}  // namespace vlm::agent
