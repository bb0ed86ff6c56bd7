// Structured logs on stderr: text for a terminal, one JSON object a line otherwise or on request.
// Info: less than once per few seconds in steady state. Warning: may heal. Error: something was
// lost. Always name what it is about: VLM_LOG_INFO("lease expired", {{"trial", id}, {"attempt",
// n}}).
#pragma once

#include <initializer_list>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace vlm {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// One key=value of a log line; numbers and text alike.
struct LogField {
  template <typename T>
  LogField(absl::string_view k, const T& v)  // NOLINT(google-explicit-constructor)
      : key(k), value(absl::StrCat(v)) {}
  std::string key;
  std::string value;
};

// Call once in main. `level` is debug, info, warning or error; `json` forces JSON lines. Default:
// text if stderr is a terminal, JSON otherwise. VLM_LOG_LEVEL beats `level`.
void InitLog(absl::string_view program, absl::string_view level = "info", bool json = false);

// Thread-safe.
void Log(LogLevel level, absl::string_view message, std::initializer_list<LogField> fields = {});

}  // namespace vlm

#define VLM_LOG_DEBUG(...) ::vlm::Log(::vlm::LogLevel::kDebug, __VA_ARGS__)
#define VLM_LOG_INFO(...) ::vlm::Log(::vlm::LogLevel::kInfo, __VA_ARGS__)
#define VLM_LOG_WARNING(...) ::vlm::Log(::vlm::LogLevel::kWarning, __VA_ARGS__)
#define VLM_LOG_ERROR(...) ::vlm::Log(::vlm::LogLevel::kError, __VA_ARGS__)
