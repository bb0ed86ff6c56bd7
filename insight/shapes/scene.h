// One picture of the shapes data set: what is in it, its caption and its PNG bytes.
// Lengths are fractions of the picture's side; y grows downwards. Thread-safe (no state).
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace vlm::insight {

enum class ShapeKind { kCircle, kSquare, kTriangle };
enum class Relation { kLeftOf, kRightOf, kAbove, kBelow };

struct Shape {
  ShapeKind kind = ShapeKind::kCircle;
  int color = 0;  // Index into the named colours.
  double x = 0, y = 0, radius = 0;
};

// `subject` is the one whose size the caption names; `object` is always of middle size, which
// tells the two apart in the picture.
struct Scene {
  bool large = false;  // The subject's size: small or large.
  Relation relation = Relation::kLeftOf;
  Shape subject, object;
  double background = 1;  // Gray level, light.
};

// The same (seed, index) gives the same scene on every machine.
Scene MakeScene(uint64_t seed, int64_t index);
std::string Caption(const Scene& scene);
// INTERNAL: cairo could not draw (out of memory).
absl::StatusOr<std::string> RenderPng(const Scene& scene, int image_size);

}  // namespace vlm::insight
