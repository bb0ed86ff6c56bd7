// Names what ended a training: status or exception in, the attempt's outcome out.
#pragma once

#include <exception>
#include <string>

#include "absl/status/status.h"
#include "vlm/v1/trainer.pb.h"

namespace vlm::trainer {

// INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, FAILED_PRECONDITION: user_error.
// UNAVAILABLE, DEADLINE_EXCEEDED (a peer is gone), DATA_LOSS, RESOURCE_EXHAUSTED (disk): infra.
// ABORTED: diverged. Anything else: unknown.
v1::Outcome OutcomeOf(const absl::Status& status);

// Allocation failures of LibTorch and of operator new: out_of_memory. With `distributed`, what c10d
// and Gloo throw when a peer is gone: infra. Anything else: unknown.
v1::Outcome OutcomeOf(const std::exception& error, bool distributed);

// ABORTED with the step and the value; the class of a loss that is NaN or infinite.
absl::Status Diverged(int64_t step, double loss, double lr);

}  // namespace vlm::trainer
