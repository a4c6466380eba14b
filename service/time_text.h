#pragma once

#include <cstdint>
#include <string>

namespace quiver::service {

/// Unix milliseconds as RFC 3339 in UTC, such as 2026-11-23T08:30:00Z; with milliseconds if there
/// are any. Years 0 to 9999; beyond them the nearest that can be written.
std::string rfc3339(std::int64_t unix_ms);

}  // namespace quiver::service
