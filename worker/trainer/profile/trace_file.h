// Compresses a trace. Thread-safe (no state).
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace vlm::trainer {

// Writes `json_path` gzipped to `gz_path` and removes it; returns the compressed size in bytes.
// RESOURCE_EXHAUSTED: disk full, nothing is left behind.
absl::StatusOr<int64_t> GzipTrace(const std::string& json_path, const std::string& gz_path);

}  // namespace vlm::trainer
