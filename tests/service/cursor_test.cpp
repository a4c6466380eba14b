#include "service/cursor.h"

#include <catch2/catch.hpp>

namespace quiver::service {
namespace {

ScoredPoint hit(std::uint64_t id, float score) {
  ScoredPoint out;
  out.point.id = PointId(id);
  out.score = score;
  return out;
}

TEST_CASE("Cursor: gives its position back to the request it was made for", "[service]") {
  const std::string position("\x00\x01two\xFF", 6);
  const auto cursor = make_cursor("search cats", position);
  const auto opened = open_cursor("search cats", cursor);
  REQUIRE(opened.ok());
  CHECK(*opened == position);
  CHECK(open_cursor("search", make_cursor("search", "")).ok());
}

TEST_CASE("Cursor: refuses another request's and every damage", "[service]") {
  const auto cursor = make_cursor("search cats", "position");
  const auto refused = [](std::string_view bound, const std::string& text) {
    const auto opened = open_cursor(bound, text);
    return !opened.ok() && opened.error().code == ErrorCode::InvalidArgument &&
           opened.error().message ==
               "cursor: not a next_cursor of this request; repeat the arguments of the first page "
               "unchanged, or start over without cursor";
  };
  CHECK(refused("search dogs", cursor));
  CHECK(refused("search cats", ""));
  CHECK(refused("search cats", "abc"));
  CHECK(refused("search cats", cursor + "A"));
  for (std::size_t i = 0; i < cursor.size(); ++i) {
    auto damaged = cursor;
    damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
    INFO(damaged);
    CHECK(refused("search cats", damaged));
  }
}

TEST_CASE("Cursor: parts of a bound keep their borders", "[service]") {
  CHECK(CursorBound("a").add("bc").str() != CursorBound("ab").add("c").str());
  CHECK(CursorBound("a").add("").str() != CursorBound("a").str());
}

TEST_CASE("SearchPosition: travels as bytes", "[service]") {
  for (const std::size_t seen :
       {std::size_t{1}, std::size_t{255}, std::size_t{256}, std::size_t{9999}}) {
    const auto position = SearchPosition::after(hit(5, -0.75F), seen);
    const auto back = SearchPosition::from_bytes(position.to_bytes());
    REQUIRE(back.ok());
    CHECK(back->seen == seen);
    CHECK(back->is_at(hit(5, -0.75F)));
    CHECK_FALSE(back->is_at(hit(6, -0.75F)));
    CHECK_FALSE(back->is_at(hit(5, -0.5F)));
  }
  CHECK_FALSE(SearchPosition::from_bytes("short").ok());
  CHECK_FALSE(SearchPosition::from_bytes("far too long a position").ok());
}

}  // namespace
}  // namespace quiver::service
