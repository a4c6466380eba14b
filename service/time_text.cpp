#include "service/time_text.h"

#include <algorithm>
#include <chrono>

namespace quiver::service {
namespace {

std::string padded(std::int64_t value, std::size_t width) {
  const std::string digits = std::to_string(value);
  return std::string(digits.size() < width ? width - digits.size() : 0, '0') + digits;
}

}  // namespace

std::string rfc3339(std::int64_t unix_ms) {
  using namespace std::chrono;
  constexpr std::int64_t kFirst = -62167219200000;  // 0000-01-01T00:00:00Z
  constexpr std::int64_t kLast = 253402300799999;   // 9999-12-31T23:59:59.999Z
  const sys_time<milliseconds> time{milliseconds{std::clamp(unix_ms, kFirst, kLast)}};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  std::string out = padded(int{date.year()}, 4) + "-" + padded(unsigned{date.month()}, 2) + "-" +
                    padded(unsigned{date.day()}, 2) + "T" + padded(clock.hours().count(), 2) + ":" +
                    padded(clock.minutes().count(), 2) + ":" + padded(clock.seconds().count(), 2);
  if (const auto ms = clock.subseconds().count(); ms != 0) out += "." + padded(ms, 3);
  return out + "Z";
}

}  // namespace quiver::service
