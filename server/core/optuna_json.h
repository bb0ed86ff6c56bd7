// Values of parameters and their distributions as JSON texts, as Optuna's tables and its storage
// protocol hold them. Pure functions; thread-safe.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "vlm/v1/study.pb.h"

namespace vlm::core {

std::string ValueJson(const v1::ParamValue& value);
// `text` is valid JSON. The type is kept: 1, 1.0 and true are three values. What has no form of its
// own (lists, objects, huge whole numbers, lone surrogates) is kept as text.
v1::ParamValue ParseValueJson(absl::string_view text);

std::string DistributionJson(const v1::Distribution& distribution);
// Takes Optuna's present form, the classes it had before 3.0 and the short form {"type": ...}.
// INVALID_ARGUMENT says what is wrong; what Optuna's constructors refuse is refused.
absl::StatusOr<v1::Distribution> ParseDistribution(absl::string_view json);

// Whether Optuna lets both stand under one name in a study: the same class, the same `log`, equal
// choices in the same order. INVALID_ARGUMENT says what differs.
absl::Status CheckCompatible(const v1::Distribution& old, const v1::Distribution& fresh);

// The value that `internal` stands for; it may lie outside the range. INVALID_ARGUMENT: NaN, no
// such choice, or no whole number of 64 bits.
absl::StatusOr<v1::ParamValue> FromInternal(const v1::Distribution& distribution, double internal);

// Appends the parameter whose value is `internal`; leaves one out that has no value.
void AddParam(const std::string& name, const v1::Distribution& distribution, double internal,
              v1::Trial* trial);

// And back, range or not: the index of the first equal choice, the number. NOT_FOUND: no such
// choice.
absl::StatusOr<double> Internal(const v1::Distribution& distribution, const v1::ParamValue& value);

// Optuna keeps the values of an enqueued trial in this system attribute, a JSON object.
inline constexpr char kFixedParams[] = "fixed_params";
std::string FixedParamsJson(const v1::Trial& trial);  // Of its params.

}  // namespace vlm::core
