// JSON as Python's json module reads and writes it: NaN, Infinity and -Infinity are numbers, whole
// numbers have any length, strings may hold lone surrogates as escapes. Optuna keeps attributes,
// choices and distributions in this form, so texts are checked and kept, not parsed and rewritten.
// Pure functions on strings; thread-safe.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vlm::core {

// INVALID_ARGUMENT says where `text` stops being one JSON value. At most 200 levels deep, which is
// safely below what Python reads.
absl::Status CheckJson(absl::string_view text);

// The members of an object, or the elements of an array, as texts of their own (without white space
// around them); keys are unescaped. INVALID_ARGUMENT: damaged, or not of that kind.
absl::StatusOr<std::vector<std::pair<std::string, absl::string_view>>> JsonMembers(
    absl::string_view object);
absl::StatusOr<std::vector<absl::string_view>> JsonElements(absl::string_view array);

// The string that `text` (a valid JSON string with its quotes) stands for, as UTF-8. NOT_FOUND: it
// holds a lone surrogate and has no UTF-8 form.
absl::StatusOr<std::string> UnquoteJson(absl::string_view text);
// `value` (UTF-8) as a JSON string in ASCII.
std::string QuoteJson(absl::string_view value);
// With the digits that are needed to read the same number back, and always as a float: 1.0, 1e-05,
// NaN, -Infinity.
std::string JsonFloat(double value);

}  // namespace vlm::core
