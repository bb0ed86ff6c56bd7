#include "worker/trainer/model/attention.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <optional>
#include <vector>

#include "worker/trainer/model/dropout.h"
#include "worker/trainer/model/kernels/kernels.h"
#include "worker/trainer/model/mask.h"

namespace vlm::trainer {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// Where query, key and value of all heads are: columns of one packed tensor, or of two.
struct Operands {
  at::Tensor query_source;      // [B, Sq, 3C] (packed) or [B, Sq, C]; float32, contiguous.
  at::Tensor key_value_source;  // Undefined (packed) or [B, Sk, 2C].

  bool packed() const { return !key_value_source.defined(); }
  int64_t width() const { return packed() ? query_source.size(2) / 3 : query_source.size(2); }
  int64_t batch() const { return query_source.size(0); }
  int64_t rows() const { return query_source.size(1); }
  int64_t columns() const { return packed() ? rows() : key_value_source.size(1); }
};

struct Plan {
  AttentionOptions options;
  DropoutMask mask;
};

AttentionHead HeadAt(const Operands& in, const Plan& plan, int64_t item) {
  const int64_t sample = item / plan.options.heads;
  const int64_t head = in.width() / plan.options.heads;
  const int64_t offset = item % plan.options.heads * head;
  const at::Tensor& other = in.packed() ? in.query_source : in.key_value_source;
  const int64_t query_stride = in.query_source.size(2);
  const int64_t stride = other.size(2);
  const float* key = other.const_data_ptr<float>() + sample * in.columns() * stride + offset +
                     (in.packed() ? in.width() : 0);
  AttentionHead at{};
  at.query = in.query_source.const_data_ptr<float>() + sample * in.rows() * query_stride + offset;
  at.key = key;
  at.value = key + in.width();
  at.query_stride = query_stride;
  at.key_stride = at.value_stride = stride;
  at.rows = in.rows();
  at.columns = in.columns();
  at.head = head;
  at.scale = static_cast<float>(plan.options.scale);
  at.causal = plan.options.causal;
  at.mask = plan.mask;
  at.mask_row = item * in.rows();
  return at;
}

// Runs `work(item, scratch)` for every head of every sample on all threads.
template <typename Work>
void ForEachHead(const Operands& in, const AttentionOptions& options, const Work& work) {
  const int64_t floats =
      BestKernels().attention_scratch(in.rows(), in.columns(), in.width() / options.heads);
  at::parallel_for(0, in.batch() * options.heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> scratch(static_cast<size_t>(floats));
    for (int64_t item = begin; item < end; ++item) work(item, scratch.data());
  });
}

void RunForward(const Operands& in, const Plan& plan, at::Tensor* out, at::Tensor* log_sum) {
  *out = at::empty({in.batch(), in.rows(), in.width()}, in.query_source.options());
  *log_sum = at::empty({in.batch() * plan.options.heads, in.rows()}, in.query_source.options());
  float* const to = out->mutable_data_ptr<float>();
  float* const sums = log_sum->mutable_data_ptr<float>();
  const int64_t head = in.width() / plan.options.heads;
  ForEachHead(in, plan.options, [&](int64_t item, float* scratch) {
    const int64_t sample = item / plan.options.heads;
    float* at = to + sample * in.rows() * in.width() + item % plan.options.heads * head;
    BestKernels().attention_forward(HeadAt(in, plan, item), at, in.width(), sums + item * in.rows(),
                                    scratch);
  });
}

void RunBackward(const Operands& in, const Plan& plan, const at::Tensor& out,
                 const at::Tensor& log_sum, const at::Tensor& out_grad, Operands* grads) {
  grads->query_source = at::empty_like(in.query_source);
  if (!in.packed()) grads->key_value_source = at::empty_like(in.key_value_source);
  ForEachHead(in, plan.options, [&](int64_t item, float* scratch) {
    const AttentionHead head = HeadAt(in, plan, item);
    const AttentionHead to = HeadAt(*grads, plan, item);  // The same places in the gradients.
    const int64_t sample = item / plan.options.heads;
    const int64_t offset = sample * in.rows() * in.width() + item % plan.options.heads * head.head;
    AttentionBackward g{};
    g.out = out.const_data_ptr<float>() + offset;
    g.out_grad = out_grad.const_data_ptr<float>() + offset;
    g.out_stride = in.width();
    g.log_sum = log_sum.const_data_ptr<float>() + item * in.rows();
    g.query_grad = const_cast<float*>(to.query);
    g.key_grad = const_cast<float*>(to.key);
    g.value_grad = const_cast<float*>(to.value);
    g.query_grad_stride = to.query_stride;
    g.key_grad_stride = g.value_grad_stride = to.key_stride;
    BestKernels().attention_backward(head, g, scratch);
  });
}

// Inputs of any floating type; computed in float32, gradients in the inputs' types.
class CpuAttention : public Function<CpuAttention> {
 public:
  static at::Tensor forward(AutogradContext* ctx, const at::Tensor& query_source,
                            const std::optional<at::Tensor>& key_value_source, int64_t heads,
                            double scale, bool causal, double dropout) {
    Operands in{query_source.to(at::kFloat).contiguous(), at::Tensor()};
    if (key_value_source) {
      in.key_value_source = key_value_source->to(at::kFloat).contiguous();
    }
    const Plan plan{{heads, scale, causal, dropout}, MakeMask(dropout)};
    at::Tensor out, log_sum;
    RunForward(in, plan, &out, &log_sum);
    ctx->save_for_backward({in.query_source, in.key_value_source, out, log_sum});
    ctx->saved_data["heads"] = heads;
    ctx->saved_data["scale"] = scale;
    ctx->saved_data["causal"] = causal;
    ctx->saved_data["dropout"] = dropout;
    ctx->saved_data["seed"] = static_cast<int64_t>(plan.mask.seed);
    ctx->saved_data["type"] = static_cast<int64_t>(query_source.scalar_type());
    return out.to(query_source.scalar_type());
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const variable_list saved = ctx->get_saved_variables();
    const Operands in{saved[0], saved[1]};
    const double dropout = ctx->saved_data["dropout"].toDouble();
    const Plan plan{{ctx->saved_data["heads"].toInt(), ctx->saved_data["scale"].toDouble(),
                     ctx->saved_data["causal"].toBool(), dropout},
                    MaskOf(dropout, static_cast<uint64_t>(ctx->saved_data["seed"].toInt()))};
    Operands grads;
    RunBackward(in, plan, saved[2], saved[3], grad_outputs[0].to(at::kFloat).contiguous(), &grads);
    const auto type = static_cast<at::ScalarType>(ctx->saved_data["type"].toInt());
    at::Tensor key_value_grad;
    if (!in.packed()) key_value_grad = grads.key_value_source.to(type);
    return {grads.query_source.to(type), key_value_grad, {}, {}, {}, {}};
  }
};

// [B, S, C] -> [B, heads, S, C / heads].
at::Tensor SplitHeads(const at::Tensor& x, int64_t heads) {
  return x.view({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}

at::Tensor DeviceAttention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value,
                           const AttentionOptions& options) {
  const at::Tensor out = at::scaled_dot_product_attention(
      SplitHeads(query, options.heads), SplitHeads(key, options.heads),
      SplitHeads(value, options.heads), {}, options.dropout, options.causal, options.scale);
  return out.transpose(1, 2).flatten(2);
}

}  // namespace

at::Tensor SelfAttention(const at::Tensor& qkv, const AttentionOptions& options) {
  if (qkv.is_cpu()) {
    return CpuAttention::apply(qkv, std::nullopt, options.heads, options.scale, options.causal,
                               options.dropout);
  }
  const auto parts = qkv.chunk(3, 2);
  return DeviceAttention(parts[0], parts[1], parts[2], options);
}

at::Tensor CrossAttention(const at::Tensor& query, const at::Tensor& key_value,
                          const AttentionOptions& options) {
  if (query.is_cpu()) {
    return CpuAttention::apply(query, std::optional<at::Tensor>(key_value), options.heads,
                               options.scale, false, options.dropout);
  }
  const auto parts = key_value.chunk(2, 2);
  return DeviceAttention(query, parts[0], parts[1], options);
}

}  // namespace vlm::trainer
