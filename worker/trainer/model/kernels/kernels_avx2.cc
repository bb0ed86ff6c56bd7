// The kernels for CPUs with AVX2 and FMA.
#define VLM_KERNEL_NAMESPACE avx2
#define VLM_KERNEL_LANES 8
#define VLM_KERNEL_TILE_ROWS 4
#include "worker/trainer/model/kernels/attention.h"
#include "worker/trainer/model/kernels/elementwise.h"

namespace vlm::trainer::avx2 {

extern const Kernels kKernels;
const Kernels kKernels = {"avx2",       AttentionScratch, AttentionForward, AttentionBackwardHead,
                          DropoutRange, CrossEntropyRows};

}  // namespace vlm::trainer::avx2
