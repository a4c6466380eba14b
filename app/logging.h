#pragma once

#include <string>

#include "core/result.h"

namespace quiver::app {

/// Sends log lines of at least `level` to stderr; stdout belongs to protocols and results.
///
/// Errors: InvalidArgument for a level that is not a value of log.level.
Status start_logging(const std::string& level);

}  // namespace quiver::app
