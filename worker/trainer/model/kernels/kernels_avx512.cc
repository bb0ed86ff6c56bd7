// The kernels for CPUs with AVX-512 (F, DQ, BW, VL).
#define VLM_KERNEL_NAMESPACE avx512
#define VLM_KERNEL_LANES 16
#define VLM_KERNEL_TILE_ROWS 8
#include "worker/trainer/model/kernels/attention.h"
#include "worker/trainer/model/kernels/elementwise.h"

namespace vlm::trainer::avx512 {

extern const Kernels kKernels;
const Kernels kKernels = {"avx512",     AttentionScratch, AttentionForward, AttentionBackwardHead,
                          DropoutRange, CrossEntropyRows};

}  // namespace vlm::trainer::avx512
