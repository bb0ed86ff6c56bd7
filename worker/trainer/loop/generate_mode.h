// Writes a caption for a picture with the model of a checkpoint (vlmctl generate starts this).
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace vlm::trainer {

struct CaptionRequest {
  std::string checkpoint;
  std::string image;   // PNG, JPEG or WebP file.
  std::string prompt;  // The caption's beginning; may be empty.
  int64_t max_new = 200;
  double temperature = 0;  // 0: always the most likely character.
  int64_t top_k = 0;
  uint64_t seed = 0;
};

// Prompt and continuation. INVALID_ARGUMENT, NOT_FOUND, ...: names the file or the character.
absl::StatusOr<std::string> Caption(const CaptionRequest& request);

}  // namespace vlm::trainer
