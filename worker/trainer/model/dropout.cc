#include "worker/trainer/model/dropout.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <optional>

#include "worker/trainer/model/kernels/kernels.h"
#include "worker/trainer/model/mask.h"

namespace vlm::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

constexpr int64_t kGrain = 32768;  // Elements a thread takes at least.

// add (may be undefined) + masked x; float32, contiguous.
at::Tensor ApplyMask(const at::Tensor& x, const at::Tensor& add, const DropoutMask& mask) {
  at::Tensor out = at::empty(x.sizes(), x.options());
  const float* const from = x.const_data_ptr<float>();
  const float* const plus = add.defined() ? add.const_data_ptr<float>() : nullptr;
  float* const to = out.mutable_data_ptr<float>();
  at::parallel_for(0, x.numel(), kGrain, [&](int64_t begin, int64_t end) {
    BestKernels().dropout(from, plus, to, begin, end, mask);
  });
  return out;
}

at::Tensor Ready(const at::Tensor& x) { return x.to(at::kFloat).contiguous(); }

class CpuDropout : public Function<CpuDropout> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& x,
                            const std::optional<at::Tensor>& residual, double p) {
    const DropoutMask mask = MakeMask(p);
    ctx->saved_data["p"] = p;
    ctx->saved_data["seed"] = static_cast<int64_t>(mask.seed);
    ctx->saved_data["type"] = static_cast<int64_t>(x.scalar_type());
    ctx->saved_data["adds"] = residual.has_value();
    return ApplyMask(Ready(x), residual ? Ready(*residual) : at::Tensor(), mask);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const DropoutMask mask = MaskOf(ctx->saved_data["p"].toDouble(),
                                    static_cast<uint64_t>(ctx->saved_data["seed"].toInt()));
    const at::Tensor grad = ApplyMask(Ready(grad_outputs[0]), at::Tensor(), mask);
    at::Tensor residual_grad;
    if (ctx->saved_data["adds"].toBool()) residual_grad = grad_outputs[0];
    return {
        grad.to(static_cast<at::ScalarType>(ctx->saved_data["type"].toInt())), residual_grad, {}};
  }
};

}  // namespace

uint64_t DrawSeed() {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
}

at::Tensor AddDropout(const at::Tensor& residual, const at::Tensor& x, double p) {
  if (p <= 0) return residual + x;
  if (x.is_cpu()) return CpuDropout::apply(x, std::optional<at::Tensor>(residual), p);
  return residual + at::dropout(x, p, true);
}

at::Tensor Dropout(const at::Tensor& x, double p) {
  if (p <= 0) return x;
  if (x.is_cpu()) return CpuDropout::apply(x, std::nullopt, p);
  return at::dropout(x, p, true);
}

}  // namespace vlm::trainer
