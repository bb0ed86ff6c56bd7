#include "tests/insight/plot_files.h"

#include <png.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace vlm::insight {

Picture DecodePng(const std::string& path) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  Picture picture;
  if (png_image_begin_read_from_file(&image, path.c_str()) == 0) return picture;
  image.format = PNG_FORMAT_RGB;
  std::vector<uint8_t> bytes(PNG_IMAGE_SIZE(image));
  if (png_image_finish_read(&image, nullptr, bytes.data(), 0, nullptr) == 0) return picture;
  picture.width = image.width;
  picture.height = image.height;
  for (size_t i = 0; i + 2 < bytes.size(); i += 3) {
    picture.pixels.push_back(uint32_t{bytes[i]} << 16 | uint32_t{bytes[i + 1]} << 8 | bytes[i + 2]);
  }
  return picture;
}

int CountNear(const Picture& picture, uint32_t rgb) {
  int count = 0;
  for (const uint32_t pixel : picture.pixels) {
    bool near = true;
    for (const int shift : {0, 8, 16}) {
      const auto have = static_cast<int>(pixel >> shift & 0xFF);
      const auto want = static_cast<int>(rgb >> shift & 0xFF);
      near &= std::abs(have - want) <= 40;
    }
    count += near ? 1 : 0;
  }
  return count;
}

std::string XmlRoot(const std::string& path) {
  const std::string command =
      "python3 -c 'import sys,xml.etree.ElementTree as t;"
      "print(t.parse(sys.argv[1]).getroot().tag.split(\"}\")[-1])' '" +
      path + "' 2>/dev/null";
  std::FILE* pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) return "";
  std::array<char, 128> line{};
  std::string root = std::fgets(line.data(), line.size(), pipe) == nullptr ? "" : line.data();
  pclose(pipe);
  while (!root.empty() && root.back() == '\n') root.pop_back();
  return root;
}

}  // namespace vlm::insight
