// Text for people: what the server sent made harmless, widths on a terminal, numbers and times.
// Pure functions.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

namespace vlm::client {

// Control characters (C0 but tab, DEL, C1), bidirectional overrides and bytes that are no UTF-8
// become visible escapes, so that no text of the server can steer the terminal.
std::string Sanitize(absl::string_view text);
// The same, with line breaks kept: for messages that have several lines.
std::string SanitizeLines(absl::string_view text);

// Columns that sanitized UTF-8 text takes on a terminal; escape sequences of ours count as nothing.
size_t DisplayWidth(absl::string_view text);
// Cuts to `width` columns, with an ellipsis where something went missing.
std::string Fit(absl::string_view text, size_t width);

// Six significant digits at most: 0.00123, 1.9321, 1e-06, NaN, Infinity.
std::string HumanNumber(double value);
// "43s", "2m10s", "3h05m", "2d4h"; negative durations count as 0.
std::string HumanDuration(absl::Duration duration);
// "1.4 GiB".
std::string HumanBytes(int64_t bytes);
// RFC 3339 in UTC; empty if unset.
std::string FormatTimestamp(const google::protobuf::Timestamp& time);
// The same without parts of a second, for tables.
std::string HumanTimestamp(const google::protobuf::Timestamp& time);
absl::Time ToTime(const google::protobuf::Timestamp& time);

}  // namespace vlm::client
