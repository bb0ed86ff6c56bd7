// Captioned pictures made by the project: two coloured shapes in a relation, "a small red circle
// left of a blue square". Rendered with cairo. The caption is a function of the picture (the shape
// with a size word comes first), so that validation loss means something.
// Thread-safe (no state). The same options give the same bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"

namespace vlm::insight {

struct ShapesOptions {
  std::string out;  // Folder; made if missing. Gets captions.csv and pictures/NNNNN.png.
  int64_t n = 600;  // Pictures, 1..1,000,000.
  uint64_t seed = 0;
  int image_size = 64;                                   // Pixels per side, 16..1024.
  std::function<void(int64_t done)> progress = nullptr;  // Called after each picture; may be empty.
};

// captions.csv (image_path,caption) is written last and in one piece: if it is there, all is.
// INVALID_ARGUMENT: an option out of range. RESOURCE_EXHAUSTED: disk full. Others: the folder
// cannot be written; the message names the path.
absl::Status WriteShapes(const ShapesOptions& options);

}  // namespace vlm::insight
