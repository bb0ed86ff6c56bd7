#include "worker/trainer/data/utf8.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace vlm::data {

bool NextCodePoint(absl::string_view* text, char32_t* out) {
  if (text->empty()) return false;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>((*text)[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) {
    *out = first;
    text->remove_prefix(1);
    return true;
  }
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text->size() < length) return false;
  char32_t value = first & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return false;
    value = value << 6 | (byte(i) & 0x3Fu);
  }
  if (length == 3 && (value < 0x800 || (value >= 0xD800 && value < 0xE000))) return false;
  if (length == 4 && (value < 0x10000 || value > 0x10FFFF)) return false;
  *out = value;
  text->remove_prefix(length);
  return true;
}

absl::StatusOr<std::vector<char32_t>> DecodeUtf8(absl::string_view text) {
  std::vector<char32_t> points;
  points.reserve(text.size());
  const size_t size = text.size();
  while (!text.empty()) {
    char32_t point = 0;
    if (!NextCodePoint(&text, &point)) {
      return absl::InvalidArgumentError(
          absl::StrCat("is not UTF-8 at byte ", size - text.size(), "; save it as UTF-8"));
    }
    points.push_back(point);
  }
  return points;
}

void AppendUtf8(char32_t point, std::string* out) {
  const auto put = [&](char32_t value) { out->push_back(static_cast<char>(value)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6), put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12), put(0x80 | (point >> 6 & 0x3F)), put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18), put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F)), put(0x80 | (point & 0x3F));
  }
}

std::string ShowCodePoint(char32_t point) {
  std::string text = absl::StrFormat("U+%04X", static_cast<uint32_t>(point));
  if (point > 0x20 && point != 0x7F && (point < 0x80 || point > 0xA0)) {
    text += " '";
    AppendUtf8(point, &text);
    text += "'";
  }
  return text;
}

}  // namespace vlm::data
