// Pictures: PNG, JPEG and WebP bytes (told apart by their first bytes, never by a name) to RGB, and
// to the uint8 input of the model. Thread-safe (no state). Outside bytes are hostile: sizes are
// checked from the header before anything is decoded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vlm::data {

inline constexpr int64_t kDefaultMaxPixels = int64_t{64} << 20;

struct Picture {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;  // Interleaved [height, width, 3].
};

// As Pillow's convert("RGB"): alpha is dropped, palettes and gray are spread, 16-bit colours
// lose their low byte, 16-bit gray is cut at 255, EXIF rotation is not applied.
// INVALID_ARGUMENT: no such format, damaged, truncated, or more than `max_pixels`.
absl::StatusOr<Picture> DecodePicture(absl::string_view bytes,
                                      int64_t max_pixels = kDefaultMaxPixels);

// Decoded and resized: planar [3, img_size, img_size].
absl::StatusOr<std::vector<uint8_t>> PrepareBytes(absl::string_view bytes, int img_size,
                                                  int64_t max_pixels = kDefaultMaxPixels);
// The same of a file: what `generate` feeds to the model. NOT_FOUND, PERMISSION_DENIED: as said.
absl::StatusOr<std::vector<uint8_t>> PrepareFile(const std::string& path, int img_size,
                                                 int64_t max_pixels = kDefaultMaxPixels);

}  // namespace vlm::data
