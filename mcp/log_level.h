#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace quiver::mcp {

/// How much a log message matters, least first. Source: RFC 5424, as MCP takes it over.
enum class LogLevel { Debug, Info, Notice, Warning, Error, Critical, Alert, Emergency };

inline constexpr std::array<std::string_view, 8> kLogLevels{
    "debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"};

constexpr std::string_view name_of(LogLevel level) {
  return kLogLevels[static_cast<std::size_t>(level)];
}

/// Nothing if there is no level of that name.
constexpr std::optional<LogLevel> find_log_level(std::string_view name) {
  for (std::size_t i = 0; i < kLogLevels.size(); ++i) {
    if (kLogLevels[i] == name) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

}  // namespace quiver::mcp
