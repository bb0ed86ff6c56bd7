// Where a row's picture is: a path of the data set, kept inside the folder of the data set.
// Thread-safe (no state).
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vlm::data {

// `file`: the CSV or JSON Lines file whose folder the path starts in. INVALID_ARGUMENT: empty,
// absolute, climbing out with "..", or with a zero byte.
absl::StatusOr<std::string> ResolvePicture(const std::string& file, absl::string_view path);

}  // namespace vlm::data
