// Everything that a training needs, made in order: device, data, model, optimizer, ranks, and the
// state of a checkpoint if the job resumes one. Owner: Trainer. Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "torch/torch.h"
#include "worker/trainer/checkpoint/checkpoint.h"
#include "worker/trainer/data/batches.h"
#include "worker/trainer/data/dataset.h"
#include "worker/trainer/loop/job.h"
#include "worker/trainer/loop/observer.h"
#include "worker/trainer/model/vlm.h"
#include "worker/trainer/optim/adamw.h"
#include "worker/trainer/optim/grad_scaler.h"
#include "worker/trainer/optim/precision.h"
#include "worker/trainer/parallel/data_parallel.h"
#include "worker/trainer/parallel/process_group.h"

namespace vlm::trainer {

// Members in order of construction; destroyed in reverse: Reducer before its process group.
struct Training {
  v1::TrainConfig config;
  int rank = 0;
  int world_size = 1;
  int64_t total_steps = 0;
  torch::Device device = torch::kCPU;
  PrecisionPlan precision;
  std::unique_ptr<data::Dataset> dataset;
  std::unique_ptr<VlmModel> model;
  NamedTensors parameters;
  std::unique_ptr<AdamW> optimizer;
  std::unique_ptr<GradScaler> scaler;
  std::unique_ptr<data::BatchLoader> batches;
  std::unique_ptr<ProcessGroup> group;     // Null: one rank.
  std::unique_ptr<DataParallel> parallel;  // Null: one rank.

  // Progress.
  int64_t step = 0;             // Optimizer steps done; the next global batch has this index.
  std::optional<double> value;  // Newest validation's metric.
  double train_loss_sum = 0;    // Since the newest validation.
  int64_t train_loss_count = 0;
};

// Errors are those of the parts; codes as in OutcomeOf (failure.h). May throw what LibTorch throws.
absl::StatusOr<std::unique_ptr<Training>> SetUp(const Job& job, Observer* observer);

}  // namespace vlm::trainer
