// When conditions on one field may be answered by one walk; what they answer is held by
// payload_index_property_test.cpp.

#include "storage/field_index.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace quiver::storage {
namespace {

using Condition = Filter::Condition;
using Compare = Filter::Compare;

Condition condition(Compare compare, Scalar operand) {
  return {{"f"}, compare, std::move(operand)};
}
Condition above(std::int64_t number) {
  return condition(Compare::Greater, ExactNumber::of(number));
}
Condition below(std::int64_t number) {
  return condition(Compare::Less, ExactNumber::of(number));
}

std::optional<SlotBounds> window(const FieldIndex& field, const Condition& a, const Condition& b) {
  const std::vector<const Condition*> both = {&a, &b};
  return field.match_window(both);
}

void put(FieldIndex& field, std::uint32_t slot, std::int64_t number, FieldIndex::Visit visit) {
  field.put(Slot{slot}, ExactNumber::of(number), visit);
}

TEST_CASE("FieldIndex: ranges on single values have a window", "[storage]") {
  FieldIndex field(10);
  for (std::uint32_t i = 0; i < 10; ++i) put(field, i, i, i + 1);
  const auto hits = window(field, above(3), below(6));
  REQUIRE(hits);
  CHECK(hits->sure.size() == 2);
  CHECK(hits->sure.contains(Slot{4}));
  CHECK(hits->sure.contains(Slot{5}));
  CHECK(hits->doubtful.empty());
  CHECK(window(field, above(6), below(3))->sure.empty());
}

TEST_CASE("FieldIndex: a slot with several values rules windows out while it is there",
          "[storage]") {
  FieldIndex field(10);
  put(field, 0, 1, 1);
  put(field, 1, 1, 2);
  put(field, 1, 9, 2);
  CHECK_FALSE(window(field, above(5), below(3)));
  field.erase(Slot{1}, ExactNumber::of(std::int64_t{1}), 3);
  field.erase(Slot{1}, ExactNumber::of(std::int64_t{9}), 3);
  CHECK(window(field, above(5), below(3)));
}

TEST_CASE("FieldIndex: dates and bytes, and what is doubtful, have no window", "[storage]") {
  FieldIndex field(10);
  const Condition date = condition(Compare::GreaterEqual, *parse_instant("2024-01-01"));
  const Condition text = condition(Compare::Less, std::string("b"));
  const Condition cut = condition(Compare::Less, std::string(300, 'b'));
  CHECK(window(field, date, date));
  CHECK_FALSE(window(field, date, text));
  CHECK(window(field, text, text));
  CHECK_FALSE(window(field, text, cut));
  CHECK_FALSE(window(field, cut, text));
}

}  // namespace
}  // namespace quiver::storage
