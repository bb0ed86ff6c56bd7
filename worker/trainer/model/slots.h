// Where a state-dict entry lives: a whole parameter, or some rows of the fused one. Internal to
// model/.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace vlm::trainer {

struct Slot {
  std::string name;      // Outside name.
  at::Tensor parameter;  // Inside tensor.
  int64_t row = -1;      // First row of it; -1: all of it.
  int64_t rows = 0;

  // This entry's part of `tensor`, which has the parameter's shape.
  at::Tensor Part(const at::Tensor& tensor) const {
    return row < 0 ? tensor : tensor.narrow(0, row, rows);
  }
};

}  // namespace vlm::trainer
