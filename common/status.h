// Status macros with the upstream names (this abseil has none) and helpers to name what went wrong.
// Errors are absl::Status; exceptions of libraries are caught in the file that wraps each library.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#define RETURN_IF_ERROR(expr)                  \
  do {                                         \
    absl::Status vlm_status_ = (expr);         \
    if (!vlm_status_.ok()) return vlm_status_; \
  } while (false)

#define VLM_CONCAT_INNER_(a, b) a##b
#define VLM_CONCAT_(a, b) VLM_CONCAT_INNER_(a, b)
// ASSIGN_OR_RETURN(auto x, MakeX()): returns the error or assigns the value.
// NOLINTBEGIN(bugprone-macro-parentheses): `lhs` may be a declaration.
#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_IMPL_(VLM_CONCAT_(vlm_status_or_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_IMPL_(var, lhs, expr) \
  auto var = (expr);                           \
  if (!var.ok()) return var.status();          \
  lhs = *std::move(var)
// NOLINTEND(bugprone-macro-parentheses)

namespace vlm {

// The same code with "`what`: " in front of the message; ok stays ok.
inline absl::Status Annotate(const absl::Status& status, absl::string_view what) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(what, ": ", status.message()));
}

}  // namespace vlm
