// Pillow's bilinear resize with antialias for 8-bit RGB, bit for bit: a triangle filter that is
// stretched when scaling down, applied horizontally then vertically, with weights rounded to 22-bit
// fixed point and a uint8 picture in between. Method: Pillow, src/libImaging/Resample.c.
// Thread-safe (no state).
#pragma once

#include <cstdint>
#include <vector>

#include "worker/trainer/data/picture.h"

namespace vlm::data {

// REQUIRES: width and height of both at least 1.
Picture Resize(const Picture& picture, int width, int height);

// Interleaved [H, W, 3] to planar [3, H, W].
std::vector<uint8_t> ToPlanar(const Picture& picture);

}  // namespace vlm::data
