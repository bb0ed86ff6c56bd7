// What the trainer asks of its CUDA plugin (vlm_cuda.so): a table of C functions, so that the
// trainer itself links nothing of CUDA and runs on machines without it. No exception crosses it.
#pragma once

#include <cstddef>
#include <cstdint>

extern "C" {

inline constexpr int kVlmCudaApiVersion = 1;  // Trainer and plugin of one build have the same.

struct VlmCudaApi {
  int version;
  int (*device_count)();  // 0: no device, or the driver refuses.
  // Name into `text` (cut to fit) and memory in bytes; 0 = ok, else `text` is the error.
  int (*describe)(int device, char* text, size_t size, int64_t* memory_bytes);
  int (*synchronize)(int device);     // Waits for all work; 0 = ok.
  int64_t (*peak_bytes)(int device);  // Most memory that tensors held so far.
  // A c10d::ProcessGroupNCCL over `store` (a c10d::Store*, shared): a c10d::Backend* whose
  // reference the caller takes over, or null with the reason in `error`.
  void* (*make_nccl)(void* store, int rank, int size, int device, int64_t timeout_ms, char* error,
                     size_t error_size);
};

// The only symbol that is looked up.
const VlmCudaApi* vlm_cuda_api();
}
