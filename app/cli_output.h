#pragma once

#include <string_view>

#include "core/result.h"

namespace quiver::app {

/// Writes results of a command to stdout. Errors: Unavailable if nobody reads it or it is full.
Status write_stdout(std::string_view text);

/// Writes words for people to stderr.
void write_stderr(std::string_view text);

}  // namespace quiver::app
