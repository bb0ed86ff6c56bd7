#include "worker/trainer/optim/grad_scaler.h"

#include <torch/torch.h>

#include <map>

#include "absl/strings/str_cat.h"

namespace vlm::trainer {

GradScaler::GradScaler(const GradScalerOptions& options, c10::Device device) : options_(options) {
  if (!options.enabled) return;
  const auto on = at::TensorOptions().device(device);
  scale_ = at::full({}, options.init_scale, on.dtype(at::kFloat));
  growth_tracker_ = at::zeros({}, on.dtype(at::kInt));
  found_inf_ = at::zeros({}, on.dtype(at::kFloat));
}

at::Tensor GradScaler::Scale(const at::Tensor& loss) const {
  return options_.enabled ? loss * scale_ : loss;
}

void GradScaler::Unscale(const NamedTensors& parameters) {
  if (!options_.enabled) return;
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> grads;
  for (const auto& [name, parameter] : parameters) {
    if (parameter.grad().defined()) grads.push_back(parameter.grad());
  }
  found_inf_.zero_();
  const at::Tensor inverse = scale_.to(at::kDouble).reciprocal().to(at::kFloat);
  at::_amp_foreach_non_finite_check_and_unscale_(grads, found_inf_, inverse);
}

at::Tensor GradScaler::found_inf() const { return found_inf_; }

bool GradScaler::StepWasSkipped() const {
  return options_.enabled && found_inf_.item<float>() != 0;
}

void GradScaler::Update() {
  if (!options_.enabled) return;
  at::_amp_update_scale_(scale_, growth_tracker_, found_inf_, options_.growth_factor,
                         options_.backoff_factor, options_.growth_interval);
}

double GradScaler::scale() const { return options_.enabled ? scale_.item<double>() : 1; }

NamedTensors GradScaler::State() const {
  if (!options_.enabled) return {};
  return {{"scaler.scale", scale_}, {"scaler.growth_tracker", growth_tracker_}};
}

absl::Status GradScaler::Load(const NamedTensors& state) {
  std::map<std::string, at::Tensor> given(state.begin(), state.end());
  const NamedTensors mine = State();
  for (const auto& [name, tensor] : mine) {
    const auto found = given.find(name);
    if (found == given.end() || found->second.numel() != 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("scaler state: '", name, "' is missing or not a single number"));
    }
  }
  for (const auto& [name, tensor] : mine) {
    at::Tensor(tensor).copy_(given[name].reshape(tensor.sizes()));
  }
  return absl::OkStatus();
}

}  // namespace vlm::trainer
