// The CUDA plugin: everything of the trainer that links CUDA and NCCL. See api.h.
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <nccl.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <utility>

#include "torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp"
#include "worker/trainer/cuda/api.h"

// ProcessGroupNCCL::Options holds an ncclConfig_t by value, whose size changes between NCCL's
// versions: only the headers of the NCCL that the LibTorch wheel was built with are right.
static_assert(NCCL_VERSION_CODE == 23007, "nccl.h must be that of nvidia-nccl-cu13 2.30.7");

namespace {

// Errors cross the C interface as text.
template <typename Body>
auto Guarded(char* error, size_t size, decltype(std::declval<Body>()()) failed, Body&& body) {
  try {
    return body();
  } catch (const c10::Error& e) {
    if (error != nullptr) std::snprintf(error, size, "%s", e.what_without_backtrace());
  } catch (const std::exception& e) {
    if (error != nullptr) std::snprintf(error, size, "%s", e.what());
  }
  return failed;
}

int DeviceCount() {
  return Guarded(nullptr, 0, 0, [] { return static_cast<int>(c10::cuda::device_count()); });
}

int Describe(int device, char* text, size_t size, int64_t* memory_bytes) {
  return Guarded(text, size, 1, [&] {
    const cudaDeviceProp* properties =
        at::cuda::getDeviceProperties(static_cast<c10::DeviceIndex>(device));
    std::snprintf(text, size, "%s", properties->name);
    *memory_bytes = static_cast<int64_t>(properties->totalGlobalMem);
    return 0;
  });
}

int Synchronize(int device) {
  return Guarded(nullptr, 0, 1, [&] {
    at::cuda::getCurrentCUDAStream(static_cast<c10::DeviceIndex>(device)).synchronize();
    return 0;
  });
}

int64_t PeakBytes(int device) {
  return Guarded(nullptr, 0, int64_t{0}, [&] {
    const auto stats =
        c10::cuda::CUDACachingAllocator::getDeviceStats(static_cast<c10::DeviceIndex>(device));
    return static_cast<int64_t>(stats.allocated_bytes[0].peak);  // [0]: all kinds together.
  });
}

void* MakeNccl(void* store, int rank, int size, int device, int64_t timeout_ms, char* error,
               size_t error_size) {
  return Guarded(error, error_size, static_cast<void*>(nullptr), [&]() -> void* {
    c10::cuda::set_device(static_cast<c10::DeviceIndex>(device));
    auto options = c10d::ProcessGroupNCCL::Options::create();
    options->timeout = std::chrono::milliseconds(timeout_ms);
    auto shared = c10::intrusive_ptr<c10d::Store>::unsafe_reclaim_from_nonowning(
        static_cast<c10d::Store*>(store));
    auto backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(shared, rank, size, options);
    backend->setBoundDeviceId(at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(device)));
    c10::intrusive_ptr<c10d::Backend> base = std::move(backend);
    return base.release();
  });
}

constexpr VlmCudaApi kApi = {kVlmCudaApiVersion, DeviceCount, Describe,
                             Synchronize,        PeakBytes,   MakeNccl};

}  // namespace

extern "C" const VlmCudaApi* vlm_cuda_api() { return &kApi; }
