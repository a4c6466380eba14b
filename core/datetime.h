#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string_view>

namespace quiver {

/// A point in time, exact to the nanosecond.
struct Instant {
  /// Unix seconds, UTC.
  std::int64_t seconds = 0;
  /// 0 to 999,999,999, counted forward from `seconds` before 1970 too.
  std::uint32_t nanos = 0;

  auto operator<=>(const Instant&) const = default;
};

/// Reads a date ("2024-02-29": its first moment in UTC) or a date-time
/// ("2024-02-29T10:00:00.5+01:00").
///
/// Beyond RFC 3339 the offset may be missing and then is UTC: what many programs write. A blank or
/// a lower-case "t" may stand for "T". A second of 60 is a leap second if it is the last of its day
/// in UTC, and equals the first moment of the next day. Nothing if the text is anything else, such
/// as 30 February or more than nine digits of a second.
///
/// Source: RFC 3339, section 5.6.
std::optional<Instant> parse_instant(std::string_view text) noexcept;

}  // namespace quiver
