#include "server/core/log_policies.h"

#include "re2/re2.h"

namespace vlm::core {

struct LogPolicies::Compiled {
  v1::LogPolicy policy;
  std::unique_ptr<RE2> pattern;
};

LogPolicies::LogPolicies() = default;
LogPolicies::~LogPolicies() = default;

std::shared_ptr<const LogPolicies> LogPolicies::Make(const v1::RetryConfig& retry) {
  if (retry.log_policies().empty()) return nullptr;
  std::shared_ptr<LogPolicies> made(new LogPolicies);
  for (const v1::LogPolicy& policy : retry.log_policies()) {
    made->policies_.push_back({policy, std::make_unique<RE2>(policy.pattern(), RE2::Quiet)});
  }
  return made;
}

const v1::LogPolicy* LogPolicies::Match(absl::string_view line) const {
  const re2::StringPiece text(line.data(), line.size());
  for (const Compiled& compiled : policies_) {
    if (compiled.pattern->ok() && RE2::PartialMatch(text, *compiled.pattern)) {
      return &compiled.policy;
    }
  }
  return nullptr;
}

const v1::LogPolicy* LogPolicies::Find(const std::string& pattern) const {
  for (const Compiled& compiled : policies_) {
    if (compiled.policy.pattern() == pattern) return &compiled.policy;
  }
  return nullptr;
}

}  // namespace vlm::core
