// Arguments from paths, queries and bodies, over an operation that has a field of every type.

#include "api/rest/arguments.h"

#include <limits>

#include <catch2/catch.hpp>

namespace quiver::api {
namespace {

using Catch::Matchers::Contains;

service::Operation probe(const char* method) {
  service::Operation out;
  out.name = "probe";
  out.route = {method, "/v1/things/{name}/{number}"};
  out.request_schema = {
      {"type", "object"},
      {"properties",
       {{"name", {{"type", "string"}}},
        {"number", {{"type", "integer"}}},
        {"limit", {{"type", "integer"}}},
        {"share", {{"type", "number"}}},
        {"exact", {{"type", "boolean"}}},
        {"order", {{"type", "string"}, {"enum", {"up", "down"}}}},
        {"filter", {{"type", "object"}}},
        {"ids", {{"type", "array"}, {"items", {{"type", {"string", "integer"}}}}}},
        {"id", {{"type", {"string", "integer"}}}}}}};
  return out;
}

struct Probe {
  explicit Probe(const char* method) : registry({probe(method)}), routes(registry) {}

  Result<Json> arguments(const std::string& target, std::optional<Json> body = std::nullopt) {
    auto parsed = parse_target(target);
    REQUIRE(parsed.ok());
    const auto match = routes.find(routes.all().front().method, parsed->segments);
    REQUIRE(match.route != nullptr);
    return arguments_of(match, *parsed, std::move(body));
  }
  Json good(const std::string& target, std::optional<Json> body = std::nullopt) {
    auto out = arguments(target, std::move(body));
    INFO((out.ok() ? "" : out.error().message));
    REQUIRE(out.ok());
    return *out;
  }
  std::string bad(const std::string& target, std::optional<Json> body = std::nullopt) {
    const auto out = arguments(target, std::move(body));
    REQUIRE_FALSE(out.ok());
    CHECK(out.error().code == ErrorCode::InvalidArgument);
    return out.error().message;
  }

  service::Registry registry;
  Routes routes;
};

const std::string kPath = "/api/v1/things/a/1";

TEST_CASE("arguments: texts become what the description says they are", "[api]") {
  Probe get("GET");
  CHECK(get.good(kPath) == Json{{"name", "a"}, {"number", 1}});
  CHECK(get.good("/api/v1/things/a%2Fb/-7") == Json{{"name", "a/b"}, {"number", -7}});
  const Json all = get.good(kPath +
                            "?limit=20&share=-0.25&exact=true&order=up&filter=%7B%22a%22:1%7D"
                            "&ids=[7,%227%22]&id=%2212%22");
  CHECK(all == Json{{"name", "a"},
                    {"number", 1},
                    {"limit", 20},
                    {"share", -0.25},
                    {"exact", true},
                    {"order", "up"},
                    {"filter", {{"a", 1}}},
                    {"ids", {7, "7"}},
                    {"id", "12"}});
  CHECK(get.good(kPath + "?limit=18446744073709551615")["limit"] ==
        std::numeric_limits<std::uint64_t>::max());
  CHECK(get.good(kPath + "?limit=-9223372036854775808")["limit"] ==
        std::numeric_limits<std::int64_t>::min());
  CHECK(get.good(kPath + "?share=1e3")["share"] == 1000.0);
  CHECK(get.good(kPath + "?exact=false")["exact"] == false);
  // Which names there are is for the operation to say.
  CHECK(get.good(kPath + "?order=sideways")["order"] == "sideways");
  CHECK(get.good(kPath + "?order=")["order"].get<std::string>().empty());
}

TEST_CASE("arguments: nothing is coerced", "[api]") {
  Probe get("GET");
  for (const char* text : {"", "1.5", "1e2", "0x10", "1 ", "one", "18446744073709551616", "%2B1",
                           "-9223372036854775809"}) {
    INFO(text);
    CHECK_THAT(get.bad(kPath + "?limit=" + text), Contains("limit: expected an integer, got \""));
  }
  for (const char* text : {"", "1", "True", "yes", "null"}) {
    INFO(text);
    CHECK_THAT(get.bad(kPath + "?exact=" + text), Contains("exact: expected true or false"));
  }
  for (const char* text : {"", "nan", "inf", "1e999", "1,5", "0.5x"}) {
    INFO(text);
    CHECK_THAT(get.bad(kPath + "?share=" + text), Contains("share: expected a number"));
  }
  for (const char* text : {"", "%7B", "%7B%22a%22:1,%22a%22:2%7D"}) {
    INFO(text);
    CHECK_THAT(get.bad(kPath + "?filter=" + text), Contains("filter: expected JSON"));
  }
  CHECK_THAT(get.bad("/api/v1/things/a/b"), Contains("number: expected an integer, got \"b\""));
}

TEST_CASE("arguments: unknown and repeated parameters are refused, all at once", "[api]") {
  Probe get("GET");
  CHECK_THAT(get.bad(kPath + "?limits=3"),
             Contains("limits: unknown field; did you mean limit?") &&
                 Contains("fields: exact, filter, id, ids, limit, order, share)"));
  CHECK_THAT(get.bad(kPath + "?limit=1&limit=1"), Contains("limit: given twice"));
  CHECK_THAT(get.bad(kPath + "?name=b"), Contains("name: the path has it"));
  CHECK_THAT(get.bad(kPath + "?limit=x&exact=y&zzz=1"),
             Contains("limit:") && Contains("exact:") && Contains("zzz:"));
}

TEST_CASE("arguments: bodies hold what the path does not", "[api]") {
  Probe post("POST");
  CHECK(post.good(kPath) == Json{{"name", "a"}, {"number", 1}});
  CHECK(post.good(kPath, Json{{"limit", 3}}) == Json{{"name", "a"}, {"number", 1}, {"limit", 3}});
  // What it does not know is for the operation to refuse, which does so at any depth.
  CHECK(post.good(kPath, Json{{"limits", 3}})["limits"] == 3);
  CHECK_THAT(post.bad(kPath, Json{{"name", "a"}}),
             Contains("name: the path has it; leave it out of the body"));
  CHECK_THAT(post.bad(kPath + "?limit=3"),
             Contains("limit: POST takes no query parameters; give its fields in the body"));
  CHECK_THAT(post.bad(kPath, Json::array()), Contains("body: expected an object, got array"));
  CHECK_THAT(post.bad(kPath, Json(nullptr)), Contains("got null"));
  Probe remove("DELETE");
  CHECK(remove.good(kPath + "?exact=true")["exact"] == true);
}

}  // namespace
}  // namespace quiver::api
