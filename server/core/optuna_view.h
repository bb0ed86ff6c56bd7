// Between our records and the messages of Optuna's storage protocol. Pure functions; thread-safe.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "optuna/storage.pb.h"
#include "server/core/state.h"

namespace vlm::core {

// INVALID_ARGUMENT: a number that is none of the enum.
absl::StatusOr<v1::TrialState> FromOptuna(optuna::TrialState state);
absl::StatusOr<v1::Direction> FromOptuna(optuna::StudyDirection direction);
optuna::TrialState ToOptuna(v1::TrialState state);
optuna::StudyDirection ToOptuna(v1::Direction direction);

// "YYYY-MM-DD HH:MM:SS.ffffff" in `zone`; empty for no time.
std::string OptunaTime(const google::protobuf::Timestamp& time, absl::TimeZone zone);
// Takes that form and ISO 8601 with an offset or Z. INVALID_ARGUMENT otherwise.
absl::StatusOr<google::protobuf::Timestamp> ParseOptunaTime(const std::string& text,
                                                            absl::TimeZone zone);

// Of keys and names: at most 512 characters, as wide as Optuna's columns. INVALID_ARGUMENT.
absl::Status CheckLength(absl::string_view what, absl::string_view text);

optuna::Study ToOptuna(const StudyRecord& study);
optuna::Trial ToOptuna(const TrialRecord& trial, absl::TimeZone zone);
// Everything but ids and number; parameters by name, because a map has no order. INVALID_ARGUMENT:
// what Optuna could not read back, or only in another meaning.
absl::StatusOr<v1::Trial> FromOptuna(const optuna::Trial& trial, absl::TimeZone zone);

// Optuna keeps what the values of a study are in this system attribute, a list of strings.
inline constexpr char kMetricNames[] = "study:metric_names";
// Where `view`, of that study, does not say what its values are.
void AddMetricNames(const StudyRecord& study, v1::Study* view);

}  // namespace vlm::core
