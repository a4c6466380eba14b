#include "service/items.h"

#include <catch2/catch.hpp>

namespace quiver::service {
namespace {

Point point(std::size_t text_bytes, std::size_t metadata_bytes = 0) {
  Point out;
  out.id = PointId(1);
  out.vector = std::vector<float>(4096, 0.5F);
  out.text = std::string(text_bytes, 't');
  if (metadata_bytes > 0) out.payload = {{"m", std::string(metadata_bytes, 'm')}};
  return out;
}

std::size_t tokens_of(const Item& item) {
  return estimated_tokens(encode(item).dump().size());
}

TEST_CASE("Item: shows the parts that were asked for", "[service]") {
  Point from = point(3, 2);
  from.created_at_ms = 1'700'000'000'000;
  from.expires_at_ms = 1'700'000'060'000;
  CHECK(encode(make_item(from, {.metadata = false})) == Json{{"id", 1}, {"text", "ttt"}});
  CHECK(encode(make_item(from, {.times = true})) == Json{{"id", 1},
                                                         {"text", "ttt"},
                                                         {"metadata", {{"m", "mm"}}},
                                                         {"created_at", "2023-11-14T22:13:20Z"},
                                                         {"expires_at", "2023-11-14T22:14:20Z"}});
  CHECK(make_item(from, {.vector = true}).vector->values.size() == 4096);
}

TEST_CASE("Item: scores have three decimals", "[service]") {
  CHECK(encode(make_hit({point(0), 0.87654F}, {}))["score"].dump() == "0.877");
  CHECK(encode(make_hit({point(0), -12.0004F}, {}))["score"].dump() == "-12.0");
}

TEST_CASE("Item: a long text is cut between characters, and marked", "[service]") {
  Point from = point(0);
  from.text = "ab\u00e9z";
  CHECK(encode(make_item(from, {.text_bytes = 5})) == Json{{"id", 1}, {"text", "ab\u00e9z"}});
  CHECK(encode(make_item(from, {.text_bytes = 3})) ==
        Json{{"id", 1}, {"text", "ab"}, {"text_truncated", true}});
}

TEST_CASE("TokenBudget: admits items while they fit", "[service]") {
  TokenBudget budget(1040);
  // {"id":1,"text":"..."}: 18 bytes and the text, so 300 bytes or 100 tokens each.
  for (int i = 0; i < 10; ++i) {
    Item item = make_item(point(282), {});
    REQUIRE(item_tokens(item) == 100);
    CHECK(budget.admit(item));
  }
  Item tiny = make_item(point(0), {});
  CHECK_FALSE(budget.admit(tiny));
}

TEST_CASE("TokenBudget: an item's vector costs nothing", "[service]") {
  Item item = make_item(point(282), {.vector = true});
  CHECK(item_tokens(item) == 100);
}

TEST_CASE("TokenBudget: the first item is made to fit", "[service]") {
  SECTION("by cutting its text") {
    TokenBudget budget(140);
    Item item = make_item(point(1000), {});
    CHECK(budget.admit(item));
    CHECK(item.text_truncated == true);
    CHECK(tokens_of(item) <= 100);
    CHECK(item.text->size() > 200);
  }
  SECTION("by leaving out metadata that takes more than half") {
    TokenBudget budget(140);
    Item item = make_item(point(100, 1000), {});
    CHECK(budget.admit(item));
    CHECK(item.metadata_omitted == true);
    CHECK_FALSE(item.metadata.has_value());
    CHECK(item.text->size() == 100);
    CHECK_FALSE(item.text_truncated.has_value());
  }
  SECTION("a text whose JSON is longer than itself") {
    TokenBudget budget(140);
    Point from = point(0);
    from.text = std::string(1000, '"');
    Item item = make_item(from, {});
    CHECK(budget.admit(item));
    CHECK(tokens_of(item) <= 100);
  }
  SECTION("but for a start that is always shown") {
    TokenBudget budget(1);
    Item item = make_item(point(1000), {});
    CHECK(budget.admit(item));
    CHECK(item.text->size() == 60);
  }
}

}  // namespace
}  // namespace quiver::service
