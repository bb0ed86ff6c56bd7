// One forward and backward pass on given weights and a given batch, file to file: how other
// programs compare this model with theirs (vlm-trainer --parity).
#pragma once

#include <string>

#include "absl/status/status.h"
#include "vlm/v1/config.pb.h"

namespace vlm::trainer {

// `in_path` (safetensors): weights under the state-dict names and batch.images float32
// [B, 3, img_size, img_size], batch.tokens and batch.targets int64 [B, T]. `out_path` gets logits
// [B, S, V], loss (scalar) and grad.<state-dict name>; dropout is 0. vocab_size is taken from
// decoder.lm_head.weight. INVALID_ARGUMENT / DATA_LOSS name the file and the tensor.
absl::Status RunParity(const v1::TrainConfig& config, const std::string& in_path,
                       const std::string& out_path);

}  // namespace vlm::trainer
