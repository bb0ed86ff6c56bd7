// retry.log_policies: patterns over log lines. Immutable and thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "vlm/v1/config.pb.h"

namespace vlm::core {

class LogPolicies {
 public:
  // Null when there are none. A pattern that does not compile (another version's) never matches.
  static std::shared_ptr<const LogPolicies> Make(const v1::RetryConfig& retry);
  ~LogPolicies();

  // The first policy whose pattern is somewhere in the line, or null. Linear in the line's length.
  const v1::LogPolicy* Match(absl::string_view line) const;
  const v1::LogPolicy* Find(const std::string& pattern) const;

 private:
  LogPolicies();
  struct Compiled;
  std::vector<Compiled> policies_;
};

}  // namespace vlm::core
