// A whole study as JSON: protobuf's own JSON of vlm.v1.WholeStudy with the fields' names as they
// are in proto/, so that everything comes back as it was. Pure functions.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "client/study_data.h"

namespace vlm::client {

std::string StudyToJson(const StudyData& data);
// INVALID_ARGUMENT: it is no such JSON; the message says where.
absl::StatusOr<StudyData> StudyFromJson(const std::string& text);

}  // namespace vlm::client
