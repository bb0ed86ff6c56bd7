#include "insight/plot/canvas.h"

#include <cairo-svg.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace vlm::insight {
namespace {

// Length of the well-formed UTF-8 sequence at `i`, 0 if there is none (RFC 3629, overlong forms and
// surrogates included).
size_t SequenceLength(const std::string& s, size_t i) {
  const auto byte = [&](size_t k) { return k < s.size() ? static_cast<unsigned char>(s[k]) : 0U; };
  const unsigned lead = byte(i);
  const size_t n = lead < 0x80                    ? 1
                   : lead >= 0xC2 && lead <= 0xDF ? 2
                   : lead >= 0xE0 && lead <= 0xEF ? 3
                   : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                  : 0;
  for (size_t k = 1; k < n; ++k) {
    if ((byte(i + k) & 0xC0U) != 0x80) return 0;
  }
  const unsigned second = byte(i + 1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
      (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) {
    return 0;
  }
  return n;
}

bool Continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80; }

}  // namespace

std::string CleanLabel(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t n = SequenceLength(text, i);
    const auto c = static_cast<unsigned char>(text[i]);
    if (n == 0 || c < 0x20 || c == 0x7F) {
      out += '?';
      ++i;
      continue;
    }
    out.append(text, i, n);
    i += n;
  }
  return out;
}

absl::StatusOr<std::unique_ptr<Canvas>> Canvas::Open(const std::string& path, int width,
                                                     int height) {
  const bool svg = absl::EndsWithIgnoreCase(path, ".svg");
  if (!svg && !absl::EndsWithIgnoreCase(path, ".png")) {
    return absl::InvalidArgumentError(
        absl::StrCat("plot file \"", path, "\": the name must end with .png or .svg"));
  }
  if (width < 200 || width > 8000 || height < 150 || height > 8000) {
    return absl::InvalidArgumentError(
        absl::StrCat("plot size ", width, "x", height, " is outside 200x150 .. 8000x8000 pixels"));
  }
  const std::string aside = absl::StrCat(path, ".part", getpid());
  std::FILE* probe = std::fopen(aside.c_str(), "wb");
  if (probe == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot write plot \"", path, "\": ", std::strerror(errno)));
  }
  std::fclose(probe);
  cairo_surface_t* surface = svg ? cairo_svg_surface_create(aside.c_str(), width, height)
                                 : cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
  return std::unique_ptr<Canvas>(new Canvas(path, aside, svg, surface));
}

Canvas::Canvas(std::string path, std::string aside, bool svg, cairo_surface_t* surface)
    : path_(std::move(path)),
      aside_(std::move(aside)),
      svg_(svg),
      surface_(surface),
      cr_(cairo_create(surface)) {
  Set(kPaper);
  cairo_paint(cr_);
}

Canvas::~Canvas() {
  cairo_destroy(cr_);
  cairo_surface_destroy(surface_);
  if (!finished_) std::remove(aside_.c_str());
}

void Canvas::Set(Color color, double alpha) {
  cairo_set_source_rgba(cr_, color.r, color.g, color.b, alpha);
}

void Canvas::SelectFont(double size, bool bold) {
  cairo_select_font_face(cr_, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                         bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(cr_, size);
}

double Canvas::TextWidth(const std::string& text, double size, bool bold) {
  SelectFont(size, bold);
  cairo_text_extents_t extents;
  cairo_text_extents(cr_, CleanLabel(text).c_str(), &extents);
  return extents.x_advance;
}

void Canvas::Text(double x, double y, const std::string& text, double size, Align align,
                  bool bold) {
  const double width = TextWidth(text, size, bold);
  if (align == Align::kCenter) x -= width / 2;
  if (align == Align::kRight) x -= width;
  cairo_move_to(cr_, x, y);
  cairo_show_text(cr_, CleanLabel(text).c_str());
}

std::string Canvas::Fit(const std::string& text, double size, double width, bool bold) {
  std::string clean = CleanLabel(text);
  if (clean.size() > 512) clean.resize(512);
  if (TextWidth(clean, size, bold) <= width) return clean;
  while (!clean.empty() && TextWidth(clean + "…", size, bold) > width) {
    while (!clean.empty() && Continuation(clean.back())) clean.pop_back();
    if (!clean.empty()) clean.pop_back();
  }
  return clean + "…";
}

void Canvas::VerticalText(double x, double y, const std::string& text, double size) {
  cairo_save(cr_);
  cairo_translate(cr_, x, y);
  cairo_rotate(cr_, -1.5707963267948966);
  Text(0, 0, text, size, Align::kCenter);
  cairo_restore(cr_);
}

void Canvas::Line(double x1, double y1, double x2, double y2, double line_width) {
  cairo_set_line_width(cr_, line_width);
  cairo_move_to(cr_, x1, y1);
  cairo_line_to(cr_, x2, y2);
  cairo_stroke(cr_);
}

absl::Status Canvas::Finish() {
  cairo_status_t status = cairo_status(cr_);
  if (status == CAIRO_STATUS_SUCCESS && !svg_) {
    status = cairo_surface_write_to_png(surface_, aside_.c_str());
  }
  cairo_surface_finish(surface_);
  if (status == CAIRO_STATUS_SUCCESS) status = cairo_surface_status(surface_);
  if (status != CAIRO_STATUS_SUCCESS) {
    return absl::UnavailableError(
        absl::StrCat("cannot write plot \"", path_, "\": ", cairo_status_to_string(status)));
  }
  if (std::rename(aside_.c_str(), path_.c_str()) != 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot write plot \"", path_, "\": ", std::strerror(errno)));
  }
  finished_ = true;
  return absl::OkStatus();
}

}  // namespace vlm::insight
