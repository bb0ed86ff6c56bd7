// The two CSV forms of a data set. Columns are found by name, others are ignored.
#pragma once

#include <memory>

#include "worker/trainer/data/input.h"
#include "worker/trainer/data/raw_text.h"

namespace vlm::data {

// INVALID_ARGUMENT: empty, or a header without the columns; the message shows both.
absl::StatusOr<std::unique_ptr<InputReader>> OpenCsv(std::unique_ptr<RawText> text);

}  // namespace vlm::data
