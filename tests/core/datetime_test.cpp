// Instants are those of `date -u -d ... +%s` (GNU coreutils), noted beside each text.

#include "core/datetime.h"

#include <string>

#include <catch2/catch.hpp>

namespace quiver {
namespace {

struct Case {
  const char* text;
  std::int64_t seconds;
  std::uint32_t nanos = 0;
};

void check(const Case& expected) {
  INFO(expected.text);
  const auto instant = parse_instant(expected.text);
  REQUIRE(instant);
  CHECK(instant->seconds == expected.seconds);
  CHECK(instant->nanos == expected.nanos);
}

TEST_CASE("parse_instant: a date is its first moment in UTC", "[core]") {
  for (const Case& expected : {
           Case{"1970-01-01", 0},
           Case{"1969-12-31", -86'400},
           Case{"2000-02-29", 951'782'400},
           Case{"2000-03-01", 951'868'800},
           Case{"1900-02-28", -2'203'977'600},
           Case{"1900-03-01", -2'203'891'200},
           Case{"2024-02-29", 1'709'164'800},
           Case{"2024-12-31", 1'735'603'200},
           Case{"2100-03-01", 4'107'542'400},
           Case{"0000-01-01", -62'167'219'200},
           Case{"0001-01-01", -62'135'596'800},
           Case{"9999-12-31", 253'402'214'400},
       }) {
    check(expected);
  }
}

TEST_CASE("parse_instant: a date-time counts seconds, fractions and offsets", "[core]") {
  for (const Case& expected : {
           Case{"2024-01-01T10:00:00Z", 1'704'103'200},
           Case{"2024-01-01t10:00:00z", 1'704'103'200},
           Case{"2024-01-01 10:00:00Z", 1'704'103'200},
           Case{"2024-01-01T10:00:00", 1'704'103'200},
           Case{"2024-01-01T10:00:00+00:00", 1'704'103'200},
           Case{"2024-01-01T10:00:00-00:00", 1'704'103'200},
           Case{"2024-01-01T12:30:00+02:30", 1'704'103'200},
           Case{"2023-12-31T23:00:00-11:00", 1'704'103'200},
           Case{"2024-01-02T09:59:00+23:59", 1'704'103'200},
           Case{"2024-02-29T23:59:59Z", 1'709'251'199},
           Case{"2024-01-01T10:00:00.5Z", 1'704'103'200, 500'000'000},
           Case{"2024-01-01T10:00:00.000000001Z", 1'704'103'200, 1},
           Case{"2024-01-01T10:00:00.123456789+01:00", 1'704'099'600, 123'456'789},
           Case{"2024-01-01T10:00:00.25", 1'704'103'200, 250'000'000},
           Case{"1969-12-31T23:59:59.75Z", -1, 750'000'000},
           // The examples of RFC 3339, section 5.8.
           Case{"1985-04-12T23:20:50.52Z", 482'196'050, 520'000'000},
           Case{"1996-12-19T16:39:57-08:00", 851'042'397},
           Case{"1990-12-31T23:59:60Z", 662'688'000},
           Case{"1990-12-31T15:59:60-08:00", 662'688'000},
           Case{"1937-01-01T12:00:27.87+00:20", -1'041'337'173, 870'000'000},
       }) {
    check(expected);
  }
}

TEST_CASE("parse_instant: refuses dates that do not exist and texts that are no dates", "[core]") {
  for (const char* text : {"",
                           "2024",
                           "2024-01",
                           "2024-1-1",
                           "2024-00-01",
                           "2024-13-01",
                           "2024-01-00",
                           "2024-01-32",
                           "2024-04-31",
                           "2023-02-29",
                           "1900-02-29",
                           "2100-02-29",
                           "2024-02-30",
                           "24-01-01",
                           "+2024-01-01",
                           "-2024-01-01",
                           "12024-01-01",
                           "2024-01-01 ",
                           " 2024-01-01",
                           "2024-01-01Z",
                           "2024-01-01T",
                           "2024-01-01T10",
                           "2024-01-01T10:00",
                           "2024-01-01T10:00Z",
                           "2024-01-01T1:00:00Z",
                           "2024-01-01T24:00:00Z",
                           "2024-01-01T10:60:00Z",
                           "2024-01-01T10:00:61Z",
                           "2024-01-01T10:00:60Z",
                           "2024-01-01T23:59:60+01:00",
                           "2024-01-01T10:00:00.Z",
                           "2024-01-01T10:00:00.1234567890Z",
                           "2024-01-01T10:00:00,5Z",
                           "2024-01-01T10:00:00+1:00",
                           "2024-01-01T10:00:00+0100",
                           "2024-01-01T10:00:00+24:00",
                           "2024-01-01T10:00:00+01:60",
                           "2024-01-01T10:00:00 +01:00",
                           "2024-01-01T10:00:00ZZ",
                           "2024-01-01T10:00:00Z+01:00",
                           "2024/01/01",
                           "2024-01-01_10:00:00Z",
                           "2O24-01-01"}) {
    INFO(text);
    CHECK_FALSE(parse_instant(text));
  }
}

TEST_CASE("parse_instant: every day of 400 years follows the one before", "[core]") {
  // An independent count: days are written by a calendar that knows month lengths by name.
  const auto days = [](int year, int month) {
    if (month == 2) return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
  };
  const auto two = [](int number) { return (number < 10 ? "0" : "") + std::to_string(number); };
  std::int64_t expected = -11'676'096'000;  // 1600-01-01
  for (int year = 1600; year < 2000; ++year) {
    for (int month = 1; month <= 12; ++month) {
      for (int day = 1; day <= days(year, month); ++day) {
        const auto instant =
            parse_instant(std::to_string(year) + "-" + two(month) + "-" + two(day));
        if (!instant || instant->seconds != expected) FAIL(year << "-" << month << "-" << day);
        expected += 86'400;
      }
      CHECK_FALSE(parse_instant(std::to_string(year) + "-" + two(month) + "-" +
                                std::to_string(days(year, month) + 1)));
    }
  }
  CHECK(expected == 946'684'800);
}

}  // namespace
}  // namespace quiver
