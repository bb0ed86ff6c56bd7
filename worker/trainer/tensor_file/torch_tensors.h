// Safetensors files as named torch tensors. Thread-safe (no state). Target: vlm_trainer_model.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "worker/trainer/model/named_tensors.h"

namespace vlm::trainer {

struct TensorFile {
  NamedTensors tensors;  // In the file's order, on the CPU, own memory.
  std::map<std::string, std::string> metadata;
};

// Errors as SafetensorsReader::Open.
absl::StatusOr<TensorFile> ReadTensorFile(const std::string& path);

// Copies to the CPU and makes contiguous what is not. Errors as SafetensorsWriter; INVALID_ARGUMENT
// for a dtype that the format does not know.
absl::Status WriteTensorFile(const std::string& path, const NamedTensors& tensors,
                             const std::map<std::string, std::string>& metadata = {});

}  // namespace vlm::trainer
