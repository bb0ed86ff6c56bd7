// What a test looks at in a plot file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vlm::insight {

// A decoded PNG. pixels: [height * width] 0xRRGGBB. width 0: it could not be decoded.
struct Picture {
  uint32_t width = 0;
  uint32_t height = 0;
  std::vector<uint32_t> pixels;
};
Picture DecodePng(const std::string& path);

// How many pixels are within 40 (per channel) of a colour 0xRRGGBB.
int CountNear(const Picture& picture, uint32_t rgb);

// Parsed by Python's XML parser: the name of the root element, empty if it is not well-formed.
std::string XmlRoot(const std::string& path);

}  // namespace vlm::insight
