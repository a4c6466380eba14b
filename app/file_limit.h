#pragma once

#include <cstddef>

namespace quiver::app {

/// Raises the process's limit of open files as far as it may; how many it may have open then.
std::size_t raise_file_limit();

/// How many of `wanted` connections fit under a limit of `files`, with room left for what else the
/// process opens; at least 1.
std::size_t connections_within(std::size_t wanted, std::size_t files);

}  // namespace quiver::app
