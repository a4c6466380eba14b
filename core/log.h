#pragma once

#include <fmt/core.h>

// Log lines are `event key=value ...` and go to stderr: stdout belongs to the protocol.
// error: someone must act. warn: degraded, heals itself. info: the node changes state.
// debug: per request. No payloads, vectors, texts or secrets.
#define QV_LOG_ERROR(...) ::quiver::write_log(::quiver::LogLevel::Error, __VA_ARGS__)
#define QV_LOG_WARN(...) ::quiver::write_log(::quiver::LogLevel::Warn, __VA_ARGS__)
#define QV_LOG_INFO(...) ::quiver::write_log(::quiver::LogLevel::Info, __VA_ARGS__)
#define QV_LOG_DEBUG(...) ::quiver::write_log(::quiver::LogLevel::Debug, __VA_ARGS__)
#define QV_LOG_TRACE(...) ::quiver::write_log(::quiver::LogLevel::Trace, __VA_ARGS__)

namespace quiver {

enum class LogLevel { Trace, Debug, Info, Warn, Error };

/// To the log of the process, which app sets up. Whatever goes wrong with it is lost.
///
/// Threads: any.
void write_log_line(LogLevel level, fmt::string_view format, fmt::format_args args) noexcept;

template <typename... Args>
void write_log(LogLevel level, fmt::format_string<Args...> format, Args&&... args) noexcept {
  write_log_line(level, format, fmt::make_format_args(args...));
}

}  // namespace quiver
