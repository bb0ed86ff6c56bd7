#include <turbojpeg.h>

#include <memory>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "worker/trainer/data/codecs.h"

namespace vlm::data {
namespace {

// Pillow's choices: the accurate integer DCT and smooth chroma. A file with thousands of scans is
// an attack on the clock.
constexpr int kFlags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;

absl::Status Damaged(tjhandle handle) {
  return absl::InvalidArgumentError(absl::StrCat("damaged JPEG: ", tjGetErrorStr2(handle)));
}

uint8_t Multiply(int a, int b) {  // a * b / 255, rounded.
  const int t = a * b + 128;
  return static_cast<uint8_t>(((t >> 8) + t) >> 8);
}

// Print colours are stored inverted (Adobe); ink c over black k leaves (255 - c)(255 - k).
void FromInvertedCmyk(const std::vector<uint8_t>& cmyk, std::vector<uint8_t>* rgb) {
  for (size_t i = 0; i * 4 < cmyk.size(); ++i) {
    const int k = cmyk[i * 4 + 3];
    for (size_t c = 0; c < 3; ++c) {
      (*rgb)[i * 3 + c] = static_cast<uint8_t>(k - Multiply(255 - cmyk[i * 4 + c], k));
    }
  }
}

absl::Status Decompress(tjhandle handle, absl::string_view bytes, TJPF format, uint8_t* out,
                        const Picture& size) {
  if (tjDecompress2(handle, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out,
                    size.width, 0, size.height, format, kFlags) == 0) {
    return absl::OkStatus();
  }
  // Junk between markers loses no pixel; every other warning does.
  if (tjGetErrorCode(handle) == TJERR_WARNING &&
      absl::StrContains(tjGetErrorStr2(handle), "extraneous bytes")) {
    return absl::OkStatus();
  }
  return Damaged(handle);
}

}  // namespace

absl::StatusOr<Picture> DecodeJpeg(absl::string_view bytes, int64_t max_pixels) {
  const std::unique_ptr<void, int (*)(void*)> handle(tjInitDecompress(), tjDestroy);
  if (handle == nullptr) return absl::ResourceExhaustedError("no memory to decode a JPEG");
  Picture picture;
  int subsampling = 0, colors = 0;
  if (tjDecompressHeader3(handle.get(), reinterpret_cast<const unsigned char*>(bytes.data()),
                          bytes.size(), &picture.width, &picture.height, &subsampling,
                          &colors) != 0) {
    return Damaged(handle.get());
  }
  absl::Status status = CheckPictureSize(picture.width, picture.height, max_pixels);
  if (!status.ok()) return status;
  const size_t pixels = static_cast<size_t>(picture.width) * static_cast<size_t>(picture.height);
  picture.rgb.resize(pixels * 3);
  if (colors == TJCS_CMYK || colors == TJCS_YCCK) {
    std::vector<uint8_t> cmyk(pixels * 4);
    status = Decompress(handle.get(), bytes, TJPF_CMYK, cmyk.data(), picture);
    if (status.ok()) FromInvertedCmyk(cmyk, &picture.rgb);
  } else {
    status = Decompress(handle.get(), bytes, TJPF_RGB, picture.rgb.data(), picture);
  }
  if (!status.ok()) return status;
  return picture;
}

}  // namespace vlm::data
