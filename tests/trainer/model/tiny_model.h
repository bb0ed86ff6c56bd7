// A model that is small enough for tests of a few milliseconds.
#pragma once

#include "worker/trainer/model/shape.h"

namespace vlm::trainer {

inline ModelShape TinyShape() {
  ModelShape shape;
  shape.n_embd = 16;
  shape.image_embed_dim = 24;
  shape.vocab_size = 11;
  shape.n_layer = 2;
  shape.num_blks = 2;
  shape.img_size = 8;
  shape.patch_size = 4;
  shape.num_head = 2;
  return shape;
}

}  // namespace vlm::trainer
