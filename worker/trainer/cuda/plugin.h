// Access to CUDA through the plugin vlm_cuda.so, opened at run time.
//
// Load() must come before anything asks LibTorch whether CUDA is there: LibTorch looks once for the
// hooks that the plugin's libtorch_cuda.so registers. Thread-safe after Load().
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "torch/torch.h"
#include "worker/trainer/cuda/api.h"

namespace c10d {
class Backend;
class Store;
}  // namespace c10d

namespace vlm::trainer {

class CudaPlugin {
 public:
  static CudaPlugin& Get();

  // A GPU driver is loaded on this machine (asks the kernel, not LibTorch).
  static bool DriverPresent();
  // Where the plugin is: beside the program, or ../lib/vlmctl/ of an installation.
  static std::string DefaultPath();

  // NOT_FOUND: no plugin file. FAILED_PRECONDITION: it cannot be loaded (dlerror's text, such as
  // a library that only `make deps GPU=1` installs) or is of another version. Once loaded, stays.
  absl::Status Load(const std::string& path);
  bool loaded() const { return api_ != nullptr; }

  int device_count() const;  // 0 while not loaded.
  absl::StatusOr<std::string> Describe(int device, int64_t* memory_bytes) const;
  void Synchronize(const torch::Device& device) const;   // No-op for the CPU.
  int64_t PeakBytes(const torch::Device& device) const;  // 0 for the CPU.
  absl::StatusOr<c10::intrusive_ptr<c10d::Backend>> MakeNccl(
      const c10::intrusive_ptr<c10d::Store>& store, int rank, int size, int device,
      std::chrono::milliseconds timeout) const;

 private:
  CudaPlugin() = default;
  const VlmCudaApi* api_ = nullptr;
};

}  // namespace vlm::trainer
