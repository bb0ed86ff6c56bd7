// The kernels for every x86-64 CPU.
#define VLM_KERNEL_NAMESPACE baseline
#define VLM_KERNEL_LANES 4
#define VLM_KERNEL_TILE_ROWS 4
#include "worker/trainer/model/kernels/attention.h"
#include "worker/trainer/model/kernels/elementwise.h"

namespace vlm::trainer::baseline {

extern const Kernels kKernels;
const Kernels kKernels = {"baseline",   AttentionScratch, AttentionForward, AttentionBackwardHead,
                          DropoutRange, CrossEntropyRows};

}  // namespace vlm::trainer::baseline
