// What filters mean: tables worked by hand from docs/filters.md.

#include "core/filter.h"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "core/limits.h"

namespace quiver {
namespace {

Filter parsed(const Json& json) {
  auto filter = Filter::parse(json);
  if (!filter.ok()) FAIL(json.dump() << ": " << filter.error().message);
  return *filter;
}

bool matches(const std::string& filter, const std::string& payload) {
  return parsed(Json::parse(filter)).matches(Json::parse(payload));
}

/// A filter, the payloads that it takes and those that it leaves.
struct Row {
  std::string filter;
  std::vector<std::string> takes;
  std::vector<std::string> leaves;
};

void check(const std::vector<Row>& rows) {
  for (const auto& row : rows) {
    for (const auto& payload : row.takes) {
      INFO(row.filter << " takes " << payload);
      CHECK(matches(row.filter, payload));
    }
    for (const auto& payload : row.leaves) {
      INFO(row.filter << " leaves " << payload);
      CHECK_FALSE(matches(row.filter, payload));
    }
  }
}

TEST_CASE("Filter: fields are combined with and; a scalar means equality", "[core][filter]") {
  check({
      {"{}", {"{}", R"({"a":1})"}, {}},
      {R"({"lang":"rust"})", {R"({"lang":"rust"})"}, {R"({"lang":"Rust"})", R"({"lang":1})", "{}"}},
      {R"({"lang":"rust","year":{"$gte":2024},"tag":{"$in":["a","b"]}})",
       {R"({"lang":"rust","year":2024,"tag":"b"})",
        R"({"lang":"rust","year":2025,"tag":["x","a"]})"},
       {R"({"lang":"rust","year":2023,"tag":"b"})", R"({"lang":"rust","year":2024})",
        R"({"year":2024,"tag":"b"})", R"({"lang":"rust","year":2024,"tag":"c"})"}},
      {R"({"ok":true})",
       {R"({"ok":true})"},
       {R"({"ok":false})", R"({"ok":1})", R"({"ok":"true"})"}},
      {R"({"a":{"$eq":""}})", {R"({"a":""})"}, {R"({"a":" "})", "{}", R"({"a":null})"}},
  });
}

TEST_CASE("Filter: numbers compare exactly, whatever their JSON form", "[core][filter]") {
  check({
      {R"({"n":1})",
       {R"({"n":1})", R"({"n":1.0})", R"({"n":1e0})"},
       {R"({"n":1.1})", R"({"n":"1"})"}},
      {R"({"n":0})", {R"({"n":-0.0})"}, {R"({"n":false})", R"({"n":null})"}},
      {R"({"n":9007199254740993})",
       {R"({"n":9007199254740993})"},
       {R"({"n":9007199254740992})", R"({"n":9007199254740992.0})", R"({"n":9007199254740994})"}},
      {R"({"n":{"$gt":9007199254740992.0}})",
       {R"({"n":9007199254740993})"},
       {R"({"n":9007199254740992})"}},
      {R"({"n":{"$lt":18446744073709551615}})",
       {R"({"n":18446744073709551614})", R"({"n":-1})", R"({"n":-9223372036854775808})"},
       {R"({"n":18446744073709551615})", R"({"n":18446744073709551616.0})"}},
      {R"({"n":{"$gte":-0.5,"$lte":0.5}})",
       {R"({"n":0})", R"({"n":-0.5})", R"({"n":0.5})"},
       {R"({"n":1})", R"({"n":-1})", R"({"n":"0"})", R"({"n":true})"}},
  });
}

TEST_CASE("Filter: strings compare by bytes and only with strings", "[core][filter]") {
  check({
      {R"({"s":{"$gt":"b"}})",
       {R"({"s":"ba"})", R"({"s":"c"})", R"({"s":"é"})"},
       {R"({"s":"b"})", R"({"s":"a"})", R"({"s":"Z"})", R"({"s":3})", "{}"}},
      {R"({"s":{"$lte":"b"}})", {R"({"s":"b"})", R"({"s":""})", R"({"s":"B"})"}, {R"({"s":"ba"})"}},
      {R"({"s":{"$lt":"10"}})", {R"({"s":"1"})", R"({"s":"09"})"}, {R"({"s":"9"})", R"({"s":9})"}},
      {R"({"s":{"$prefix":"ab"}})",
       {R"({"s":"ab"})", R"({"s":"abc"})", R"({"s":["x","abc"]})"},
       {R"({"s":"a"})", R"({"s":"Ab"})", R"({"s":"xab"})", R"({"s":null})"}},
      {R"({"s":{"$prefix":""}})", {R"({"s":""})", R"({"s":"a"})"}, {R"({"s":1})", "{}"}},
  });
}

TEST_CASE("Filter: dates compare as instants with dates, else strings by bytes", "[core][filter]") {
  check({
      {R"({"at":{"$gte":"2024-01-01"}})",
       {R"({"at":"2024-01-01"})", R"({"at":"2024-01-01T00:00:00Z"})",
        R"({"at":"2023-12-31T23:30:00-01:00"})", R"({"at":"2024-05-05 10:00:00"})"},
       {R"({"at":"2023-12-31"})", R"({"at":"2024-01-01T00:30:00+01:00"})", R"({"at":"zebra"})",
        R"({"at":"2024"})", R"({"at":"2024-02-30"})", R"({"at":20240101})", "{}"}},
      {R"({"at":{"$lt":"2024-01-01T10:00:00.5Z"}})",
       {R"({"at":"2024-01-01T10:00:00.499999999Z"})", R"({"at":"2024-01-01T12:00:00+02:00"})"},
       {R"({"at":"2024-01-01T10:00:00.5Z"})", R"({"at":"2024-01-01T10:00:00.50Z"})",
        R"({"at":"0"})"}},
      {R"({"at":{"$lte":"2024-01-01T10:00:00Z"}})",
       {R"({"at":"2024-01-01T11:00:00+01:00"})"},
       {R"({"at":"2024-01-01T10:00:00.000000001Z"})"}},
      // An operand that is no date compares by bytes, with dates as well.
      {R"({"at":{"$gt":"2024-01"}})",
       {R"({"at":"2024-01-01"})", R"({"at":"x"})"},
       {R"({"at":"2023"})"}},
      // Equality never reads dates.
      {R"({"at":"2024-01-01T10:00:00Z"})",
       {R"({"at":"2024-01-01T10:00:00Z"})"},
       {R"({"at":"2024-01-01T11:00:00+01:00"})", R"({"at":"2024-01-01T10:00:00.0Z"})"}},
      {R"({"at":{"$in":["2024-01-01"]}})",
       {R"({"at":"2024-01-01"})"},
       {R"({"at":"2024-01-01T00:00:00Z"})"}},
  });
}

TEST_CASE("Filter: paths reach into objects and look through arrays", "[core][filter]") {
  check({
      {R"({"a.b.c":1})",
       {R"({"a":{"b":{"c":1}}})", R"({"a":[{"b":{"c":2}},{"b":[{"c":[0,1]}]}]})",
        R"({"a":[[{"b":{"c":[[1]]}}]]})"},
       {R"({"a":{"b":{"c":2}}})", R"({"a":{"b":1}})", R"({"a.b.c":1})", R"({"a":{"b.c":1}})",
        R"({"a":{"b":{"c":{"d":1}}}})"}},
      {R"({"tag":"a"})",
       {R"({"tag":["a","b"]})", R"({"tag":[["a"]]})"},
       {R"({"tag":[]})", R"({"tag":["b"]})"}},
      // Positions are keys like any other.
      {R"({"tag.0":"a"})", {R"({"tag":{"0":"a"}})"}, {R"({"tag":["a","b"]})"}},
      // Each condition is met by any element, not all by the same one.
      {R"({"n":{"$gt":5,"$lt":3}})", {R"({"n":[1,9]})"}, {R"({"n":[4]})", R"({"n":4})"}},
      {R"({"p.x":1,"p.y":2})", {R"({"p":[{"x":1},{"y":2}]})"}, {R"({"p":[{"x":2},{"y":2}]})"}},
  });
}

TEST_CASE("Filter: the negative operators are the complement", "[core][filter]") {
  check({
      {R"({"a":{"$ne":1}})",
       {"{}", R"({"a":2})", R"({"a":"1"})", R"({"a":[2,3]})", R"({"a":null})"},
       {R"({"a":1})", R"({"a":1.0})", R"({"a":[2,1]})"}},
      {R"({"a":{"$nin":[1,"x"]}})",
       {"{}", R"({"a":2})", R"({"a":[]})"},
       {R"({"a":1})", R"({"a":["x"]})"}},
      {R"({"a":{"$nin":[]}})", {"{}", R"({"a":2})"}, {}},
      {R"({"a":{"$in":[]}})", {}, {"{}", R"({"a":2})", R"({"a":null})"}},
      {R"({"year":{"$not":{"$gte":2024}}})",
       {R"({"year":2023})", "{}", R"({"year":"x"})"},
       {R"({"year":2024})", R"({"year":[1,2024]})"}},
      {R"({"n":{"$not":{"$gt":2,"$lt":5}}})", {R"({"n":2})", R"({"n":5})"}, {R"({"n":3})"}},
      {R"({"n":{"$not":{"$not":{"$gt":2}}}})", {R"({"n":3})"}, {R"({"n":2})", "{}"}},
  });
}

TEST_CASE("Filter: null is what is null or missing; $exists tells them apart", "[core][filter]") {
  check({
      {R"({"f":null})",
       {"{}", R"({"f":null})", R"({"f":[1,null]})", R"({"g":1})"},
       {R"({"f":0})", R"({"f":""})", R"({"f":false})", R"({"f":[]})", R"({"f":{}})",
        R"({"f":[1]})"}},
      {R"({"f":{"$ne":null}})",
       {R"({"f":0})", R"({"f":[]})", R"({"f":{}})"},
       {"{}", R"({"f":null})", R"({"f":[null]})"}},
      {R"({"f":{"$in":[null,1]}})", {"{}", R"({"f":null})", R"({"f":1})"}, {R"({"f":2})"}},
      {R"({"f":{"$nin":[null,1]}})", {R"({"f":2})"}, {"{}", R"({"f":null})", R"({"f":1})"}},
      {R"({"f":{"$exists":true}})",
       {R"({"f":null})", R"({"f":[]})", R"({"f":{}})", R"({"f":0})"},
       {"{}"}},
      {R"({"f":{"$exists":false}})", {"{}", R"({"g":1})"}, {R"({"f":null})"}},
      // A path that leads to something in one element leads to something.
      {R"({"a.b":null})",
       {R"({"a":1})", R"({"a":[]})", R"({"a":[{"c":1}]})", R"({"a":{"b":null}})"},
       {R"({"a":[{"b":1},{"c":1}]})"}},
      {R"({"a.b":{"$exists":true}})",
       {R"({"a":[1,{"b":[]}]})"},
       {R"({"a":[1,{"c":2}]})", R"({"a":"b"})"}},
  });
}

TEST_CASE("Filter: $and, $or, $nor and $not combine filters", "[core][filter]") {
  check({
      {R"({"$and":[{"a":1},{"b":2}]})", {R"({"a":1,"b":2})"}, {R"({"a":1})", R"({"b":2})"}},
      {R"({"$or":[{"a":1},{"b":2}]})", {R"({"a":1})", R"({"b":2})"}, {R"({"a":2,"b":1})", "{}"}},
      {R"({"$nor":[{"a":1},{"b":2}]})", {R"({"a":2,"b":1})", "{}"}, {R"({"a":1})", R"({"b":2})"}},
      {R"({"$not":{"a":1,"b":2}})", {R"({"a":1})", R"({"b":2})", "{}"}, {R"({"a":1,"b":2})"}},
      {R"({"c":3,"$or":[{"a":1},{"$and":[{"b":2},{"d":{"$exists":true}}]}]})",
       {R"({"c":3,"a":1})", R"({"c":3,"b":2,"d":null})"},
       {R"({"c":3,"b":2})", R"({"a":1})"}},
      {R"({"$or":[{"a":1},{}]})", {"{}"}, {}},
      {R"({"$not":{}})", {}, {"{}", R"({"a":1})"}},
  });
}

TEST_CASE("Filter: $in takes values of any type", "[core][filter]") {
  check({
      {R"({"a":{"$in":["x",2,true,2.5,"x"]}})",
       {R"({"a":"x"})", R"({"a":2})", R"({"a":2.0})", R"({"a":true})", R"({"a":2.5})"},
       {R"({"a":"y"})", R"({"a":1})", R"({"a":false})", R"({"a":"2"})", R"({"a":null})"}},
  });
  Json many = Json::array();
  for (int i = 0; i < 10'000; ++i) many.push_back(i * 2);
  const Filter filter = parsed({{"n", {{"$in", many}}}});
  CHECK(filter.matches({{"n", 19'998}}));
  CHECK(filter.matches({{"n", 0}}));
  CHECK_FALSE(filter.matches({{"n", 19'997}}));
  CHECK_FALSE(filter.matches({{"n", 20'000}}));
}

TEST_CASE("Filter: what is no object has no fields", "[core][filter]") {
  CHECK_FALSE(matches(R"({"a":1})", R"([{"a":1}])"));
  CHECK(matches(R"({"a":null})", R"([{"a":1}])"));
  CHECK(matches("{}", "3"));
}

TEST_CASE("Filter: does not look deeper than JSON may be nested", "[core][filter]") {
  const auto nested = [](std::size_t arrays) {
    Json value = 1;
    for (std::size_t i = 0; i < arrays; ++i) value = Json::array({std::move(value)});
    return Json{{"a", std::move(value)}};
  };
  const Filter equal = parsed({{"a", 1}});
  CHECK(equal.matches(nested(limits::kJsonDepthMax - 1)));
  CHECK_FALSE(equal.matches(nested(limits::kJsonDepthMax)));
  CHECK_FALSE(equal.matches(nested(5000)));
  CHECK_FALSE(parsed({{"a.b", 1}}).matches(nested(5000)));
}

TEST_CASE("Filter: keeps its source and lists its paths once", "[core][filter]") {
  const Json source = Json::parse(
      R"({"lang":"rust","a.b":null,"$or":[{"lang":{"$in":[1]}},{"$not":{"z":{"$exists":true}}}]})");
  const Filter filter = parsed(source);
  CHECK(filter.source() == source);
  CHECK(filter.paths() == std::vector<std::string>{"lang", "z", "a.b"});
  CHECK(parsed(filter.source()).paths() == filter.paths());
  CHECK(parsed(Json::object()).paths().empty());
  const Filter copy = filter;  // NOLINT: that copies share is what is tested
  CHECK(&copy.root() == &filter.root());
}

}  // namespace
}  // namespace quiver
