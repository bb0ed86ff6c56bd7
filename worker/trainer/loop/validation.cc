#include "worker/trainer/loop/validation.h"

#include <algorithm>
#include <numeric>

#include "common/status.h"
#include "worker/trainer/loop/images.h"
#include "worker/trainer/profile/scope.h"

namespace vlm::trainer {
namespace {

// How often batch `i` of `period` different ones occurs among `iters`.
int64_t Occurrences(int64_t i, int64_t period, int64_t iters) {
  return iters / period + (i < iters % period ? 1 : 0);
}

// Switches dropout off as long as it lives.
class EvalMode {
 public:
  explicit EvalMode(VlmModel* model) : model_(model) { model_->eval(); }
  ~EvalMode() { model_->train(); }
  EvalMode(const EvalMode&) = delete;
  EvalMode& operator=(const EvalMode&) = delete;

 private:
  VlmModel* const model_;
};

}  // namespace

absl::StatusOr<double> Validate(Training* training) {
  const Scope scope("vlm::validation");
  const v1::TrainConfig& config = training->config;
  const EvalMode eval(training->model.get());
  const torch::NoGradGuard no_grad;
  data::BatchOptions options;
  options.part = data::BatchOptions::Part::kValidation;
  options.batch_size = config.val_batch_size();
  ASSIGN_OR_RETURN(const auto loader, data::BatchLoader::Make(*training->dataset, options));
  const int64_t rows = training->dataset->val_size();
  const int64_t period = rows / std::gcd(rows, config.val_batch_size());
  const int64_t batches = std::min(period, config.eval_iters());
  double sum = 0;
  for (int64_t i = 0; i < batches; ++i) {
    ASSIGN_OR_RETURN(data::Batch batch, loader->Next());
    if (i % training->world_size == training->rank) {
      const DeviceBatch input = ToDevice(batch, training->dataset->img_size(), training->device,
                                         /*pin=*/false);
      const AutocastGuard autocast(training->precision, training->device.type());
      const at::Tensor loss = training->model->Loss(input.images, input.tokens, input.targets);
      sum += loss.item<double>() * static_cast<double>(Occurrences(i, period, config.eval_iters()));
    }
    loader->Recycle(std::move(batch));
  }
  double mean = sum / static_cast<double>(config.eval_iters());
  if (training->group != nullptr) {
    const at::Tensor total = torch::full({1}, mean, torch::kFloat64).to(training->device);
    RETURN_IF_ERROR(training->group->AllReduceSum(total));
    mean = total.item<double>();
  }
  return mean;
}

}  // namespace vlm::trainer
