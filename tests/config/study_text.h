// What tests of the section `study` load, and how they show what was found.
#pragma once

#include <string>

#include "absl/strings/str_cat.h"
#include "common/config/config.h"

namespace vlm::config {

// `study` are the lines below it, from the fourth one of the file on.
inline LoadResult LoadStudy(const std::string& study) {
  return Load(absl::StrCat("input_path: /data/a.csv\nn_trials: 9\nstudy:\n", study),
              "/home/a.yaml");
}

inline std::string AllIssues(const LoadResult& result) {
  std::string out;
  for (const auto& issue : result.issues) absl::StrAppend(&out, FormatIssue(issue), "\n");
  return out;
}

}  // namespace vlm::config
