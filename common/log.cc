#include "common/log.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>

#include "spdlog/sinks/stdout_color_sinks.h"
#include "spdlog/spdlog.h"

namespace vlm {
namespace {

std::atomic<bool> json_lines{false};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string AsJson(absl::string_view message, std::initializer_list<LogField> fields) {
  nlohmann::ordered_json line;
  line["msg"] = std::string(message);
  for (const LogField& field : fields) line[field.key] = field.value;
  std::string text = line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return text.substr(1, text.size() - 2);  // The pattern adds the braces, time and level.
}

std::string AsText(absl::string_view message, std::initializer_list<LogField> fields) {
  std::string line(message);
  for (const LogField& field : fields) {
    const bool quote = field.value.empty() || field.value.find(' ') != std::string::npos;
    absl::StrAppend(&line, " ", field.key, "=", quote ? "\"" : "", field.value, quote ? "\"" : "");
  }
  return line;
}

}  // namespace

void InitLog(absl::string_view program, absl::string_view level, bool json) {
  auto logger = spdlog::stderr_color_mt(std::string(program));
  json_lines = json || isatty(STDERR_FILENO) == 0;
  if (const char* from_env = std::getenv("VLM_LOG_LEVEL"); from_env != nullptr)
    level = absl::string_view(from_env);
  logger->set_level(
      spdlog::level::from_str(level == "warn" ? std::string("warning") : std::string(level)));
  if (json_lines) {
    logger->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","program":"%n",%v})");
  } else {
    logger->set_pattern("%H:%M:%S.%e %^%L%$ %n: %v");
  }
  logger->flush_on(spdlog::level::debug);
  spdlog::set_default_logger(std::move(logger));
}

void Log(LogLevel level, absl::string_view message, std::initializer_list<LogField> fields) {
  const spdlog::level::level_enum spd_level = ToSpdlog(level);
  if (!spdlog::should_log(spd_level)) return;
  spdlog::log(spd_level, "{}", json_lines ? AsJson(message, fields) : AsText(message, fields));
}

}  // namespace vlm
