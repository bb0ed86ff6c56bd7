#include "worker/trainer/loop/failure.h"

#include <c10/util/Exception.h>

#include <new>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace vlm::trainer {
namespace {

v1::Outcome Failed(v1::FailureClass failure_class, std::string reason) {
  v1::Outcome outcome;
  outcome.set_state(v1::ATTEMPT_STATE_FAILED);
  outcome.set_failure_class(failure_class);
  outcome.set_reason(std::move(reason));
  return outcome;
}

v1::FailureClass ClassOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kFailedPrecondition:
      return v1::FAILURE_CLASS_USER_ERROR;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kResourceExhausted:
      return v1::FAILURE_CLASS_INFRA;
    case absl::StatusCode::kAborted:
      return v1::FAILURE_CLASS_DIVERGED;
    default:
      return v1::FAILURE_CLASS_UNKNOWN;
  }
}

bool IsOutOfMemory(const std::exception& error, const std::string& text) {
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
         dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         absl::StrContains(text, "not enough memory") || absl::StrContains(text, "out of memory") ||
         absl::StrContains(text, "can't allocate memory");
}

// Gloo and NCCL have no common class of errors; these are the texts of a peer's end.
bool IsLostPeer(const std::string& text) {
  for (const char* sign : {"onnection", "peer", "gloo", "NCCL", "imed out", "TCPStore", "Socket"}) {
    if (absl::StrContains(text, sign)) return true;
  }
  return false;
}

}  // namespace

v1::Outcome OutcomeOf(const absl::Status& status) {
  return Failed(ClassOf(status.code()), std::string(status.message()));
}

v1::Outcome OutcomeOf(const std::exception& error, bool distributed) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  const std::string text =
      torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  const std::string line = text.substr(0, text.find('\n'));
  if (IsOutOfMemory(error, text)) {
    return Failed(v1::FAILURE_CLASS_OUT_OF_MEMORY,
                  absl::StrCat("out of memory: ", line, "; a smaller batch_size needs less"));
  }
  if (distributed && IsLostPeer(text)) {
    return Failed(v1::FAILURE_CLASS_INFRA, absl::StrCat("another rank is gone: ", line));
  }
  return Failed(v1::FAILURE_CLASS_UNKNOWN, line);
}

absl::Status Diverged(int64_t step, double loss, double lr) {
  return absl::AbortedError(
      absl::StrCat("the loss became ", loss, " at step ", step, " (learning rate ", lr, ")"));
}

}  // namespace vlm::trainer
