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
  CHECK(encode(make_hit({point(0), -0.0001F}, {}))["score"].dump() == "0.0");
}

TEST_CASE("Item: a long text is cut between characters, and marked", "[service]") {
  Point from = point(0);
  from.text = "ab\u00e9z";
  CHECK(encode(make_item(from, {.text_bytes = 5})) == Json{{"id", 1}, {"text", "ab\u00e9z"}});
  CHECK(encode(make_item(from, {.text_bytes = 3})) ==
        Json{{"id", 1}, {"text", "ab"}, {"text_truncated", true}, {"next_offset", 2}});
}

TEST_CASE("Item: a long text is cut between words if there is one near", "[service]") {
  Point from = point(0);
  from.text = "one two\nthree";
  CHECK(make_item(from, {.text_bytes = 10}).text == "one two\n");
  CHECK(make_item(from, {.text_bytes = 7}).text == "one ");
  from.text = "a " + std::string(200, 'b');
  CHECK(make_item(from, {.text_bytes = 150}).text->size() == 150);
}

TEST_CASE("Item: an empty text is left out", "[service]") {
  CHECK(encode(make_item(point(0), {})) == Json{{"id", 1}});
}

TEST_CASE("grouped: thousands are told apart", "[service]") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(3412) == "3,412");
  CHECK(grouped(1234567) == "1,234,567");
}

TEST_CASE("TokenBudget: admits items while they fit", "[service]") {
  TokenBudget budget(1070);
  // {"id":1,"text":"..."}: 18 bytes and the text, so 300 bytes or 100 tokens each.
  for (int i = 0; i < 10; ++i) {
    Item item = make_item(point(282), {});
    REQUIRE(item_tokens(item) == 100);
    CHECK(budget.admit(item));
  }
  Item tiny = make_item(point(0), {});
  CHECK_FALSE(budget.admit(tiny));
}

TEST_CASE("TokenBudget: what is no item is counted by its bytes", "[service]") {
  TokenBudget budget(170);
  CHECK(budget.admit(150));
  CHECK(budget.admit(150));
  CHECK_FALSE(budget.admit(3));
  TokenBudget small(71);
  CHECK(small.admit(1'000'000));
  CHECK_FALSE(small.admit(3));
}

TEST_CASE("TokenBudget: the first item is made to fit", "[service]") {
  SECTION("by cutting its text") {
    TokenBudget budget(170);
    Item item = make_item(point(1000), {});
    CHECK(budget.admit(item));
    CHECK(item.text_truncated == true);
    CHECK(tokens_of(item) <= 100);
    CHECK(item.text->size() > 200);
  }
  SECTION("by leaving out the largest metadata, of which the text takes half") {
    TokenBudget budget(170);
    Point from = point(1000, 100);
    from.payload["n"] = 1;
    from.payload["o"] = {1, std::string(50, 'o')};
    Item item = make_item(from, {});
    CHECK(budget.admit(item));
    CHECK(item.metadata_omitted == 1);
    CHECK(item.metadata->value == Json{{"n", 1}, {"o", from.payload["o"]}});
    CHECK(item.text_truncated == true);
    CHECK(item.next_offset == item.text->size());
    CHECK(tokens_of(item) <= 100);
    CHECK(item.text->size() > 80);
  }
  SECTION("by leaving out all of the metadata") {
    TokenBudget budget(170);
    Item item = make_item(point(100, 1000), {});
    CHECK(budget.admit(item));
    CHECK(item.metadata_omitted == 1);
    CHECK_FALSE(item.metadata.has_value());
    CHECK(item.text->size() == 100);
    CHECK_FALSE(item.text_truncated.has_value());
  }
  SECTION("by leaving out a vector that is too large by itself, and no other") {
    TokenBudget budget(170);
    Item item = make_item(point(20), {.vector = true});
    CHECK(budget.admit(item));
    CHECK(item.vector_omitted == true);
    CHECK_FALSE(item.vector.has_value());
    CHECK(item.text->size() == 20);
    TokenBudget again(170);
    Point from = point(1000);
    from.vector.resize(10);
    item = make_item(from, {.vector = true});
    CHECK(again.admit(item));
    CHECK(item.vector.has_value());
    CHECK(item.text_truncated == true);
    CHECK(tokens_of(item) <= 100);
  }
  SECTION("a text whose JSON is longer than itself") {
    TokenBudget budget(170);
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
