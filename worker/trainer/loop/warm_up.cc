#include "worker/trainer/loop/warm_up.h"

#include "common/log.h"
#include "torch/torch.h"
#include "worker/trainer/cuda/plugin.h"
#include "worker/trainer/loop/images.h"
#include "worker/trainer/model/vlm.h"
#include "worker/trainer/optim/adamw.h"
#include "worker/trainer/optim/clip.h"
#include "worker/trainer/optim/precision.h"

namespace vlm::trainer {
namespace {

ModelShape TinyShape() {
  ModelShape shape;
  shape.n_embd = 64;
  shape.image_embed_dim = 64;
  shape.vocab_size = 32;
  shape.n_layer = 1;
  shape.num_blks = 1;
  shape.img_size = 32;
  shape.patch_size = 16;
  shape.num_head = 4;
  shape.dropout = 0.1;
  return shape;
}

}  // namespace

void WarmUp() {
  try {
    VlmModel model(TinyShape());
    model.train();
    const NamedTensors parameters = NamedParameters(model);
    AdamW optimizer(parameters, {});
    const at::Tensor pixels = torch::zeros({4, 3, 32, 32}, torch::kUInt8);
    const at::Tensor tokens = torch::zeros({4, 24}, torch::kInt64);
    for (const v1::Precision mode : {v1::PRECISION_FP32, v1::PRECISION_MIXED}) {
      v1::TrainConfig config;
      config.set_precision_mode(mode);
      config.set_amp_enabled(true);
      const absl::StatusOr<PrecisionPlan> plan = PlanPrecision(config, torch::kCPU);
      if (!plan.ok()) continue;
      optimizer.ZeroGrad();
      at::Tensor loss;
      {
        const AutocastGuard autocast(*plan, torch::kCPU);
        loss = model.Loss(Normalise(pixels), tokens, tokens);
      }
      loss.backward();
      ClipGradNorm(parameters, 1.0);
      optimizer.Step(1e-3);
    }
  } catch (const std::exception& error) {
    VLM_LOG_WARNING("warm-up failed", {{"error", error.what()}});
  }
}

bool LoadCudaIfPresent() {
  if (!CudaPlugin::DriverPresent()) return false;
  const absl::Status loaded = CudaPlugin::Get().Load(CudaPlugin::DefaultPath());
  if (!loaded.ok()) {
    VLM_LOG_WARNING("a GPU driver is there, but GPUs cannot be used",
                    {{"reason", loaded.message()}});
    return false;
  }
  return CudaPlugin::Get().device_count() > 0;
}

}  // namespace vlm::trainer
