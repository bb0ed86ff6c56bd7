// Shared by reader and writer: the names of the element types. Internal to tensor_file.
#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "worker/trainer/tensor_file/safetensors.h"

namespace vlm::trainer {

inline constexpr uint64_t kMaxHeaderBytes = 100'000'000;  // The format's own limit.
inline constexpr absl::string_view kMetadataKey = "__metadata__";

std::optional<DType> DTypeOf(absl::string_view name);

// Bytes of a tensor; nullopt: a negative extent or more than 2^62 bytes.
std::optional<uint64_t> TensorBytes(DType dtype, const std::vector<int64_t>& shape);

}  // namespace vlm::trainer
