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

TEST_CASE("read_json_text: a NUL ends no text", "[core]") {
  using namespace std::string_literals;
  for (const auto& text :
       {R"({"a":1})"s + '\0' + R"({"b":2})", "1\0"s, "\0"s, "\0001"s, "{\0}"s, "\"a\0b\""s}) {
    const auto read = read_json_text(text);
    CHECK(read.kind == Kind::Broken);
    CHECK(read.problem ==
          "not valid JSON: unexpected at byte " + std::to_string(text.find('\0') + 1));
  }
  CHECK(read_json_text(R"("\u0000")").root == Json(std::string(1, '\0')));
}

TEST_CASE("read_json_text: a growing array is refused before it takes too much", "[core]") {
  const auto zeros = [](std::size_t count) {
    std::string text = "[0";
    for (std::size_t i = 1; i < count; ++i) text += ",0";
    return text + "]";
  };
  // 1,024 numbers take 16 KiB; to become them, 512 are copied.
  CHECK(read_json_text(zeros(1024), 26'000).kind == Kind::Whole);
  CHECK(read_json_text(zeros(1024), 23'000).kind == Kind::Refused);
  CHECK(read_json_text(zeros(512), 23'000).kind == Kind::Whole);
  const auto read = read_json_text(R"({"a":)" + zeros(5000) + R"(,"id":7})", 1 << 16, "id");
  CHECK(read.kind == Kind::Refused);
  CHECK(read.member == std::optional<Json>(7));
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
