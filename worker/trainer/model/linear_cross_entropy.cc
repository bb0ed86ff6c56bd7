#include "worker/trainer/model/linear_cross_entropy.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <torch/torch.h>

#include <algorithm>
#include <atomic>

#include "worker/trainer/model/kernels/kernels.h"

namespace vlm::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// Logits of a chunk: about 8 MiB, so that they are still in the cache when they are read again.
constexpr int64_t kChunkFloats = 2 << 20;

struct Work {
  at::Tensor hidden, weight;            // In `gemm_type`.
  at::Tensor bias;                      // float32
  at::Tensor targets;                   // int64 [N]
  at::Tensor hidden_grad, weight_grad;  // Undefined: the loss only.
  at::Tensor bias_grad;
  double scale = 0;  // 1 / number of targets that count.
};

// Bias, softmax, loss and (if wanted) the gradient in place, rows split over the threads.
double SoftmaxChunk(const Work& work, at::Tensor* logits, const int64_t* targets) {
  const int64_t rows = logits->size(0);
  const int64_t columns = logits->size(1);
  float* const data = logits->mutable_data_ptr<float>();
  const float* const bias = work.bias.const_data_ptr<float>();
  // One partial sum per row block: the sum does not depend on the number of threads.
  constexpr int64_t kBlock = 8;
  std::vector<double> losses(static_cast<size_t>((rows + kBlock - 1) / kBlock));
  at::parallel_for(0, static_cast<int64_t>(losses.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kBlock;
      losses[static_cast<size_t>(block)] = BestKernels().cross_entropy(
          data + first * columns, bias, targets + first, std::min(kBlock, rows - first), columns,
          work.hidden_grad.defined(), static_cast<float>(work.scale));
    }
  });
  double loss = 0;
  for (double part : losses) loss += part;
  return loss;
}

double RunChunks(Work* work) {
  const int64_t rows = work->hidden.size(0);
  const int64_t chunk = std::max<int64_t>(64, kChunkFloats / work->weight.size(0));
  const at::Tensor weight_t = work->weight.t();
  double loss = 0;
  for (int64_t first = 0; first < rows; first += chunk) {
    const int64_t count = std::min(chunk, rows - first);
    const at::Tensor hidden = work->hidden.narrow(0, first, count);
    at::Tensor logits = at::mm(hidden, weight_t).to(at::kFloat);
    loss += SoftmaxChunk(*work, &logits, work->targets.const_data_ptr<int64_t>() + first);
    if (!work->hidden_grad.defined()) continue;
    work->bias_grad.add_(logits.sum(0));
    const at::Tensor grad = logits.to(hidden.scalar_type());
    work->hidden_grad.narrow(0, first, count).copy_(at::mm(grad, work->weight));
    if (hidden.scalar_type() == at::kFloat) {
      work->weight_grad.addmm_(grad.t(), hidden);
    } else {
      work->weight_grad.add_(at::mm(grad.t(), hidden));
    }
  }
  return loss * work->scale;
}

class CpuLinearCrossEntropy : public Function<CpuLinearCrossEntropy> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& hidden,
                            const at::Tensor& weight, const at::Tensor& bias,
                            const at::Tensor& targets, bool with_gradients) {
    const bool autocast = at::autocast::is_autocast_enabled(at::kCPU);
    const at::ScalarType type =
        autocast ? at::autocast::get_autocast_dtype(at::kCPU) : hidden.scalar_type();
    const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
    Work work{hidden.to(type).contiguous(),
              weight.to(type).contiguous(),
              bias.to(at::kFloat).contiguous(),
              targets.contiguous(),
              {},
              {},
              {},
              0};
    const int64_t counted = targets.ge(0).sum().item<int64_t>();
    work.scale = counted > 0 ? 1.0 / static_cast<double>(counted) : 0;
    if (with_gradients) {
      work.hidden_grad = at::empty(hidden.sizes(), hidden.options().dtype(at::kFloat));
      work.weight_grad = at::zeros_like(weight);
      work.bias_grad = at::zeros_like(bias);
    }
    const double loss = RunChunks(&work);
    if (with_gradients) {
      ctx->save_for_backward({work.hidden_grad, work.weight_grad, work.bias_grad});
      ctx->saved_data["type"] = static_cast<int64_t>(hidden.scalar_type());
    }
    return at::scalar_tensor(loss, bias.options().dtype(at::kFloat));
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const variable_list saved = ctx->get_saved_variables();
    const at::Tensor& factor = grad_outputs[0];
    const auto type = static_cast<at::ScalarType>(ctx->saved_data["type"].toInt());
    return {(saved[0] * factor).to(type), saved[1] * factor, saved[2] * factor, {}, {}};
  }
};

}  // namespace

at::Tensor LinearCrossEntropy(const at::Tensor& hidden, const at::Tensor& weight,
                              const at::Tensor& bias, const at::Tensor& targets) {
  if (hidden.is_cpu() && hidden.scalar_type() != at::kDouble) {
    return CpuLinearCrossEntropy::apply(hidden, weight, bias, targets,
                                        at::GradMode::is_enabled() && hidden.requires_grad());
  }
  return at::cross_entropy_loss(at::linear(hidden, weight, bias).to(at::kFloat), targets, {},
                                at::Reduction::Mean, -100);
}

}  // namespace vlm::trainer
