// A cairo surface that becomes a PNG or an SVG file, and the few drawing words that plots need.
// Private to insight/plot: nothing outside sees cairo. One canvas, one thread.
#pragma once

#include <cairo.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace vlm::insight {

struct Color {
  double r, g, b;
};

constexpr Color kInk{0.16, 0.17, 0.20};
constexpr Color kMuted{0.45, 0.47, 0.51};
constexpr Color kGrid{0.90, 0.91, 0.93};
constexpr Color kPaper{1, 1, 1};

enum class Align { kLeft, kCenter, kRight };

class Canvas {
 public:
  // INVALID_ARGUMENT: an extension other than .png and .svg, or a size out of range.
  // UNAVAILABLE: the folder cannot be written.
  static absl::StatusOr<std::unique_ptr<Canvas>> Open(const std::string& path, int width,
                                                      int height);
  // Removes the unfinished file if Finish was not reached.
  ~Canvas();
  Canvas(const Canvas&) = delete;
  Canvas& operator=(const Canvas&) = delete;

  cairo_t* cr() { return cr_; }
  void Set(Color color, double alpha = 1);
  // Baseline at y. Text that is no UTF-8, and control characters, are shown as '?'.
  void Text(double x, double y, const std::string& text, double size, Align align,
            bool bold = false);
  double TextWidth(const std::string& text, double size, bool bold = false);
  // Cuts with "…" what would be wider than `width`.
  std::string Fit(const std::string& text, double size, double width, bool bold = false);
  void VerticalText(double x, double y, const std::string& text, double size);
  void Line(double x1, double y1, double x2, double y2, double line_width);

  // Writes the file and moves it into place.
  absl::Status Finish();

 private:
  Canvas(std::string path, std::string aside, bool svg, cairo_surface_t* surface);
  void SelectFont(double size, bool bold);

  const std::string path_;
  const std::string aside_;  // Written first, then renamed.
  const bool svg_;
  cairo_surface_t* surface_;
  cairo_t* cr_;
  bool finished_ = false;
};

// Printable form of a label: valid UTF-8 without control characters.
std::string CleanLabel(const std::string& text);

}  // namespace vlm::insight
