// Completion compared with a list of all names, sorted and filtered here.

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "world.h"

namespace quiver::service {
namespace {

using Texts = std::vector<std::string>;

void add_points(World& world, const std::vector<Json>& ids) {
  world.ok("collection_create", {{"name", "raw"}, {"dimension", 2}});
  Json points = Json::array();
  for (const auto& id : ids) points.push_back({{"id", id}, {"vector", {1, 0}}});
  world.ok("vector_upsert", {{"collection", "raw"}, {"points", points}});
}

Json complete_points(World& world, const std::string& prefix, int limit = 100) {
  return world.ok("complete",
                  {{"kind", "point"}, {"collection", "raw"}, {"prefix", prefix}, {"limit", limit}});
}

TEST_CASE("complete: names of collections", "[service]") {
  World world;
  for (const char* name : {"docs", "dogs", "cats"}) {
    world.ok("collection_create", {{"name", name}, {"dimension", 2}});
  }
  CHECK(world.ok("complete", {{"kind", "collection"}, {"prefix", "do"}}) ==
        Json{{"values", {"docs", "dogs"}}, {"total", 2}, {"has_more", false}});
  CHECK(world.ok("complete", {{"kind", "collection"}, {"limit", 1}}) ==
        Json{{"values", Json::array({"cats"})}, {"total", 3}, {"has_more", true}});
  CHECK(world.ok("complete", {{"kind", "collection"}, {"prefix", "x"}}) ==
        Json{{"values", Json::array()}, {"total", 0}, {"has_more", false}});
}

TEST_CASE("complete: fields of a collection", "[service]") {
  World world;
  world.ok(
      "memory_store",
      {{"items",
        Json::array({{{"text", "cat"}, {"metadata", {{"lang", "en"}, {"last", {{"day", 1}}}}}}})}});
  CHECK(world.ok("complete", {{"kind", "field"}, {"collection", "memory"}, {"prefix", "la"}}) ==
        Json{{"values", {"lang", "last.day"}}, {"total", 2}, {"has_more", false}});
}

TEST_CASE("complete: ids of points, whatever their kind", "[service]") {
  World world;
  const std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
  const std::vector<Json> ids{0,           1,    12,    120, 129, 13,          1200,   199, largest,
                              largest - 9, "12", "12a", "1", "a", "caf\u00e9", "cafe", "0", "00"};
  add_points(world, ids);
  const auto expected = [&](const std::string& prefix) {
    std::vector<std::uint64_t> numbers;
    Texts texts;
    for (const auto& id : ids) {
      const std::string text = id.is_string() ? id.get<std::string>() : id.dump();
      if (!text.starts_with(prefix)) continue;
      if (id.is_string()) {
        texts.push_back(text);
      } else {
        numbers.push_back(id.get<std::uint64_t>());
      }
    }
    // Of each number of digits the smaller first, then the strings.
    std::sort(numbers.begin(), numbers.end());
    std::sort(texts.begin(), texts.end());
    Texts all;
    for (const auto number : numbers) all.push_back(std::to_string(number));
    // A string that looks like an integer is told from it by its quotation marks.
    for (const auto& text : texts) {
      const bool looks_like_one = text == "0" || text == "1" || text == "12";
      all.push_back(looks_like_one ? '"' + text + '"' : text);
    }
    return all;
  };
  for (const char* prefix : {"", "0", "00", "1", "12", "120", "1200", "2", "18446744073709551615",
                             "1844674407370955161", "18446744073709551616", "9", "a", "caf", "x"}) {
    INFO(prefix);
    const auto reply = complete_points(world, prefix);
    CHECK(reply["values"].get<Texts>() == expected(prefix));
    CHECK(reply["total"] == expected(prefix).size());
    CHECK(reply["has_more"] == false);
  }
}

TEST_CASE("complete: ids that are typed as JSON", "[service]") {
  World world;
  add_points(world, {1, 12, "1", "12", "12a", "say \"x\"", "\"q", "b"});
  const auto values = [&](const std::string& prefix) {
    return complete_points(world, prefix)["values"].get<Texts>();
  };
  CHECK(values("\"1") == Texts{"\"1\"", "\"12\"", "\"12a\""});
  CHECK(values("\"12\"") == Texts{"\"12\""});
  CHECK(values("\"12b\"").empty());
  CHECK(values("\"\"").empty());
  CHECK(values("\"say \\\"") == Texts{R"("say \"x\"")"});
  CHECK(values("\"\\").empty());
  CHECK(values("\"\\\"") == Texts{R"("\"q")"});
  CHECK(values("\"").size() == 6);
  for (const auto& value : values("\"")) CHECK(value.starts_with('"'));
}

TEST_CASE("complete: no more values than asked for", "[service]") {
  World world;
  std::vector<Json> ids;
  for (int i = 0; i < 300; ++i) ids.push_back(i);
  for (int i = 0; i < 300; ++i) ids.push_back("p" + std::to_string(1000 + i));
  add_points(world, ids);
  for (const char* prefix : {"", "1", "p1", "p"}) {
    const auto reply = complete_points(world, prefix);
    CHECK(reply["values"].size() == 100);
    CHECK(reply["has_more"] == true);
    CHECK_FALSE(reply.contains("total"));
  }
  CHECK(complete_points(world, "p", 2)["values"] == Json{"p1000", "p1001"});
  CHECK(complete_points(world, "p1299", 1) ==
        Json{{"values", Json::array({"p1299"})}, {"total", 1}, {"has_more", false}});
}

TEST_CASE("complete: what is asked must make sense", "[service]") {
  World world;
  CHECK(world.refused("complete", {{"kind", "point"}}).message == "collection: required");
  CHECK(world.refused("complete", {{"kind", "collection"}, {"collection", "a"}})
            .message.starts_with("collection: has no meaning"));
  CHECK(world.refused("complete", {{"kind", "point"}, {"collection", "none"}}).code ==
        ErrorCode::NotFound);
  CHECK(world.refused("complete", {{"kind", "collection"}, {"limit", 101}}).code ==
        ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace quiver::service
