#include "core/datetime.h"

#include <array>

namespace quiver {
namespace {

constexpr std::int64_t kDaySeconds = 86'400;

/// Takes a text apart from its front. One failure is enough: `ok` stays false from there on.
struct Reader {
  std::string_view rest;
  bool ok = true;

  bool take(char wanted) noexcept {
    if (rest.empty() || rest.front() != wanted) return false;
    rest.remove_prefix(1);
    return true;
  }
  bool take_any(std::string_view wanted) noexcept {
    if (rest.empty() || wanted.find(rest.front()) == std::string_view::npos) return false;
    rest.remove_prefix(1);
    return true;
  }
  void expect(char wanted) noexcept { ok = take(wanted) && ok; }
  bool at_digit() const noexcept {
    return !rest.empty() && rest.front() >= '0' && rest.front() <= '9';
  }
  /// Exactly `digits` digits whose value is between `low` and `high`.
  std::int64_t number(int digits, std::int64_t low, std::int64_t high) noexcept {
    std::int64_t value = 0;
    for (int i = 0; i < digits; ++i) {
      if (!at_digit()) {
        ok = false;
        return low;
      }
      value = value * 10 + (rest.front() - '0');
      rest.remove_prefix(1);
    }
    ok = ok && value >= low && value <= high;
    return value;
  }
};

bool is_leap_year(std::int64_t year) noexcept {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

std::int64_t days_of_month(std::int64_t year, std::int64_t month) noexcept {
  constexpr std::array<std::int64_t, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return month == 2 && is_leap_year(year) ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

std::int64_t days_before_year(std::int64_t year) noexcept {
  // Leap years among 0 .. year - 1; the year 0 is one of them.
  const std::int64_t leaps =
      year == 0 ? 0 : (year - 1) / 4 - (year - 1) / 100 + (year - 1) / 400 + 1;
  return year * 365 + leaps;
}

/// Days from 1970-01-01.
std::int64_t day_number(std::int64_t year, std::int64_t month, std::int64_t day) noexcept {
  std::int64_t days = days_before_year(year) - days_before_year(1970);
  for (std::int64_t m = 1; m < month; ++m) days += days_of_month(year, m);
  return days + day - 1;
}

/// The digits behind the point, as nanoseconds.
std::uint32_t read_fraction(Reader& reader) noexcept {
  std::uint32_t nanos = 0;
  int digits = 0;
  for (; reader.at_digit(); ++digits) {
    if (digits < 9) nanos = nanos * 10 + static_cast<std::uint32_t>(reader.rest.front() - '0');
    reader.rest.remove_prefix(1);
  }
  reader.ok = reader.ok && digits >= 1 && digits <= 9;
  for (; digits < 9; ++digits) nanos *= 10;
  return nanos;
}

/// Seconds east of UTC; 0 where nothing is written.
std::int64_t read_offset(Reader& reader) noexcept {
  if (reader.rest.empty() || reader.take_any("Zz")) return 0;
  const bool west = reader.take('-');
  if (!west) reader.expect('+');
  const std::int64_t hours = reader.number(2, 0, 23);
  reader.expect(':');
  const std::int64_t minutes = reader.number(2, 0, 59);
  return (west ? -1 : 1) * (hours * 3600 + minutes * 60);
}

}  // namespace

std::optional<Instant> parse_instant(std::string_view text) noexcept {
  Reader reader{text};
  const std::int64_t year = reader.number(4, 0, 9999);
  reader.expect('-');
  const std::int64_t month = reader.number(2, 1, 12);
  reader.expect('-');
  if (!reader.ok) return std::nullopt;
  const std::int64_t day = reader.number(2, 1, days_of_month(year, month));
  if (!reader.ok) return std::nullopt;

  Instant instant{day_number(year, month, day) * kDaySeconds, 0};
  if (reader.rest.empty()) return instant;
  if (!reader.take_any("Tt ")) return std::nullopt;
  const std::int64_t hour = reader.number(2, 0, 23);
  reader.expect(':');
  const std::int64_t minute = reader.number(2, 0, 59);
  reader.expect(':');
  const std::int64_t second = reader.number(2, 0, 60);
  if (reader.take('.')) instant.nanos = read_fraction(reader);
  instant.seconds += hour * 3600 + minute * 60 + second - read_offset(reader);
  const bool misplaced_leap_second = second == 60 && instant.seconds % kDaySeconds != 0;
  if (!reader.ok || !reader.rest.empty() || misplaced_leap_second) return std::nullopt;
  return instant;
}

}  // namespace quiver
