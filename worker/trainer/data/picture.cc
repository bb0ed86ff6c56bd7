#include "worker/trainer/data/picture.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "worker/trainer/data/codecs.h"
#include "worker/trainer/data/files.h"
#include "worker/trainer/data/resize.h"

namespace vlm::data {

absl::Status CheckPictureSize(int64_t width, int64_t height, int64_t max_pixels) {
  if (width < 1 || height < 1) {
    return absl::InvalidArgumentError(absl::StrCat("picture of ", width, "x", height, " pixels"));
  }
  if (width * height > max_pixels) {  // Both come from 32-bit fields: no overflow.
    return absl::InvalidArgumentError(
        absl::StrCat("picture of ", width, "x", height, " pixels is larger than data.max_pixels (",
                     max_pixels, "); scale it down or raise data.max_pixels"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Picture> DecodePicture(absl::string_view bytes, int64_t max_pixels) {
  if (absl::StartsWith(bytes, "\x89PNG\r\n\x1a\n")) return DecodePng(bytes, max_pixels);
  if (absl::StartsWith(bytes, "\xff\xd8\xff")) return DecodeJpeg(bytes, max_pixels);
  if (absl::StartsWith(bytes, "RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP") {
    return DecodeWebp(bytes, max_pixels);
  }
  if (bytes.empty()) return absl::InvalidArgumentError("picture has no bytes");
  return absl::InvalidArgumentError(
      absl::StrCat("picture is neither PNG, JPEG nor WebP: it begins with bytes ",
                   absl::BytesToHexString(bytes.substr(0, std::min<size_t>(8, bytes.size()))),
                   "; convert it to one of them"));
}

absl::StatusOr<std::vector<uint8_t>> PrepareBytes(absl::string_view bytes, int img_size,
                                                  int64_t max_pixels) {
  ASSIGN_OR_RETURN(const Picture picture, DecodePicture(bytes, max_pixels));
  return ToPlanar(Resize(picture, img_size, img_size));
}

absl::StatusOr<std::vector<uint8_t>> PrepareFile(const std::string& path, int img_size,
                                                 int64_t max_pixels) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadWholeFile(path, kMaxPictureBytes));
  auto pixels = PrepareBytes(bytes, img_size, max_pixels);
  if (!pixels.ok()) return Annotate(pixels.status(), path);
  return pixels;
}

}  // namespace vlm::data
