// What filters may not say. Every message is given in full: it is what a model corrects itself by.

#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "core/filter.h"
#include "core/limits.h"

namespace quiver {
namespace {

std::string refusal(const Json& json) {
  const auto filter = Filter::parse(json);
  if (filter.ok()) return "accepted";
  CHECK(filter.error().code == ErrorCode::InvalidArgument);
  return filter.error().message;
}

using Rows = std::vector<std::pair<std::string, std::string>>;

void check(const Rows& rows) {
  for (const auto& [filter, message] : rows) {
    INFO(filter);
    CHECK(refusal(Json::parse(filter)) == message);
  }
}

const std::string kOperators =
    "operators here: $eq $ne $gt $gte $lt $lte $in $nin $exists $prefix $not";
const std::string kCombiners = "operators here: $and $or $nor $not";

TEST_CASE("Filter::parse: refuses what is no object", "[core][filter]") {
  check({
      {"null", R"(filter: must be an object, as in {"lang": "rust"}, got null)"},
      {"[]", R"(filter: must be an object, as in {"lang": "rust"}, got array)"},
      {R"("x")", R"(filter: must be an object, as in {"lang": "rust"}, got string)"},
      {R"({"$not":3})", R"(filter.$not: must be an object, as in {"lang": "rust"}, got number)"},
      {R"({"$or":[{"a":1},2]})",
       R"(filter.$or[1]: must be an object, as in {"lang": "rust"}, got number)"},
      {R"({"$and":{"a":1}})", "filter.$and: must be a non-empty array of filters, got object"},
      {R"({"$or":[]})", "filter.$or: must be a non-empty array of filters, got an empty one"},
      {R"({"$nor":1})", "filter.$nor: must be a non-empty array of filters, got number"},
  });
}

TEST_CASE("Filter::parse: names the operators and the nearest one", "[core][filter]") {
  check({
      {R"({"year":{"$gtee":1}})",
       R"(filter.year.$gtee: unknown operator; did you mean "$gte"? )" + kOperators},
      {R"({"year":{"$frobnicate":1}})", "filter.year.$frobnicate: unknown operator; " + kOperators},
      {R"({"$nott":{}})", R"(filter.$nott: unknown operator; did you mean "$not"? )" + kCombiners},
      {R"({"year":{"gte":1}})", R"(filter.year.gte: operators start with $: write "$gte")"},
      {R"({"a":{"b":1}})",
       R"(filter.a.b: not an operator; to reach a nested field write the path "a.b"; )" +
           kOperators},
      {R"({"a":{"$gt":1,"b":1}})",
       R"(filter.a.b: not an operator; to reach a nested field write the path "a.b"; )" +
           kOperators},
      {R"({"a":{}})", "filter.a: must be a value or have an operator; " + kOperators},
      {R"({"$gt":1})", R"(filter.$gt: belongs inside a field, as in {"field": {"$gt": ...}})"},
      {R"({"a":{"$or":[1]}})",
       R"(filter.a.$or: combines whole filters: write {"$or": [{"a": ...}, ...]})"},
      {R"({"a":{"$regex":"^x"}})",
       "filter.a.$regex: unknown operator; use $prefix for how a string begins; " + kOperators},
      {R"({"a":{"$date":"2024-01-01"}})",
       "filter.a.$date: unknown operator; write the date-time as a string, as in "
       "\"2024-01-31T10:00:00Z\"; " +
           kOperators},
      {R"({"a":{"$gt":{"$date":"2024-01-01"}}})",
       "filter.a.$gt: unknown operator; write the date-time as a string, as in "
       "\"2024-01-31T10:00:00Z\"; " +
           kOperators},
      {R"({"a":{"$eq":{"$date":1}}})",
       "filter.a.$eq: unknown operator; write the date-time as a string, as in "
       "\"2024-01-31T10:00:00Z\"; " +
           kOperators},
  });
}

TEST_CASE("Filter::parse: refuses operands of the wrong type", "[core][filter]") {
  const std::string ordered =
      R"(must be a number or a string (dates are strings, as in "2024-01-31"), got )";
  const std::string no_array =
      R"(an array cannot be compared; to match any of its values write {"$in": [...]})";
  const std::string no_object =
      R"(an object cannot be compared; write dotted paths to what is in it, )"
      R"(as in {"author.name": "Ann"})";
  check({
      {R"({"a":{"$gt":true}})", "filter.a.$gt: " + ordered + "boolean"},
      {R"({"a":{"$gte":null}})", "filter.a.$gte: " + ordered + "null"},
      {R"({"a":{"$lt":[1]}})", "filter.a.$lt: " + ordered + "array"},
      {R"({"a":{"$lte":{}}})", "filter.a.$lte: " + ordered + "object"},
      {R"({"a":[1,2]})", "filter.a: " + no_array},
      {R"({"a":{"$ne":[1]}})", "filter.a.$ne: " + no_array},
      {R"({"a":{"$eq":{"b":1}}})", "filter.a.$eq: " + no_object},
      {R"({"a":{"$in":[1,[2]]}})", "filter.a.$in[1]: " + no_array},
      {R"({"a":{"$nin":[{"b":1}]}})", "filter.a.$nin[0]: " + no_object},
      {R"({"a":{"$in":"x"}})",
       R"(filter.a.$in: must be an array of values, as in ["a", "b"], got string)"},
      {R"({"a":{"$exists":1}})", "filter.a.$exists: must be true or false, got number"},
      {R"({"a":{"$prefix":1}})", "filter.a.$prefix: must be a string, got number"},
      {R"({"a":{"$not":1}})",
       R"(filter.a.$not: must be an object of operators, as in {"$gte": 2024}, got number; )"
       "for a value use $ne"},
      {R"({"a":{"$not":{"$not":{"$gtt":1}}}})",
       R"(filter.a.$not.$not.$gtt: unknown operator; did you mean "$gt"? )" + kOperators},
      {R"({"$and":[{"a":1},{"$or":[{"year":{"$gte":false}}]}]})",
       "filter.$and[1].$or[0].year.$gte: " + ordered + "boolean"},
  });
  CHECK(refusal({{"a", std::numeric_limits<double>::quiet_NaN()}}) ==
        "filter.a: must be a string, a number, a boolean or null");
}

TEST_CASE("Filter::parse: refuses paths that cannot lead anywhere", "[core][filter]") {
  const std::string empty = R"(every key of a path needs a name, as in "author.name")";
  check({
      {R"({"":1})", "filter.: " + empty},
      {R"({"a..b":1})", "filter.a..b: " + empty},
      {R"({".a":1})", "filter..a: " + empty},
      {R"({"a.":1})", "filter.a.: " + empty},
      {R"({"a.$gt":1})",
       R"(filter.a.$gt: "$gt" is an operator inside a path; write it inside the field, )"
       R"(as in {"year": {"$gte": 2024}})"},
  });
  CHECK(refusal({{std::string(513, 'x'), 1}}) ==
        "filter." + std::string(64, 'x') + "...: a path has at most 512 bytes, got 513");
  std::string deep = "k";
  for (int i = 0; i < 63; ++i) deep += ".k";
  CHECK(refusal({{deep, 1}}) == "accepted");
  deep += ".k";
  CHECK(refusal({{deep, 1}}) ==
        "filter." + deep.substr(0, 64) + "...: a path has at most 64 keys, got 65");
  // Characters are not cut.
  std::string euros;
  for (int i = 0; i < 200; ++i) euros += "\xE2\x82\xAC";
  CHECK(refusal({{euros, 1}}) ==
        "filter." + euros.substr(0, 63) + "...: a path has at most 512 bytes, got 600");
}

TEST_CASE("Filter::parse: bounds conditions, lists and nesting", "[core][filter]") {
  const auto fields = [](std::size_t count) {
    Json filter = Json::object();
    for (std::size_t i = 0; i < count; ++i) filter["f" + std::to_string(i)] = 1;
    return filter;
  };
  CHECK(refusal(fields(1024)) == "accepted");
  const std::string too_many =
      "filter: must have at most 1024 conditions; values of one field belong into one $in";
  CHECK(refusal(fields(1025)) == too_many);
  Json empties = Json::array();
  for (int i = 0; i < 1025; ++i) empties.push_back(Json::object());
  CHECK(refusal({{"$and", empties}}) == too_many);
  Json pairs = Json::array();
  for (int i = 0; i < 513; ++i) pairs.push_back({{"a", {{"$gt", i}, {"$lt", i}}}});
  CHECK(refusal({{"$or", pairs}}) == too_many);

  CHECK(refusal({{"a", {{"$in", Json(std::vector<int>(10'000, 1))}}}}) == "accepted");
  CHECK(refusal({{"a", {{"$in", Json(std::vector<int>(10'001, 1))}}}}) ==
        "filter.a.$in: must have at most 10000 values, got 10001");

  const std::string too_deep = "filter: must not be nested deeper than 64 levels";
  const auto nested = [](std::size_t levels, const char* key, Json inner) {
    for (std::size_t i = 0; i < levels; ++i) inner = Json{{key, std::move(inner)}};
    return inner;
  };
  CHECK(refusal(nested(63, "$not", {{"a", 1}})) == "accepted");
  CHECK(refusal(nested(64, "$not", {{"a", 1}})) == too_deep);
  CHECK(refusal({{"a", nested(62, "$not", {{"$gt", 1}})}}) == "accepted");
  CHECK(refusal({{"a", nested(63, "$not", {{"$gt", 1}})}}) == too_deep);
  CHECK(refusal(nested(50'000, "$not", {{"a", 1}})) == too_deep);
  Json arrays = {{"a", 1}};
  for (int i = 0; i < 32; ++i) arrays = Json{{"$and", Json::array({std::move(arrays)})}};
  CHECK(refusal(arrays) == too_deep);
  CHECK(refusal(arrays["$and"][0]) == "accepted");
}

}  // namespace
}  // namespace quiver
