// The bounds of what is read, and the member that is found in what was refused. That whole texts
// become what another reader makes of them, and every single bound, is tested with MCP's messages.

#include "core/json_reader.h"

#include <catch2/catch.hpp>

namespace quiver {
namespace {

using Catch::Matchers::Contains;
using Kind = JsonReading::Kind;

TEST_CASE("read_json_text: whole, broken or refused", "[core]") {
  const auto whole = read_json_text(R"({"a":[1,"x",null]})");
  CHECK(whole.kind == Kind::Whole);
  CHECK(whole.root == Json{{"a", {1, "x", nullptr}}});
  CHECK(whole.problem.empty());
  CHECK_FALSE(whole.member);

  const auto broken = read_json_text("{\"a\":");
  CHECK(broken.kind == Kind::Broken);
  CHECK(broken.root.is_null());
  CHECK_THAT(broken.problem, Contains("not valid JSON"));

  const auto refused = read_json_text(R"({"a":1,"a":2})");
  CHECK(refused.kind == Kind::Refused);
  CHECK(refused.root.is_null());
  CHECK_THAT(refused.problem, Contains("\"a\" appears twice"));

  CHECK(read_json_text("[1,2,3,4]", 64).kind == Kind::Refused);
}

TEST_CASE("read_json_text: the member that was asked for, even of what is refused", "[core]") {
  const auto member = [](const char* text) {
    return read_json_text(text, kJsonMemoryMax, "id").member;
  };
  CHECK(member(R"({"id":7,"a":1})") == std::optional<Json>(7));
  CHECK(member(R"({"a":1,"a":2,"id":"x"})") == std::optional<Json>("x"));
  CHECK(member(R"({"id":null})") == std::optional<Json>(nullptr));
  CHECK_FALSE(member(R"({"id":1,"id":2})"));
  CHECK_FALSE(member(R"({"id":[1]})"));
  CHECK_FALSE(member(R"({"a":{"id":1}})"));
  CHECK_FALSE(member(R"([{"id":1}])"));
  CHECK_FALSE(member("{\"id\":1"));
}

}  // namespace
}  // namespace quiver
