// Loads a configuration file: YAML text in, a validated StudySpec and every issue out, in one pass.
// Never throws, never stops at the first error. Thread-safe (no state).
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "vlm/v1/config.pb.h"

namespace vlm::config {

inline constexpr size_t kMaxConfigBytes = 1 << 20;

struct LoadResult {
  v1::StudySpec spec;                   // Complete, defaults filled in; meaningful only if ok().
  std::vector<v1::ConfigIssue> issues;  // In file order.
  bool ok() const;                      // No issue, or warnings only.
};

// `path` is where the text came from: it stands in issues, and a relative input_path starts at its
// folder. `overrides` are KEY=VALUE with YAML values; they beat the file. `strict` turns warnings
// into errors.
LoadResult Load(absl::string_view text, const std::string& path,
                const std::vector<std::string>& overrides = {}, bool strict = false);

// Writes a trial's values into the keys that they name. INVALID_ARGUMENT: an unknown key, or a
// value that does not fit it.
absl::Status ApplyParams(const google::protobuf::RepeatedPtrField<v1::Param>& params,
                         v1::TrainConfig* config);

// SHA-256 (hex) of what the specification means; the text and path it came from do not count.
std::string ConfigHash(const v1::StudySpec& spec);

// The effective configuration as YAML that Load accepts and reads back to the same specification.
std::string ToYaml(const v1::StudySpec& spec);

// "file:line:column: error: key: message (suggestion)", for people.
std::string FormatIssue(const v1::ConfigIssue& issue);

}  // namespace vlm::config
