#include "server/core/json_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <functional>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace vlm::core {
namespace {

constexpr int kDeepest = 200;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Walks over one text. Every function that returns bool leaves `at` on the fault when it is false.
class Scanner {
 public:
  using OnMember = std::function<void(absl::string_view key, absl::string_view value)>;

  explicit Scanner(absl::string_view text) : text_(text) {}

  void Space() {
    while (at_ < text_.size() && absl::string_view(" \t\n\r").find(text_[at_]) != std::string::npos)
      ++at_;
  }
  bool AtEnd() const { return at_ == text_.size(); }
  size_t at() const { return at_; }

  bool Value(int depth) {
    if (AtEnd() || depth > kDeepest) return false;
    switch (text_[at_]) {
      case '{':
        return Object(depth, [](auto, auto) {});
      case '[':
        return Array(depth, [](auto, auto) {});
      case '"':
        return String();
      default:
        return Word("true") || Word("false") || Word("null") || Word("NaN") || Word("Infinity") ||
               Word("-Infinity") || Number();
    }
  }

  bool Object(int depth, const OnMember& member) {
    return List('{', '}', [&] {
      const size_t key = at_;
      if (AtEnd() || text_[at_] != '"' || !String()) return false;
      const absl::string_view name = text_.substr(key, at_ - key);
      Space();
      if (!Take(':')) return false;
      Space();
      const size_t value = at_;
      if (!Value(depth + 1)) return false;
      member(name, text_.substr(value, at_ - value));
      return true;
    });
  }

  bool Array(int depth, const OnMember& element) {
    return List('[', ']', [&] {
      const size_t value = at_;
      if (!Value(depth + 1)) return false;
      element("", text_.substr(value, at_ - value));
      return true;
    });
  }

 private:
  bool Take(char c) {
    if (AtEnd() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool Word(absl::string_view word) {
    if (!absl::StartsWith(text_.substr(at_), word)) return false;
    at_ += word.size();
    return true;
  }
  template <typename Item>
  bool List(char open, char close, Item item) {
    if (!Take(open)) return false;
    Space();
    if (Take(close)) return true;
    while (true) {
      if (!item()) return false;
      Space();
      if (Take(close)) return true;
      if (!Take(',')) return false;
      Space();
    }
  }
  bool Digits() {
    const size_t start = at_;
    while (at_ < text_.size() && IsDigit(text_[at_])) ++at_;
    return at_ > start;
  }
  bool Number() {
    Take('-');
    if (!Take('0') && !Digits()) return false;
    if (Take('.') && !Digits()) return false;
    if (Take('e') || Take('E')) {
      if (!Take('+')) Take('-');
      if (!Digits()) return false;
    }
    return true;
  }
  bool String() {
    if (!Take('"')) return false;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) return false;
      ++at_;
      if (c == '"') return true;
      if (c != '\\') continue;
      if (AtEnd()) return false;
      const char escaped = text_[at_++];
      if (escaped == 'u') {
        for (int i = 0; i < 4; ++i, ++at_) {
          if (AtEnd() || !IsHex(text_[at_])) return false;
        }
      } else if (absl::string_view("\"\\/bfnrt").find(escaped) == absl::string_view::npos) {
        return false;
      }
    }
    return false;
  }

  absl::string_view text_;
  size_t at_ = 0;
};

absl::Status Fault(const Scanner& scanner, absl::string_view text, absl::string_view wanted) {
  return absl::InvalidArgumentError(absl::StrCat("not ", wanted, " at byte ", scanner.at(), ": \"",
                                                 text.substr(0, 60),
                                                 text.size() > 60 ? "...\"" : "\""));
}

void AppendUtf8(std::string* out, uint32_t code) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
    return;
  }
  int tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static constexpr uint32_t kLead[] = {0, 0xc0, 0xe0, 0xf0};
  out->push_back(static_cast<char>(kLead[tail] | (code >> (6 * tail))));
  for (; tail > 0; --tail) {
    out->push_back(static_cast<char>(0x80 | ((code >> (6 * (tail - 1))) & 0x3f)));
  }
}

// The four digits behind \u at text[at].
std::optional<uint32_t> Unit(absl::string_view text, size_t at) {
  uint32_t unit = 0;
  if (at + 6 > text.size() || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
  const auto end = std::from_chars(text.data() + at + 2, text.data() + at + 6, unit, 16);
  if (end.ptr != text.data() + at + 6) return std::nullopt;
  return unit;
}

// One code point of valid UTF-8; `at` moves behind it.
uint32_t Decode(absl::string_view text, size_t* at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte((*at)++);
  if (lead < 0x80) return lead;
  int tail = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
  uint32_t code = lead & (0x3f >> tail);
  for (; tail > 0 && *at < text.size(); --tail) code = (code << 6) | (byte((*at)++) & 0x3f);
  return code;
}

}  // namespace

absl::Status CheckJson(absl::string_view text) {
  Scanner scanner(text);
  scanner.Space();
  if (!scanner.Value(0)) return Fault(scanner, text, "JSON");
  scanner.Space();
  return scanner.AtEnd() ? absl::OkStatus() : Fault(scanner, text, "the end of the JSON value");
}

absl::StatusOr<std::vector<std::pair<std::string, absl::string_view>>> JsonMembers(
    absl::string_view object) {
  std::vector<std::pair<std::string, absl::string_view>> out;
  Scanner scanner(object);
  scanner.Space();
  absl::Status names;
  const bool whole = scanner.Object(0, [&](absl::string_view key, absl::string_view value) {
    auto name = UnquoteJson(key);
    if (!name.ok()) names = absl::InvalidArgumentError("a key has no UTF-8 form");
    if (name.ok()) out.emplace_back(*std::move(name), value);
  });
  scanner.Space();
  if (!whole || !scanner.AtEnd()) return Fault(scanner, object, "a JSON object");
  if (!names.ok()) return names;
  return out;
}

absl::StatusOr<std::vector<absl::string_view>> JsonElements(absl::string_view array) {
  std::vector<absl::string_view> out;
  Scanner scanner(array);
  scanner.Space();
  const bool whole = scanner.Array(
      0, [&](absl::string_view, absl::string_view element) { out.push_back(element); });
  scanner.Space();
  if (!whole || !scanner.AtEnd()) return Fault(scanner, array, "a JSON array");
  return out;
}

absl::StatusOr<std::string> UnquoteJson(absl::string_view text) {
  static constexpr absl::string_view kNames = "bfnrt";
  static constexpr absl::string_view kMeant = "\b\f\n\r\t";
  std::string out;
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] != '\\') {
      out.push_back(text[i]);
      continue;
    }
    const auto unit = Unit(text, i);
    if (!unit) {
      const char escaped = text[++i];
      const size_t name = kNames.find(escaped);
      out.push_back(name == absl::string_view::npos ? escaped : kMeant[name]);
      continue;
    }
    uint32_t code = *unit;
    i += 5;
    if (code >= 0xd800 && code < 0xe000) {
      const auto low = Unit(text, i + 1);
      if (code >= 0xdc00 || !low || *low < 0xdc00 || *low >= 0xe000) {
        return absl::NotFoundError("a lone surrogate has no UTF-8 form");
      }
      code = 0x10000 + ((code - 0xd800) << 10) + (*low - 0xdc00);
      i += 6;
    }
    AppendUtf8(&out, code);
  }
  return out;
}

std::string QuoteJson(absl::string_view value) {
  std::string out = "\"";
  for (size_t at = 0; at < value.size();) {
    const uint32_t code = Decode(value, &at);
    if (code == '"' || code == '\\') {
      out.push_back('\\');
      out.push_back(static_cast<char>(code));
    } else if (code >= 0x20 && code < 0x7f) {
      out.push_back(static_cast<char>(code));
    } else if (code < 0x10000) {
      absl::StrAppendFormat(&out, "\\u%04x", code);
    } else {
      absl::StrAppendFormat(&out, "\\u%04x\\u%04x", 0xd800 + ((code - 0x10000) >> 10),
                            0xdc00 + ((code - 0x10000) & 0x3ff));
    }
  }
  out.push_back('"');
  return out;
}

std::string JsonFloat(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  char digits[40];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value);
  std::string out(digits, end.ptr);
  if (out.find_first_of(".e") == std::string::npos) out += ".0";
  return out;
}

}  // namespace vlm::core
