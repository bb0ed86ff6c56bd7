#include "worker/trainer/loop/images.h"

namespace vlm::trainer {
namespace {

// The batch's own memory as a tensor; the copy that follows makes it independent.
template <typename T>
at::Tensor View(const std::vector<T>& values, at::IntArrayRef sizes, at::ScalarType type) {
  return torch::from_blob(const_cast<T*>(values.data()), sizes, type);
}

at::Tensor Move(const at::Tensor& tensor, const torch::Device& device, bool pin) {
  if (device.is_cpu()) return tensor.clone();
  if (!pin) return tensor.to(device);
  return tensor.pin_memory().to(device, /*non_blocking=*/true);
}

}  // namespace

at::Tensor Normalise(const at::Tensor& pixels) {
  const auto options = torch::TensorOptions().dtype(torch::kFloat32).device(pixels.device());
  const at::Tensor mean = torch::tensor({0.485f, 0.456f, 0.406f}, options).view({1, 3, 1, 1});
  const at::Tensor deviation = torch::tensor({0.229f, 0.224f, 0.225f}, options).view({1, 3, 1, 1});
  return pixels.to(torch::kFloat32).div_(255.0).sub_(mean).div_(deviation);
}

DeviceBatch ToDevice(const data::Batch& batch, int64_t img_size, const torch::Device& device,
                     bool pin) {
  const at::Tensor pixels = View(batch.pixels, {batch.size, 3, img_size, img_size}, torch::kUInt8);
  const at::Tensor tokens = View(batch.tokens, {batch.size, batch.length}, torch::kInt64);
  const at::Tensor targets = View(batch.targets, {batch.size, batch.length}, torch::kInt64);
  DeviceBatch result;
  // On the CPU the conversion to float is the copy.
  result.images = Normalise(device.is_cpu() ? pixels : Move(pixels, device, pin));
  result.tokens = Move(tokens, device, pin);
  result.targets = Move(targets, device, pin);
  return result;
}

}  // namespace vlm::trainer
