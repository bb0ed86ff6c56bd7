#include "worker/trainer/optim/adamw.h"

#include <torch/torch.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace vlm::trainer {
namespace {

constexpr char kStep[] = "optimizer.step";
constexpr char kFirst[] = "optimizer.exp_avg.";
constexpr char kSecond[] = "optimizer.exp_avg_sq.";

}  // namespace

AdamW::AdamW(const NamedTensors& parameters, const AdamWOptions& options) : options_(options) {
  TORCH_CHECK_VALUE(!parameters.empty(), "an optimizer needs at least one parameter");
  const torch::NoGradGuard no_grad;
  for (const auto& [name, parameter] : parameters) {
    names_.push_back(name);
    parameters_.push_back(parameter);
    exp_avg_.push_back(at::zeros_like(parameter.detach()));
    exp_avg_sq_.push_back(at::zeros_like(parameter.detach()));
  }
  step_ = at::zeros({}, parameters_[0].options().dtype(at::kFloat).requires_grad(false));
  steps_.assign(parameters_.size(), step_);
}

void AdamW::Step(double learning_rate, const at::Tensor& found_inf) {
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> grads;
  grads.reserve(parameters_.size());
  for (const at::Tensor& parameter : parameters_) {
    const at::Tensor& grad = parameter.grad();
    grads.push_back(grad.defined() ? grad : at::zeros_like(parameter));
  }
  step_.add_(1);
  std::optional<at::Tensor> skip;
  if (found_inf.defined()) skip = found_inf;
  at::_fused_adamw_(parameters_, grads, exp_avg_, exp_avg_sq_, {}, steps_, learning_rate,
                    options_.beta1, options_.beta2, options_.weight_decay, options_.eps,
                    /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/{}, skip);
  if (found_inf.defined()) step_.sub_(found_inf);
}

void AdamW::ZeroGrad() {
  const torch::NoGradGuard no_grad;
  std::vector<at::Tensor> grads;
  for (const at::Tensor& parameter : parameters_) {
    if (parameter.grad().defined()) grads.push_back(parameter.grad());
  }
  if (!grads.empty()) at::_foreach_zero_(grads);
}

int64_t AdamW::step() const { return static_cast<int64_t>(step_.item<float>()); }

NamedTensors AdamW::State() const {
  NamedTensors state;
  state.emplace_back(kStep, step_);
  for (size_t i = 0; i < names_.size(); ++i) {
    state.emplace_back(kFirst + names_[i], exp_avg_[i]);
    state.emplace_back(kSecond + names_[i], exp_avg_sq_[i]);
  }
  return state;
}

absl::Status AdamW::Load(const NamedTensors& state) {
  std::map<std::string, at::Tensor> given(state.begin(), state.end());
  const NamedTensors mine = State();
  for (const auto& [name, tensor] : mine) {
    const auto found = given.find(name);
    if (found == given.end()) {
      return absl::InvalidArgumentError(absl::StrCat("optimizer state: '", name, "' is missing"));
    }
    if (found->second.sizes() != tensor.sizes() || !found->second.is_floating_point()) {
      return absl::InvalidArgumentError(
          absl::StrCat("optimizer state: '", name, "' has another shape or type"));
    }
  }
  const torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : mine) at::Tensor(tensor).copy_(given[name]);
  return absl::OkStatus();
}

}  // namespace vlm::trainer
