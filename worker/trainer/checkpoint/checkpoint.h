// A checkpoint: everything that a training needs to go on as if it had never stopped, in one
// safetensors file (docs/checkpoints.md).
//
// Tensors: the model under the reference's state-dict names; `optimizer.*` (moments and step),
// `scaler.*` and `rng.*` (generator state of each rank). Drop the names with these three prefixes
// and the rest loads into the reference model with strict=True. Metadata: `vlm.state`, a JSON
// object with step, configuration and the rest of CheckpointInfo; `vlm.vocabulary`; and
// `vlm.content_sha256`, which names damage anywhere in the tensors. `format` is "pt".
//
// Files appear complete or not at all (written aside, synced, renamed, folder synced). Thread-safe
// (no state). Errors: DATA_LOSS with path and reason for a file that is damaged or none of ours;
// RESOURCE_EXHAUSTED when the disk is full.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "vlm/v1/config.pb.h"
#include "vlm/v1/study.pb.h"
#include "worker/trainer/model/named_tensors.h"

namespace vlm::trainer {

struct CheckpointInfo {
  int64_t step = 0;        // Optimizer steps done; also the position in the order of batches.
  v1::TrainConfig config;  // The trial's, parameters applied.
  int64_t model_vocab_size = 0;
  std::string vocabulary;       // data::Vocabulary::ToJson.
  int world_size = 1;           // Ranks whose generators are in the file.
  std::optional<double> value;  // Newest validation value.
  double train_loss_sum = 0;    // Since the newest validation (metric train_loss).
  int64_t train_loss_count = 0;
};

struct LoadedCheckpoint {
  CheckpointInfo info;
  NamedTensors model;  // State-dict names.
  NamedTensors rest;   // optimizer.*, scaler.*, rng.*
};

// "<folder>/step-00000120.safetensors"
std::string CheckpointPath(const std::string& folder, int64_t step);

// Writes and hashes. Of the result: step, sha256, size_bytes, uri (file:///...), create_time,
// value.
absl::StatusOr<v1::Checkpoint> SaveCheckpoint(const std::string& path, const CheckpointInfo& info,
                                              const NamedTensors& tensors);

absl::StatusOr<LoadedCheckpoint> LoadCheckpoint(const std::string& path);

// The entry called `name`; FAILED: NOT_FOUND.
absl::StatusOr<at::Tensor> FindTensor(const NamedTensors& tensors, const std::string& name);

}  // namespace vlm::trainer
