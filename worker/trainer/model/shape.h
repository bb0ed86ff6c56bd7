// The sizes of one model, checked. Thread-safe (a value).
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "vlm/v1/config.pb.h"

namespace vlm::trainer {

// The position table has exactly this many rows: one image token and up to 999 text tokens.
inline constexpr int64_t kMaxPositions = 1000;

struct ModelShape {
  int64_t n_embd = 128;           // C, width of the decoder.
  int64_t image_embed_dim = 512;  // D, width of the ViT.
  int64_t vocab_size = 0;         // V, rows of the token table and of lm_head.
  int64_t n_layer = 8;            // Decoder blocks.
  int64_t num_blks = 3;           // ViT blocks.
  int64_t img_size = 96;          // Pixels of a side.
  int64_t patch_size = 16;        // Pixels of a side; divides img_size.
  int64_t num_head = 8;           // H, of decoder and ViT; divides C and D.
  double dropout = 0;             // Decoder blocks, [0, 1).
  double emb_dropout = 0;         // After the ViT's position embedding.
  double blk_dropout = 0;         // ViT blocks.

  int64_t patches() const { return (img_size / patch_size) * (img_size / patch_size); }
};

// Dropout of the projector; fixed in the reference.
inline constexpr double kProjectorDropout = 0.1;

// `vocab_size` is the vocabulary's own size; the configuration's (if not 0) must be at least that
// and is what is used. INVALID_ARGUMENT names key, value and remedy.
absl::StatusOr<ModelShape> ShapeOf(const v1::TrainConfig& config, int64_t vocab_size);

// INVALID_ARGUMENT names key, value and remedy.
absl::Status CheckShape(const ModelShape& shape);

}  // namespace vlm::trainer
