// Requests arrive from language models, so the wording of a refusal is part of the contract.

#include "service/schema.h"

#include <random>

#include <catch2/catch.hpp>

namespace quiver::service {
namespace {

struct Part {
  std::string name;
  std::optional<std::int32_t> weight;

  static constexpr auto fields() {
    return describe(field("name", &Part::name, "Its name").between(1, 8),
                    field("weight", &Part::weight).between(-5, 5));
  }
  bool operator==(const Part&) const = default;
};

struct Request {
  std::string collection;
  std::uint32_t limit = 10;
  std::optional<double> min_score;
  bool exact = false;
  std::vector<Part> parts;
  std::optional<Json> anything;
  std::uint64_t large = 0;
  float ratio = 0.5F;

  static constexpr auto fields() {
    using R = Request;
    return describe(
        field("collection", &R::collection, "Where to look"),
        field("limit", &R::limit, "Most hits").between(1, 50).optional(),
        field("min_score", &R::min_score).between(-1, 1), field("exact", &R::exact).optional(),
        field("parts", &R::parts).guarded(0, 3).optional(), field("anything", &R::anything),
        field("large", &R::large).optional(), field("ratio", &R::ratio).optional());
  }
  void check(const Path& path, Problems& problems) const {
    if (exact && min_score) problems.add(Path(path, "exact"), "does not go with min_score");
  }
  bool operator==(const Request&) const = default;
};

std::string refusal(const Json& arguments) {
  const auto request = parse<Request>(arguments, "");
  REQUIRE_FALSE(request.ok());
  CHECK(request.error().code == ErrorCode::InvalidArgument);
  return request.error().message;
}

TEST_CASE("schema: follows from the description", "[service]") {
  CHECK(schema_of<Request>() == Json::parse(R"({
    "type": "object",
    "additionalProperties": false,
    "required": ["collection"],
    "properties": {
      "collection": {"type": "string", "description": "Where to look"},
      "limit": {"type": "integer", "description": "Most hits",
                "minimum": 1, "maximum": 50, "default": 10},
      "min_score": {"type": "number", "minimum": -1.0, "maximum": 1.0},
      "exact": {"type": "boolean", "default": false},
      "parts": {"type": "array", "default": [], "items": {
        "type": "object", "additionalProperties": false, "required": ["name"],
        "properties": {
          "name": {"type": "string", "description": "Its name", "minLength": 1, "maxLength": 8},
          "weight": {"type": "integer", "minimum": -5, "maximum": 5}}}},
      "anything": {},
      "large": {"type": "integer", "default": 0},
      "ratio": {"type": "number", "default": 0.5}
    }})"));
}

TEST_CASE("schema: a request that leaves out optional fields gets their defaults", "[service]") {
  const auto request = parse<Request>({{"collection", "notes"}}, "");
  REQUIRE(request.ok());
  Request expected;
  expected.collection = "notes";
  CHECK(*request == expected);
}

TEST_CASE("schema: refusals name the field and what would be right", "[service]") {
  CHECK(refusal(Json::object()) == "collection: required");
  CHECK(refusal({1, 2}) == "arguments: expected an object, got array");
  CHECK(refusal({{"collection", 7}}) == "collection: expected a string, got number");
  CHECK(refusal({{"collection", "n"}, {"limit", 5000}}) ==
        "limit: must be between 1 and 50, got 5000");
  CHECK(refusal({{"collection", "n"}, {"limit", -1}}) == "limit: must be between 1 and 50, got -1");
  CHECK(refusal({{"collection", "n"}, {"limit", 1e12}}) ==
        "limit: must be between 1 and 50, got 1000000000000");
  CHECK(refusal({{"collection", "n"}, {"limit", 1.5}}) == "limit: expected an integer, got 1.5");
  CHECK(refusal({{"collection", "n"}, {"limit", "5"}}) == "limit: expected an integer, got string");
  CHECK(refusal({{"collection", "n"}, {"large", -1}}) ==
        "large: must be between 0 and 18446744073709551615, got -1");
  CHECK(refusal({{"collection", "n"}, {"min_score", 2}}) ==
        "min_score: must be between -1.0 and 1.0, got 2.0");
  CHECK(refusal({{"collection", "n"}, {"min_score", "high"}}) ==
        "min_score: expected a number, got string");
  CHECK(refusal({{"collection", "n"}, {"ratio", 1e300}}) == "ratio: out of range");
  CHECK(refusal({{"collection", "n"}, {"exact", 1}}) ==
        "exact: expected true or false, got number");
  CHECK(refusal({{"collection", "n"}, {"exact", nullptr}}) ==
        "exact: expected true or false, got null; leave the field out if there is no value");
  CHECK(refusal({{"collection", "n"}, {"parts", {{"name", "a"}}}}) ==
        "parts: expected an array, got object");
}

TEST_CASE("schema: text is UTF-8, wherever it comes from", "[service]") {
  CHECK(refusal({{"collection", "caf\xE9"}}) == "collection: must be valid UTF-8");
  CHECK(refusal({{"caf\xE9", 1}}).find("unknown field") != std::string::npos);
}

TEST_CASE("schema: bounds of strings are bytes, of arrays items", "[service]") {
  const auto parts = [](Json value) { return Json{{"collection", "n"}, {"parts", value}}; };
  CHECK(refusal(parts({{{"name", ""}}})) == "parts[0].name: must have 1 to 8 bytes, got 0");
  // Three characters of three bytes each.
  CHECK(refusal(parts({{{"name", "\u65e5\u672c\u8a9e"}}})) ==
        "parts[0].name: must have 1 to 8 bytes, got 9");
  const Json part = {{"name", "a"}};
  CHECK(refusal(parts({part, part, part, part})) == "parts: must have 0 to 3 items, got 4");
}

TEST_CASE("schema: an integer may be written with a fraction of zero, as JSON Schema has it",
          "[service]") {
  CHECK(parse<Request>({{"collection", "n"}, {"limit", 5.0}}, "")->limit == 5);
  CHECK(refusal({{"collection", "n"}, {"large", 1e17}}) == "large: expected an integer, got 1e+17");
}

TEST_CASE("schema: unknown fields are refused, naming what was meant", "[service]") {
  const std::string known =
      " (fields: collection, limit, min_score, exact, parts, anything, large, ratio)";
  CHECK(refusal({{"collection", "n"}, {"top_k", 5}}) ==
        "top_k: unknown field; did you mean limit?" + known);
  CHECK(refusal({{"collection", "n"}, {"limt", 5}}) ==
        "limt: unknown field; did you mean limit?" + known);
  CHECK(refusal({{"collection", "n"}, {"zzzzzzzz", 5}}) == "zzzzzzzz: unknown field" + known);
  CHECK(refusal({{"collection", "n"}, {"parts", {{{"name", "a"}, {"weigth", 1}}}}}) ==
        "parts[0].weigth: unknown field; did you mean weight? (fields: name, weight)");
  // A long key does not blow up the message.
  CHECK(refusal({{"collection", "n"}, {std::string(5000, 'z'), 5}}).size() < 300);
}

TEST_CASE("schema: all problems are listed at once", "[service]") {
  const Json arguments = {
      {"limit", 0}, {"exact", "yes"}, {"parts", {{{"name", 1}}, {{"weight", 9}}}}};
  CHECK(refusal(arguments) ==
        "collection: required; "
        "limit: must be between 1 and 50, got 0; "
        "exact: expected true or false, got string; "
        "parts[0].name: expected a string, got number; "
        "parts[1].name: required; "
        "parts[1].weight: must be between -5 and 5, got 9");
}

TEST_CASE("schema: a list of problems ends", "[service]") {
  Json ids = Json::array();
  for (int i = 0; i < 1000; ++i) ids.push_back("no number");
  const auto numbers = parse<std::vector<std::int32_t>>(ids, "ids");
  REQUIRE_FALSE(numbers.ok());
  const auto& message = numbers.error().message;
  CHECK(message.find("ids[9]: expected an integer, got string; there may be more") !=
        std::string::npos);
  CHECK(message.find("ids[10]") == std::string::npos);
}

TEST_CASE("schema: what holds between fields is checked once each is right", "[service]") {
  CHECK(refusal({{"collection", "n"}, {"exact", true}, {"min_score", 0.5}}) ==
        "exact: does not go with min_score");
  CHECK(refusal({{"collection", "n"}, {"exact", true}, {"min_score", 5}}) ==
        "min_score: must be between -1.0 and 1.0, got 5.0");
}

TEST_CASE("schema: what is encoded parses to the same value", "[service]") {
  std::mt19937 random(3);
  const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  for (int round = 0; round < 500; ++round) {
    Request request;
    request.collection = "c" + std::to_string(below(100));
    request.limit = 1 + below(50);
    request.exact = below(2) == 0;
    if (!request.exact && below(2) == 0) request.min_score = (below(2001) / 1000.0) - 1;
    for (auto n = below(4); n > 0; --n) {
      Part part{"p" + std::to_string(below(1000)), std::nullopt};
      if (below(2) == 0) part.weight = static_cast<std::int32_t>(below(11)) - 5;
      request.parts.push_back(part);
    }
    if (below(2) == 0) request.anything = Json{{"a", {1, "b", nullptr}}};
    request.large = (std::uint64_t{random()} << 32U) | random();
    request.ratio = static_cast<float>(below(1000)) / 7;
    const auto text = encode(request).dump();
    INFO(text);
    const auto back = parse<Request>(Json::parse(text), "");
    REQUIRE(back.ok());
    CHECK(*back == request);
  }
}

TEST_CASE("schema: absent optional members are left out, not written as null", "[service]") {
  CHECK(encode(Part{"a", std::nullopt}) == Json{{"name", "a"}});
  CHECK(encode(Part{"a", 3}) == Json{{"name", "a"}, {"weight", 3}});
}

}  // namespace
}  // namespace quiver::service
