// Hand-worked cases: bounds, summaries and what erasing leaves behind. That the index agrees with
// Filter::matches() on anything at all is payload_index_property_test.cpp's.

#include "storage/payload_index.h"

#include <map>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "core/limits.h"

namespace quiver::storage {
namespace {

using Slots = std::vector<std::uint32_t>;

Filter parsed(const Json& json) {
  auto filter = Filter::parse(json);
  if (!filter.ok()) FAIL(json.dump() << ": " << filter.error().message);
  return *filter;
}

Slots slots_of(const SlotSet& set) {
  Slots slots;
  set.for_each([&](Slot slot) {
    slots.push_back(raw(slot));
    return true;
  });
  return slots;
}

/// The slots that match; `exact` is what the index must say of its answer.
Slots found(const PayloadIndex& index, const char* filter, bool exact = true) {
  const SlotMatch match = index.match(parsed(Json::parse(filter)));
  INFO(filter);
  CHECK(match.exact == exact);
  return slots_of(match.slots);
}

void put(PayloadIndex& index, std::uint32_t slot, const char* payload) {
  index.put(Slot{slot}, Json::parse(payload));
}
void erase(PayloadIndex& index, std::uint32_t slot, const char* payload) {
  index.erase(Slot{slot}, Json::parse(payload));
}

TEST_CASE("PayloadIndex: finds by values, ranges, prefixes and presence", "[storage]") {
  PayloadIndex index;
  put(index, 0, R"({"lang":"rust","year":2023})");
  put(index, 1, R"({"lang":"ruby","year":2024,"tag":["a","b"]})");
  put(index, 2, R"({"lang":"c","year":2025.5,"at":"2024-01-01T01:00:00+01:00"})");
  put(index, 5, R"({"author":{"name":"Ann"},"lang":null})");
  CHECK(found(index, "{}") == Slots{0, 1, 2, 5});
  CHECK(found(index, R"({"lang":"rust"})") == Slots{0});
  CHECK(found(index, R"({"lang":{"$prefix":"ru"}})") == Slots{0, 1});
  CHECK(found(index, R"({"year":{"$gt":2023,"$lt":2025}})") == Slots{1});
  CHECK(found(index, R"({"year":{"$gte":2024}})") == Slots{1, 2});
  CHECK(found(index, R"({"tag":{"$in":["b","z"]}})") == Slots{1});
  CHECK(found(index, R"({"at":{"$lte":"2024-01-01"}})") == Slots{2});
  CHECK(found(index, R"({"author.name":"Ann"})") == Slots{5});
  CHECK(found(index, R"({"author":{"$exists":true}})") == Slots{5});
  CHECK(found(index, R"({"lang":null})") == Slots{5});
  CHECK(found(index, R"({"tag":null})") == Slots{0, 2, 5});
  CHECK(found(index, R"({"lang":{"$ne":"rust"}})") == Slots{1, 2, 5});
  CHECK(found(index, R"({"$nor":[{"lang":"c"},{"year":{"$lt":2024}}]})") == Slots{1, 5});
  CHECK(found(index, R"({"nobody":1})").empty());
  CHECK(found(index, R"({"nobody":{"$ne":1}})") == Slots{0, 1, 2, 5});
}

TEST_CASE("PayloadIndex: erasing takes out what put added and no more", "[storage]") {
  const char* twice =
      R"({"a":[1,1,{"b":[2,2]},{"b":3}],"s":["2024-01-01","2024-01-01T00:00:00Z"]})";
  PayloadIndex index;
  put(index, 0, twice);
  put(index, 1, twice);
  erase(index, 0, twice);
  CHECK(found(index, R"({"a":1,"a.b":{"$in":[2]},"s":{"$gte":"2024-01-01"}})") == Slots{1});
  CHECK(found(index, R"({"a.b":3})") == Slots{1});
  erase(index, 0, twice);  // is not there
  CHECK(found(index, R"({"a.b":3})") == Slots{1});
  erase(index, 1, twice);
  CHECK(found(index, R"({"a":{"$exists":true}})").empty());
  CHECK(found(index, "{}").empty());
  CHECK(index.fields(10).empty());
  put(index, 2, R"({"a":1})");
  CHECK(found(index, R"({"a":1})") == Slots{2});
}

TEST_CASE("PayloadIndex: long strings are doubtful only where their ends matter", "[storage]") {
  const std::string begin(256, 'x');
  PayloadIndex index;
  index.put(Slot{0}, {{"s", begin}});
  index.put(Slot{1}, {{"s", begin + "a"}});
  index.put(Slot{2}, {{"s", begin + "b"}});
  index.put(Slot{3}, {{"s", "y"}});
  const auto ask = [&](const char* op, const std::string& operand) {
    return index.match(parsed({{"s", {{op, operand}}}}));
  };
  CHECK(slots_of(ask("$eq", begin + "a").slots) == Slots{1, 2});
  CHECK_FALSE(ask("$eq", begin + "a").exact);
  CHECK(slots_of(ask("$ne", begin + "a").slots) == Slots{0, 1, 2, 3});
  CHECK_FALSE(ask("$ne", begin + "a").exact);
  CHECK(slots_of(ask("$gt", begin + "a").slots) == Slots{1, 2, 3});
  CHECK_FALSE(ask("$gt", begin + "a").exact);
  CHECK(slots_of(ask("$lt", begin + "a").slots) == Slots{0, 1, 2});
  CHECK(slots_of(ask("$prefix", begin + "a").slots) == Slots{1, 2});

  CHECK(slots_of(ask("$eq", begin).slots) == Slots{0});
  CHECK(ask("$eq", begin).exact);
  CHECK(slots_of(ask("$gt", begin).slots) == Slots{1, 2, 3});
  CHECK(ask("$gt", begin).exact);
  CHECK(slots_of(ask("$prefix", begin).slots) == Slots{0, 1, 2});
  CHECK(ask("$prefix", begin).exact);
  CHECK(slots_of(ask("$eq", std::string(300, 'z')).slots).empty());
  CHECK(ask("$eq", std::string(300, 'z')).exact);
  // The doubt is gone where the other condition decides.
  const SlotMatch both = index.match(parsed({{"s", {{"$gt", "x"}, {"$eq", "y"}}}}));
  CHECK(both.exact);
  const SlotMatch none =
      index.match(parsed({{"$and", Json::array({{{"s", begin + "a"}}, {{"s", "y"}}})}}));
  CHECK(none.exact);
  CHECK(none.slots.empty());
}

TEST_CASE("PayloadIndex: fields beyond the bound are doubtful, never wrong", "[storage]") {
  PayloadIndex index(PayloadIndexBounds{2, 10});
  put(index, 0, R"({"a":1,"b":1})");
  put(index, 1, R"({"a":1,"c":1})");
  put(index, 2, R"({"a":2})");
  CHECK(found(index, R"({"a":1})") == Slots{0, 1});
  CHECK(found(index, R"({"b":1})") == Slots{0});
  // Slot 1 has a field that was refused: it may be this one.
  CHECK(found(index, R"({"c":1})", false) == Slots{1});
  CHECK(found(index, R"({"c":{"$exists":false}})", false) == Slots{0, 1, 2});
  CHECK(found(index, R"({"d":{"$ne":1}})", false) == Slots{0, 1, 2});

  erase(index, 0, R"({"a":1,"b":1})");
  // "b" has made room for "c"; slot 1 was there before.
  put(index, 3, R"({"c":1})");
  put(index, 4, R"({"c":2})");
  CHECK(found(index, R"({"c":1})", false) == Slots{1, 3});
  CHECK(found(index, R"({"c":{"$ne":1}})", false) == Slots{1, 2, 4});
  erase(index, 1, R"({"a":1,"c":1})");
  CHECK(found(index, R"({"c":1})") == Slots{3});
  CHECK(found(index, R"({"c":{"$ne":1}})") == Slots{2, 4});
  // Who is refused later has "c" in the index.
  put(index, 5, R"({"c":1,"e":1})");
  CHECK(found(index, R"({"c":2})") == Slots{4});
  CHECK(found(index, R"({"e":1})", false) == Slots{5});
}

TEST_CASE("PayloadIndex: values beyond the bound are doubtful, never wrong", "[storage]") {
  const char* many = R"({"n":[1,2,3,4,5]})";
  PayloadIndex index(PayloadIndexBounds{10, 3});
  put(index, 0, many);
  put(index, 1, R"({"n":[5,6,7]})");
  CHECK(found(index, R"({"n":3})") == Slots{0});
  CHECK(found(index, R"({"n":5})", false) == Slots{0, 1});
  CHECK(found(index, R"({"n":{"$ne":6}})", false) == Slots{0});
  CHECK(found(index, R"({"n":{"$exists":true}})") == Slots{0, 1});
  erase(index, 0, many);
  CHECK(found(index, R"({"n":5})") == Slots{1});
}

TEST_CASE("PayloadIndex: keys that no filter can name take no room", "[storage]") {
  PayloadIndex index(PayloadIndexBounds{1, 10});
  index.put(Slot{0}, {{"", 1},
                      {"$x", 1},
                      {"a.b", 1},
                      {std::string(limits::kFilterPathBytesMax + 1, 'k'), 1},
                      {"z", 1}});
  CHECK(found(index, R"({"z":1})") == Slots{0});
  CHECK(found(index, R"({"a.b":1})").empty());
}

TEST_CASE("PayloadIndex: lists fields by how many points have them", "[storage]") {
  PayloadIndex index;
  put(index, 0, R"({"lang":"rust","n":1,"mixed":"x","meta":{"deep":[true,"2024-01-01"]}})");
  put(index, 1, R"({"lang":"c","n":2.5,"mixed":7,"none":null,"empty":[]})");
  put(index, 2, R"({"lang":"rust","n":1})");
  put(index, 3, R"({"lang":"zig"})");
  put(index, 4, R"({"lang":"ada"})");
  const auto fields = index.fields(10);
  std::map<std::string, FieldSummary> by_name;
  Slots points;
  for (const auto& field : fields) {
    by_name[field.name] = field;
    points.push_back(static_cast<std::uint32_t>(field.points));
  }
  CHECK(points == Slots{5, 3, 2, 1});
  CHECK(fields[0].name == "lang");
  CHECK(fields[0].types == std::vector<std::string>{"string"});
  CHECK(fields[0].examples == std::vector<Json>{"rust", "ada", "c"});
  CHECK(by_name["n"].types == std::vector<std::string>{"number"});
  CHECK(by_name["n"].examples == std::vector<Json>{1, 2.5});
  CHECK(by_name["mixed"].types == std::vector<std::string>{"string", "number"});
  CHECK(by_name["meta.deep"].types == std::vector<std::string>{"boolean", "datetime"});
  CHECK(by_name["meta.deep"].examples == std::vector<Json>{true, "2024-01-01"});
  CHECK(by_name.size() == 4);
  CHECK(index.fields(1).size() == 1);
  CHECK(index.fields(0).empty());
}

TEST_CASE("PayloadIndex: a type is listed as long as a point has it", "[storage]") {
  const std::vector<std::pair<Json, std::string>> values = {
      {"x", "string"}, {7, "number"}, {true, "boolean"}, {"2024-01-01", "datetime"}};
  PayloadIndex index;
  index.put(Slot{9}, {{"f", nullptr}});
  CHECK(index.fields(10).empty());
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    const Json payload = {{"f", {values[i].first, values[i].first}}};
    index.put(Slot{i}, payload);
    REQUIRE(index.fields(10).size() == 1);
    CHECK(index.fields(10).front().types == std::vector<std::string>{values[i].second});
    CHECK(index.fields(10).front().examples == std::vector<Json>{values[i].first});
    index.erase(Slot{i}, payload);
    CHECK(index.fields(10).empty());
  }
}

TEST_CASE("PayloadIndex: shows long examples cut, between characters", "[storage]") {
  std::string euros;
  for (int i = 0; i < 200; ++i) euros += "\xE2\x82\xAC";
  PayloadIndex index;
  index.put(Slot{0}, {{"s", euros}});
  CHECK(index.fields(1).front().examples == std::vector<Json>{euros.substr(0, 63) + "..."});
}

TEST_CASE("PayloadIndex: takes lists of thousands of operands", "[storage]") {
  PayloadIndex index;
  Json operands = Json::array();
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    index.put(Slot{i}, {{"n", i}, {"id", "p" + std::to_string(i)}});
    if (i % 2 == 0) operands.push_back("p" + std::to_string(i));
  }
  const SlotMatch match = index.match(parsed({{"id", {{"$in", operands}}}}));
  CHECK(match.exact);
  CHECK(match.slots.size() == 5000);
  CHECK(match.slots.contains(Slot{9998}));
  CHECK_FALSE(match.slots.contains(Slot{9999}));
  CHECK(index.match(parsed({{"n", {{"$lt", 1000}}}})).slots.size() == 1000);
}

TEST_CASE("PayloadIndex: deep payloads are looked into as far as filters do", "[storage]") {
  Json deep = 1;
  for (int i = 0; i < 5000; ++i) deep = Json::array({std::move(deep)});
  PayloadIndex index;
  index.put(Slot{0}, {{"a", std::move(deep)}});
  CHECK(found(index, R"({"a":1})").empty());
  CHECK(found(index, R"({"a":{"$exists":true}})") == Slots{0});
}

}  // namespace
}  // namespace quiver::storage
