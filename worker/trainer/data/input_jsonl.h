// JSON Lines: one object {"image": PATH, "caption": TEXT} a line; other members are ignored.
#pragma once

#include <memory>

#include "worker/trainer/data/input.h"
#include "worker/trainer/data/raw_text.h"

namespace vlm::data {

std::unique_ptr<InputReader> OpenJsonl(std::unique_ptr<RawText> text);

}  // namespace vlm::data
