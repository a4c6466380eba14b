// Ids as plain text, there and back.

#include "service/point_text.h"

#include <limits>
#include <string>

#include <catch2/catch.hpp>

namespace quiver::service {
namespace {

PointId string_id(const std::string& text) {
  return *PointId::from_text(text);
}

TEST_CASE("point text: the kind of an id is never lost", "[service]") {
  const std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
  CHECK(point_text(PointId(7)) == "7");
  CHECK(point_text(string_id("7")) == R"("7")");
  CHECK(point_text(string_id("07")) == "07");
  CHECK(point_text(string_id("18446744073709551616")) == "18446744073709551616");
  CHECK(point_text(string_id("\"x")) == R"("\"x")");
  CHECK(point_text(string_id("a b")) == "a b");
  for (const PointId& id : {PointId(0), PointId(largest), string_id("0"), string_id("-1"),
                            string_id("18446744073709551615"), string_id("\"\""),
                            string_id("caf\u00e9"), string_id("\n")}) {
    CHECK(read_point_text(point_text(id)) == id);
  }
}

TEST_CASE("point text: what is no id", "[service]") {
  CHECK(read_point_text(R"("plain")") == string_id("plain"));
  for (const char* text : {"", "\"", "\"\"", "\"a", "\"a\"b", "\xff"}) {
    CHECK_FALSE(read_point_text(text));
  }
}

}  // namespace
}  // namespace quiver::service
