#include "app/logging.h"

#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace quiver::app {

Status start_logging(const std::string& level) {
  const auto parsed = spdlog::level::from_str(level);
  // from_str answers `off` for everything it does not know.
  if (parsed == spdlog::level::off && level != "off") {
    return Error{ErrorCode::InvalidArgument,
                 "log.level: one of trace, debug, info, warn, error, off, got " + level};
  }
  try {
    auto logger = std::make_shared<spdlog::logger>(
        "quiver", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_level(parsed);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
  } catch (const spdlog::spdlog_ex& problem) {
    return Error{ErrorCode::Internal, std::string("logging: ") + problem.what()};
  }
  return Done{};
}

}  // namespace quiver::app
