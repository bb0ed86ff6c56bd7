// UTF-8 to code points and back, strict: no overlong forms, surrogates or values over U+10FFFF.
// Thread-safe (no state).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vlm::data {

// Takes the first code point off `text`. False: `text` does not begin with a valid one.
bool NextCodePoint(absl::string_view* text, char32_t* out);
// INVALID_ARGUMENT names the offset of the first bad byte.
absl::StatusOr<std::vector<char32_t>> DecodeUtf8(absl::string_view text);
void AppendUtf8(char32_t code_point, std::string* out);
// For messages: "U+00E9 'é'", or the number alone for what cannot be printed.
std::string ShowCodePoint(char32_t code_point);

}  // namespace vlm::data
