// CSV texts (RFC 4180): quoted fields may hold commas, quotes and line breaks. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace vlm::client {

using CsvRow = std::vector<std::string>;

// All rows, the header among them; empty lines are skipped. INVALID_ARGUMENT: a quote that is never
// closed or text after one, with the row; a row with another number of fields than the header.
absl::StatusOr<std::vector<CsvRow>> ParseCsv(absl::string_view text);
std::string FormatCsv(const std::vector<CsvRow>& rows);

}  // namespace vlm::client
