// One decoder per format behind DecodePicture; each file wraps one library. Thread-safe (no state).
// All: INVALID_ARGUMENT for damaged, truncated or too large pictures; sizes come from the header.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "worker/trainer/data/picture.h"

namespace vlm::data {

// INVALID_ARGUMENT: no pixel at all, or more than `max_pixels`.
absl::Status CheckPictureSize(int64_t width, int64_t height, int64_t max_pixels);

absl::StatusOr<Picture> DecodePng(absl::string_view bytes, int64_t max_pixels);   // libpng
absl::StatusOr<Picture> DecodeJpeg(absl::string_view bytes, int64_t max_pixels);  // TurboJPEG
absl::StatusOr<Picture> DecodeWebp(absl::string_view bytes, int64_t max_pixels);  // libwebp

}  // namespace vlm::data
