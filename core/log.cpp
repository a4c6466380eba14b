#include "core/log.h"

#include <iterator>

#include <spdlog/spdlog.h>

namespace quiver {
namespace {

spdlog::level::level_enum level_of(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::Trace: return spdlog::level::trace;
    case LogLevel::Debug: return spdlog::level::debug;
    case LogLevel::Info: return spdlog::level::info;
    case LogLevel::Warn: return spdlog::level::warn;
    case LogLevel::Error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

void write_log_line(LogLevel level, fmt::string_view format, fmt::format_args args) noexcept {
  try {
    const auto wanted = level_of(level);
    auto* const logger = spdlog::default_logger_raw();
    if (!logger->should_log(wanted)) return;
    fmt::memory_buffer line;
    fmt::vformat_to(std::back_inserter(line), format, args);
    logger->log(wanted, spdlog::string_view_t(line.data(), line.size()));
  } catch (...) {
    // A line that cannot be written must not end what it tells of.
  }
}

}  // namespace quiver
