#include "client/follow/screen.h"

#include <sys/ioctl.h>

#include "absl/strings/str_cat.h"

namespace vlm::client {

TerminalSize SizeOf(int fd) {
  winsize size{};
  TerminalSize out;
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
    out.columns = size.ws_col;
    out.rows = size.ws_row;
  }
  return out;
}

// Up to the block's first line, and everything from there on cleared.
std::string Screen::Erase() const {
  return drawn_.empty() ? "" : absl::StrCat("\x1b[", drawn_.size(), "A\r\x1b[J");
}

void Screen::Draw(const std::vector<std::string>& lines) {
  if (lines == drawn_) return;
  std::string text = Erase();
  for (const std::string& line : lines) absl::StrAppend(&text, line, "\n");
  out_ << text << std::flush;
  drawn_ = lines;
}

void Screen::Print(const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  std::string text = Erase();
  for (const std::string& line : lines) absl::StrAppend(&text, line, "\n");
  for (const std::string& line : drawn_) absl::StrAppend(&text, line, "\n");
  out_ << text << std::flush;
}

}  // namespace vlm::client
