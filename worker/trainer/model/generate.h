// Captions from a trained model. Not thread-safe (uses the model). The picture is encoded once; the
// decoder runs over [image, prompt, what was generated so far] with each token at its own position.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/trainer/model/vlm.h"

namespace vlm::trainer {

struct GenerateOptions {
  int64_t max_new_tokens = 200;  // At most 999 tokens with the prompt.
  double temperature = 0;        // 0: the most likely token (greedy).
  int64_t top_k = 0;             // Sampling: only the k most likely; 0 = all.
  uint64_t seed = 0;             // Sampling: same seed, same text.
  int64_t pad_id = -1;           // Generation stops at this token; -1: never stops early.
  int64_t vocab_limit = 0;       // Ids at and above are never chosen (rows without a character);
                                 // 0 = all rows.
};

// image: float32 [3, img_size, img_size], normalised. prompt: may be empty (the image alone).
// Returns the new tokens without prompt and without pad. Leaves the model in its mode.
// INVALID_ARGUMENT: a token outside of [0, V), a prompt of 999 tokens or more, bad options.
absl::StatusOr<std::vector<int64_t>> Generate(VlmModel& model, const at::Tensor& image,
                                              const std::vector<int64_t>& prompt,
                                              const GenerateOptions& options);

}  // namespace vlm::trainer
