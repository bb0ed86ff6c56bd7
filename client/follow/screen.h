// A block of lines at the bottom of a terminal that is drawn again in place. Not thread-safe.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace vlm::client {

struct TerminalSize {
  int columns = 80;
  int rows = 24;
};
TerminalSize SizeOf(int fd);

class Screen {
 public:
  explicit Screen(std::ostream& out) : out_(out) {}
  // Replaces the block. A line never fills the last column, so nothing wraps.
  void Draw(const std::vector<std::string>& lines);
  // Prints lines that stay, above the block.
  void Print(const std::vector<std::string>& lines);

 private:
  std::string Erase() const;

  std::ostream& out_;
  std::vector<std::string> drawn_;
};

}  // namespace vlm::client
