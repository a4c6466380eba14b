#pragma once

namespace quiver::app {

/// Lets the process have as many open files as the system allows it, within reason: an open shard
/// takes a dozen, and the usual soft limit of 1,024 would end at some 80 of them. Where the system
/// refuses, the limit stays.
void raise_open_files_limit() noexcept;

}  // namespace quiver::app
