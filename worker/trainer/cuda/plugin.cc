#include "worker/trainer/cuda/plugin.h"

#include <dlfcn.h>
#include <unistd.h>

#include <climits>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "torch/csrc/distributed/c10d/Backend.hpp"
#include "torch/csrc/distributed/c10d/Store.hpp"

namespace vlm::trainer {
namespace {

constexpr size_t kTextBytes = 1024;

absl::Status NotLoaded() {
  return absl::FailedPreconditionError("the CUDA plugin vlm_cuda.so is not loaded");
}

}  // namespace

CudaPlugin& CudaPlugin::Get() {
  static auto* plugin = new CudaPlugin;
  return *plugin;
}

bool CudaPlugin::DriverPresent() {
  return access("/proc/driver/nvidia/version", R_OK) == 0 || access("/dev/dxg", R_OK) == 0;
}

std::string CudaPlugin::DefaultPath() {
  char self[PATH_MAX] = {};
  const ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
  if (size <= 0) return "vlm_cuda.so";
  const std::filesystem::path folder = std::filesystem::path(self).parent_path();
  const std::filesystem::path beside = folder / "vlm_cuda.so";
  std::error_code ignored;
  if (std::filesystem::exists(beside, ignored)) return beside.string();
  return (folder.parent_path() / "lib" / "vlmctl" / "vlm_cuda.so").string();
}

absl::Status CudaPlugin::Load(const std::string& path) {
  if (loaded()) return absl::OkStatus();
  if (access(path.c_str(), R_OK) != 0) {
    return absl::NotFoundError(absl::StrCat(
        path, ": this build has no CUDA plugin; build with the CUDA toolkit (VLM_BUILD_CUDA=ON)"));
  }
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        dlerror(), "; `make deps GPU=1` installs the libraries that CUDA training needs"));
  }
  using Entry = const VlmCudaApi* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(handle, "vlm_cuda_api"));
  const VlmCudaApi* api = entry == nullptr ? nullptr : entry();
  if (api == nullptr || api->version != kVlmCudaApiVersion) {
    dlclose(handle);
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is no CUDA plugin of this version of vlm-trainer"));
  }
  api_ = api;
  return absl::OkStatus();
}

int CudaPlugin::device_count() const { return loaded() ? api_->device_count() : 0; }

absl::StatusOr<std::string> CudaPlugin::Describe(int device, int64_t* memory_bytes) const {
  if (!loaded()) return NotLoaded();
  char text[kTextBytes] = {};
  if (api_->describe(device, text, sizeof(text), memory_bytes) != 0) {
    return absl::InternalError(absl::StrCat("cuda:", device, ": ", text));
  }
  return std::string(text);
}

void CudaPlugin::Synchronize(const torch::Device& device) const {
  if (loaded() && device.is_cuda()) api_->synchronize(device.index());
}

int64_t CudaPlugin::PeakBytes(const torch::Device& device) const {
  return loaded() && device.is_cuda() ? api_->peak_bytes(device.index()) : 0;
}

absl::StatusOr<c10::intrusive_ptr<c10d::Backend>> CudaPlugin::MakeNccl(
    const c10::intrusive_ptr<c10d::Store>& store, int rank, int size, int device,
    std::chrono::milliseconds timeout) const {
  if (!loaded()) return NotLoaded();
  char error[kTextBytes] = {};
  void* backend =
      api_->make_nccl(store.get(), rank, size, device, timeout.count(), error, sizeof(error));
  if (backend == nullptr) return absl::UnavailableError(absl::StrCat("NCCL: ", error));
  return c10::intrusive_ptr<c10d::Backend>::reclaim(static_cast<c10d::Backend*>(backend));
}

}  // namespace vlm::trainer
