// Random identifiers. Thread-safe.
#pragma once

#include <string>

namespace vlm {

// A version 4 UUID, lower case, from the kernel's generator: request ids, session ids.
std::string NewUuid();

}  // namespace vlm
