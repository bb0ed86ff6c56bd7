#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "worker/trainer/data/codecs.h"

namespace vlm::data {
namespace {

// What the callbacks of libpng see. Errors leave by longjmp, so nothing with a destructor may live
// in a frame between setjmp and the library.
struct Context {
  const char* next;
  size_t left;
  jmp_buf jump;
  char message[128];
};

void OnError(png_structp png, png_const_charp message) {
  auto* context = static_cast<Context*>(png_get_error_ptr(png));
  std::strncpy(context->message, message, sizeof(context->message) - 1);
  std::longjmp(context->jump, 1);
}

void OnWarning(png_structp, png_const_charp) {}

void OnRead(png_structp png, png_bytep out, size_t size) {
  auto* context = static_cast<Context*>(png_get_io_ptr(png));
  if (size > context->left) png_error(png, "the file is truncated");
  std::memcpy(out, context->next, size);
  context->next += size;
  context->left -= size;
}

struct Reader {
  explicit Reader(Context* context)
      : png(png_create_read_struct(PNG_LIBPNG_VER_STRING, context, OnError, OnWarning)),
        info(png == nullptr ? nullptr : png_create_info_struct(png)) {}
  ~Reader() { png_destroy_read_struct(&png, &info, nullptr); }
  png_structp png;
  png_infop info;
};

bool ReadHeader(const Reader& reader, Context* context) {
  if (setjmp(context->jump) != 0) return false;
  png_set_read_fn(reader.png, context, OnRead);
  // max_pixels decides about the size; the library's own limit is lower than some of its values.
  png_set_user_limits(reader.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_read_info(reader.png, reader.info);
  return true;
}

bool IsGray16(const Reader& reader) {
  return png_get_color_type(reader.png, reader.info) == PNG_COLOR_TYPE_GRAY &&
         png_get_bit_depth(reader.png, reader.info) == 16;
}

// Pillow cuts 16-bit gray at 255 instead of scaling it; a model trained there expects the same.
// The row holds `width` big-endian values at its beginning.
void SpreadGray16(uint8_t* row, png_uint_32 width) {
  for (size_t x = width; x-- > 0;) {
    const uint8_t value = row[2 * x] != 0 ? 255 : row[2 * x + 1];
    std::fill_n(row + 3 * x, 3, value);
  }
}

// To 8-bit RGB, but 16-bit gray stays. Gamma and profiles are left alone, as Pillow does.
bool ReadPixels(const Reader& reader, Context* context, uint8_t* rgb, size_t row_bytes,
                png_uint_32 height) {
  if (setjmp(context->jump) != 0) return false;
  if (!IsGray16(reader)) {
    png_set_strip_16(reader.png);
    png_set_expand(reader.png);
    png_set_gray_to_rgb(reader.png);
    png_set_strip_alpha(reader.png);
  }
  const int passes = png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  if (png_get_rowbytes(reader.png, reader.info) > row_bytes) {
    png_error(reader.png, "unexpected pixel format");
  }
  for (int pass = 0; pass < passes; ++pass) {
    for (png_uint_32 y = 0; y < height; ++y) {
      png_read_row(reader.png, rgb + y * row_bytes, nullptr);
    }
  }
  png_read_end(reader.png, nullptr);
  return true;
}

absl::Status Damaged(const Context& context) {
  return absl::InvalidArgumentError(absl::StrCat("damaged PNG: ", context.message));
}

}  // namespace

absl::StatusOr<Picture> DecodePng(absl::string_view bytes, int64_t max_pixels) {
  Context context{bytes.data(), bytes.size(), {}, {}};
  const Reader reader(&context);
  if (reader.info == nullptr) return absl::ResourceExhaustedError("no memory to decode a PNG");
  if (!ReadHeader(reader, &context)) return Damaged(context);
  const png_uint_32 width = png_get_image_width(reader.png, reader.info);
  const png_uint_32 height = png_get_image_height(reader.png, reader.info);
  const absl::Status size = CheckPictureSize(width, height, max_pixels);
  if (!size.ok()) return size;
  const bool gray16 = IsGray16(reader);
  Picture picture{static_cast<int>(width), static_cast<int>(height), {}};
  const size_t row_bytes = size_t{width} * 3;
  picture.rgb.resize(row_bytes * height);
  if (!ReadPixels(reader, &context, picture.rgb.data(), row_bytes, height)) return Damaged(context);
  for (png_uint_32 y = 0; gray16 && y < height; ++y) {
    SpreadGray16(picture.rgb.data() + y * row_bytes, width);
  }
  return picture;
}

}  // namespace vlm::data
