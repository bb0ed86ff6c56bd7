#include <webp/decode.h>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "worker/trainer/data/codecs.h"

namespace vlm::data {

absl::StatusOr<Picture> DecodeWebp(absl::string_view bytes, int64_t max_pixels) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data, bytes.size(), &features) != VP8_STATUS_OK) {
    return absl::InvalidArgumentError("damaged WebP: its header cannot be read");
  }
  if (features.has_animation != 0) {
    return absl::InvalidArgumentError("animated WebP; save one frame of it as a picture");
  }
  const absl::Status size = CheckPictureSize(features.width, features.height, max_pixels);
  if (!size.ok()) return size;
  Picture picture{features.width, features.height, {}};
  const size_t row_bytes = static_cast<size_t>(picture.width) * 3;
  picture.rgb.resize(row_bytes * static_cast<size_t>(picture.height));
  // Alpha is dropped, not blended: the colours under it are what Pillow's convert("RGB") shows.
  if (WebPDecodeRGBInto(data, bytes.size(), picture.rgb.data(), picture.rgb.size(),
                        static_cast<int>(row_bytes)) == nullptr) {
    return absl::InvalidArgumentError("damaged WebP: it is truncated or its data are wrong");
  }
  return picture;
}

}  // namespace vlm::data
