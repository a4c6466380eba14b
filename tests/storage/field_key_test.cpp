// The order of keys against the order of the values themselves.

#include "storage/field_key.h"

#include <random>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace quiver::storage {
namespace {

int sign(std::strong_ordering order) {
  return order < 0 ? -1 : order > 0 ? 1 : 0;
}

TEST_CASE("field_key: keys of one type are in the order of the values", "[storage]") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  std::vector<std::string> texts = {"", std::string("\0", 1), "\x01", "\xFF", "a", "ab", "b"};
  for (const std::size_t length : {255U, 256U}) {
    for (const char last : {'\0', 'x', '\xFF'}) texts.push_back(std::string(length, 'x') + last);
    texts.emplace_back(length, 'x');
  }
  std::vector<ScalarView> values = {false, true, Null{}};
  for (const auto& text : texts) {
    if (text.size() <= kKeyStringBytesMax) values.emplace_back(std::string_view(text));
  }
  for (int i = 0; i < 200; ++i) {
    const auto whole = static_cast<std::int64_t>(random()) >> (random() % 64);
    values.emplace_back(ExactNumber::of(whole));
    values.emplace_back(ExactNumber::of(static_cast<double>(whole) / 8));
    values.emplace_back(Instant{whole >> 20, static_cast<std::uint32_t>(random() % 1'000'000'000)});
  }
  for (const auto& a : values) {
    for (const auto& b : values) {
      if (a.index() != b.index()) {
        if (field_key(a).front() == field_key(b).front()) FAIL("types share keys");
      } else if (sign(field_key(a) <=> field_key(b)) != sign(a <=> b)) {
        FAIL("order of " << field_value(field_key(a)) << " and " << field_value(field_key(b)));
      }
    }
  }
}

TEST_CASE("field_key: strings that begin with the same 256 bytes share a key", "[storage]") {
  const std::string begin(kKeyStringBytesMax, 'x');
  const std::string longer = begin + "a";
  const std::string longest = begin + std::string(1000, 'z');
  CHECK(field_key(longer) == field_key(longest));
  CHECK(field_key(longer) > field_key(begin));
  CHECK(field_key(longer) < field_key(std::string(kKeyStringBytesMax - 1, 'x') + "y"));
  CHECK(field_key(longest).size() == 1 + kKeyStringBytesMax + 1);
}

TEST_CASE("field_value: reads values back, and of strings what the key has", "[storage]") {
  CHECK(field_value(field_key(true)) == Json(true));
  CHECK(field_value(field_key(false)) == Json(false));
  CHECK(field_value(field_key(ExactNumber::of(2.5))) == Json(2.5));
  CHECK(field_value(field_key(ExactNumber::of(std::int64_t{-7}))) == Json(-7));
  CHECK(field_value(field_key(std::string_view("text"))) == Json("text"));
  CHECK(field_value(field_key(std::string(999, 'x'))) == Json(std::string(256, 'x')));
  CHECK(field_value(field_key(Null{})).is_null());
  CHECK(field_value(field_key(Instant{1, 2})).is_null());
}

TEST_CASE("keys_matching: a condition on a cut string is doubtful at its key only", "[storage]") {
  const std::string longer(300, 'x');
  const auto match = [&](Filter::Compare compare) {
    return keys_matching({{"f"}, compare, Scalar(longer)});
  };
  const std::string key = field_key(longer);
  for (const auto compare : {Filter::Compare::Equal, Filter::Compare::Prefix, Filter::Compare::Less,
                             Filter::Compare::GreaterEqual}) {
    const KeyMatch found = match(compare);
    CHECK(found.doubtful == key);
    CHECK_FALSE((found.sure.first <= key && key < found.sure.last));
  }
  CHECK(match(Filter::Compare::Equal).sure.first >= match(Filter::Compare::Equal).sure.last);
  CHECK_FALSE(
      keys_matching({{"f"}, Filter::Compare::Prefix, Scalar(std::string(256, 'x'))}).doubtful);
}

}  // namespace
}  // namespace quiver::storage
