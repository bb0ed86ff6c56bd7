// The form in which tensors travel between model, optimizer and files: names and tensors, in order.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <utility>
#include <vector>

namespace vlm::trainer {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

}  // namespace vlm::trainer
