#include "worker/trainer/model/kernels/kernels.h"

#include <cstring>
#include <initializer_list>

namespace vlm::trainer {

namespace avx512 {
extern const Kernels kKernels;
}
namespace avx2 {
extern const Kernels kKernels;
}
namespace baseline {
extern const Kernels kKernels;
}

const Kernels* FindKernels(const char* name) {
  __builtin_cpu_init();
  if (std::strcmp(name, "avx512") == 0) {
    const bool able = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    return able ? &avx512::kKernels : nullptr;
  }
  if (std::strcmp(name, "avx2") == 0) {
    const bool able = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return able ? &avx2::kKernels : nullptr;
  }
  return std::strcmp(name, "baseline") == 0 ? &baseline::kKernels : nullptr;
}

const Kernels& BestKernels() {
  static const Kernels* const kernels = [] {
    for (const char* name : {"avx512", "avx2"}) {
      if (const Kernels* found = FindKernels(name)) return found;
    }
    return FindKernels("baseline");
  }();
  return *kernels;
}

}  // namespace vlm::trainer
