#include "client/output/text.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace vlm::client {
namespace {

constexpr char32_t kInvalid = 0xFFFFFFFF;

// Decodes the character at `*at` and moves behind it; a byte that starts none is kInvalid.
char32_t Next(absl::string_view text, size_t* at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const size_t start = (*at)++;
  const unsigned char lead = byte(start);
  if (lead < 0x80) return lead;
  const size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  if (lead < 0xC2 || lead > 0xF4 || start + more >= text.size()) return kInvalid;
  char32_t c = lead & (0x3F >> more);
  for (size_t i = 1; i <= more; ++i) {
    if ((byte(start + i) & 0xC0) != 0x80) return kInvalid;
    c = (c << 6) | (byte(start + i) & 0x3F);
  }
  if ((more == 2 && (c < 0x800 || (c >= 0xD800 && c < 0xE000))) ||
      (more == 3 && (c < 0x10000 || c > 0x10FFFF))) {
    return kInvalid;
  }
  *at = start + more + 1;
  return c;
}

bool Steers(char32_t c) {
  return (c < 0x20 && c != '\t') || (c >= 0x7F && c < 0xA0) || c == 0x200E || c == 0x200F ||
         c == 0x2028 || c == 0x2029 || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
}

size_t WidthOf(char32_t c) {
  if (c == 0 || (c >= 0x300 && c < 0x370) || (c >= 0x200B && c <= 0x200D) ||
      (c >= 0xFE00 && c <= 0xFE0F) || (c >= 0x20D0 && c < 0x2100)) {
    return 0;
  }
  const bool wide = (c >= 0x1100 && c < 0x1160) || (c >= 0x2E80 && c < 0xA4D0 && c != 0x303F) ||
                    (c >= 0xAC00 && c < 0xD7A4) || (c >= 0xF900 && c < 0xFB00) ||
                    (c >= 0xFE30 && c < 0xFE70) || (c >= 0xFF00 && c < 0xFF61) ||
                    (c >= 0xFFE0 && c < 0xFFE7) || (c >= 0x1F300 && c < 0x1FAFF) ||
                    (c >= 0x20000 && c < 0x3FFFE);
  return wide ? 2 : 1;
}

// Moves behind an escape sequence of ours (ESC [ ... letter); false if there is none.
bool SkipEscape(absl::string_view text, size_t* at) {
  if (text[*at] != '\x1b' || *at + 1 >= text.size() || text[*at + 1] != '[') return false;
  size_t end = *at + 2;
  while (end < text.size() && !absl::ascii_isalpha(static_cast<unsigned char>(text[end]))) ++end;
  *at = std::min(end + 1, text.size());
  return true;
}

}  // namespace

std::string Sanitize(absl::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    const char32_t c = Next(text, &at);
    if (c == kInvalid || (c < 0x80 && Steers(c))) {
      absl::StrAppendFormat(&out, "\\x%02x", static_cast<unsigned char>(text[start]));
    } else if (Steers(c)) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned>(c));
    } else {
      absl::StrAppend(&out, text.substr(start, at - start));
    }
  }
  return out;
}

std::string SanitizeLines(absl::string_view text) {
  return absl::StrJoin(
      absl::StrSplit(text, '\n'), "\n",
      [](std::string* out, absl::string_view line) { absl::StrAppend(out, Sanitize(line)); });
}

size_t DisplayWidth(absl::string_view text) {
  size_t width = 0;
  for (size_t at = 0; at < text.size();) {
    if (SkipEscape(text, &at)) continue;
    const char32_t c = Next(text, &at);
    width += c == kInvalid ? 1 : WidthOf(c);
  }
  return width;
}

std::string Fit(absl::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  if (width == 0) return "";
  std::string out;
  size_t used = 0;
  bool escaped = false;
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    if (SkipEscape(text, &at)) {
      escaped = true;
      absl::StrAppend(&out, text.substr(start, at - start));
      continue;
    }
    const char32_t c = Next(text, &at);
    const size_t wide = c == kInvalid ? 1 : WidthOf(c);
    if (used + wide > width - 1) break;
    used += wide;
    absl::StrAppend(&out, text.substr(start, at - start));
  }
  absl::StrAppend(&out, "…");
  if (escaped) absl::StrAppend(&out, "\x1b[0m");
  return out;
}

std::string HumanNumber(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return absl::StrFormat("%.6g", value);
}

std::string HumanDuration(absl::Duration duration) {
  const int64_t s = std::max<int64_t>(0, absl::ToInt64Seconds(duration));
  if (s < 60) return absl::StrCat(s, "s");
  if (s < 3600) return absl::StrFormat("%dm%02ds", s / 60, s % 60);
  if (s < 86400) return absl::StrFormat("%dh%02dm", s / 3600, s / 60 % 60);
  return absl::StrFormat("%dd%dh", s / 86400, s / 3600 % 24);
}

std::string HumanBytes(int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? absl::StrCat(bytes, " B") : absl::StrFormat("%.1f %s", value, kUnits[unit]);
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

std::string HumanTimestamp(const google::protobuf::Timestamp& time) {
  google::protobuf::Timestamp whole;
  whole.set_seconds(time.seconds());
  return FormatTimestamp(whole);
}

std::string FormatTimestamp(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0 && time.nanos() == 0) return "";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", ToTime(time), absl::UTCTimeZone());
}

}  // namespace vlm::client
