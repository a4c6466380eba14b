#include <cmath>
#include <cstring>
#include <map>
#include <random>

#include "service/base64.h"
#include "service/items.h"
#include "world.h"

namespace quiver::service {
namespace {

/// A collection "raw" of three dimensions.
void make_raw(World& world, const char* metric = "cosine") {
  world.ok("collection_create", {{"name", "raw"}, {"dimension", 3}, {"metric", metric}});
}

Json upsert(World& world, const Json& points) {
  return world.ok("vector_upsert", {{"collection", "raw"}, {"points", points}});
}

Json search(World& world, Json request) {
  request["collection"] = "raw";
  return world.ok("vector_search", request);
}

std::vector<Json> ids_of(const Json& list) {
  std::vector<Json> ids;
  for (const auto& entry : list) ids.push_back(entry["id"]);
  return ids;
}

TEST_CASE("vector_upsert: inserts and replaces", "[service]") {
  World world;
  make_raw(world);
  CHECK(upsert(world, {{{"id", 1}, {"vector", {1, 0, 0}}, {"text", "one"}},
                       {{"id", "b"}, {"vector", {0, 1, 0}}, {"metadata", {{"n", 2}}}}}) ==
        Json{{"upserted", 2}, {"created", 2}});
  CHECK(upsert(world, {{{"id", 1}, {"vector", {0, 0, 1}}}, {{"id", 3}, {"vector", {1, 1, 1}}}}) ==
        Json{{"upserted", 2}, {"created", 1}});
  CHECK(world.ok("memory_get", {{"ids", {1, "b"}}, {"collection", "raw"}})["items"] ==
        Json::array({{{"id", 1}}, {{"id", "b"}, {"metadata", {{"n", 2}}}}}));
}

TEST_CASE("vector_upsert: one bad point and nothing is written", "[service]") {
  World world;
  make_raw(world);
  const auto refused = [&](const Json& points) {
    return world.refused("vector_upsert", {{"collection", "raw"}, {"points", points}}).message;
  };
  const Json good = {{"id", 1}, {"vector", {1, 0, 0}}};
  CHECK(
      refused({good, {{"id", 2}, {"vector", {1, 0}}}, {{"id", 3}, {"vector", {0, 0, 0}}}, good}) ==
      "points[1].vector: has 2 dimensions, collection \"raw\" needs 3; "
      "points[2].vector: is all zero, which has no direction for cosine; "
      "points[3].id: 1 is also the id of points[0]");
  CHECK(refused({good, {{"id", -1}, {"vector", {1, "x"}}}}) ==
        "points[1].id: a string or an unsigned 64-bit integer, got -1; "
        "points[1].vector[1]: expected a number, got string");
  CHECK(refused(Json::array()) == "points: must have 1 to 1000 items, got 0");
  CHECK(refused({{{"id", 1}, {"embedding", {1}}}})
            .find("embedding: unknown field; did you mean "
                  "vector?") != std::string::npos);
  CHECK(refused({{{"id", 1}, {"vector", {1, 0, 0}}, {"text", std::string(65537, 'x')}}}) ==
        "points[0].text: must have 0 to 65536 bytes, got 65537");
  CHECK(world.ok("vector_scroll", {{"collection", "raw"}, {"count_only", true}})["count"] == 0);
}

TEST_CASE("vector_upsert: into a collection with an embedder if the dimension is right",
          "[service]") {
  World world;
  world.ok("collection_create", {{"name", "notes"}});
  CHECK(world
            .refused("vector_upsert",
                     {{"collection", "notes"}, {"points", {{{"id", 1}, {"vector", {1, 2}}}}}})
            .message ==
        "points[0].vector: has 2 dimensions, collection \"notes\" needs 7 (embedder words)");
  world.ok("vector_upsert",
           {{"collection", "notes"},
            {"points", {{{"id", 1}, {"vector", WordEmbedder::vector_of("cat")}}}}});
  CHECK(ids_of(world.ok("memory_search", {{"query", "cat"}, {"collection", "notes"}})["hits"]) ==
        std::vector<Json>{1});
}

TEST_CASE("vector_search: nearest first under each metric", "[service]") {
  const std::map<std::string, std::vector<std::pair<int, double>>> expected = {
      {"cosine", {{2, 1.0}, {1, 0.707}, {3, 0.0}}},
      {"dot", {{1, 4.0}, {2, 2.0}, {3, 0.0}}},
      {"euclidean", {{2, -1.0}, {3, -2.236}, {1, -3.0}}},
  };
  for (const auto& [metric, hits] : expected) {
    INFO(metric);
    World world;
    make_raw(world, metric.c_str());
    upsert(world, {{{"id", 1}, {"vector", {2, 2, 0}}},
                   {{"id", 2}, {"vector", {1, 0, 0}}},
                   {{"id", 3}, {"vector", {0, 0, 1}}}});
    if (metric == "euclidean") {
      upsert(world, {{{"id", 1}, {"vector", {5, 0, 0}}}});
    }
    const auto reply = search(world, {{"vector", {2, 0, 0}}});
    REQUIRE(reply["hits"].size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(reply["hits"][i]["id"] == hits[i].first);
      CHECK(reply["hits"][i]["score"].get<double>() == Approx(hits[i].second).margin(1e-9));
    }
  }
}

TEST_CASE("vector_search: hits carry text and metadata, vectors on request", "[service]") {
  World world;
  make_raw(world);
  upsert(world, {{{"id", 1}, {"vector", {0.1, 0, 0}}, {"text", "one"}, {"metadata", {{"n", 1}}}}});
  CHECK(search(world, {{"vector", {1, 0, 0}}}) ==
        Json{{"hits", {{{"id", 1}, {"score", 1.0}, {"text", "one"}, {"metadata", {{"n", 1}}}}}}});
  CHECK(search(world, {{"vector", {1, 0, 0}}, {"include_vector", true}})["hits"][0]["vector"]
            .dump() == "[0.1,0.0,0.0]");
}

TEST_CASE("vector_search: detailed adds times and more of the text", "[service]") {
  World world;
  make_raw(world);
  const std::string text(5000, 'x');
  upsert(world, Json::array({{{"id", 1}, {"vector", {1, 0, 0}}, {"text", text}}}));
  Json request{{"vector", {1, 0, 0}}};
  CHECK_FALSE(search(world, request)["hits"][0].contains("created_at"));
  CHECK(search(world, request)["hits"][0]["text"] == text.substr(0, 1200));
  request["response_format"] = "detailed";
  CHECK(search(world, request)["hits"][0]["created_at"] == "2023-11-14T22:13:20Z");
  CHECK(search(world, request)["hits"][0]["text"] == text.substr(0, 4000));
  const auto listed =
      world.ok("vector_scroll", {{"collection", "raw"}, {"response_format", "detailed"}});
  CHECK(listed["items"][0]["text"] == text.substr(0, 4000));
  CHECK(listed["items"][0]["created_at"] == "2023-11-14T22:13:20Z");
}

TEST_CASE("vector_search: vectors that were asked for stay within the reply", "[service]") {
  World world;
  world.ok("collection_create", {{"name", "wide"}, {"dimension", 4096}});
  std::vector<float> values(4096, 0.123456F);
  for (int id = 0; id < 3; ++id) {
    values[0] = static_cast<float>(id + 1);
    world.ok("vector_upsert",
             {{"collection", "wide"}, {"points", Json::array({{{"id", id}, {"vector", values}}})}});
  }
  Json request{{"collection", "wide"}, {"like_id", 0}, {"include_vector", true}};
  const auto cut = world.ok("vector_search", request);
  CHECK(cut.dump().size() <= kReplyBytes);
  CHECK(cut["hits"].size() == 1);
  CHECK(cut["hits"][0]["vector_omitted"] == true);
  CHECK(cut["truncated"] == true);
  world.engine.reply_bytes = kReplyBytesMax;
  const auto whole = world.ok("vector_search", request);
  CHECK(whole.dump().size() <= kReplyBytesMax);
  CHECK(whole["hits"].size() == 1);
  CHECK(whole["hits"][0]["vector"].size() == 4096);
}

TEST_CASE("vector_search: the vector may be base64 of float32", "[service]") {
  World world;
  make_raw(world);
  upsert(world, {{{"id", 1}, {"vector", {1, 0, 0}}}, {{"id", 2}, {"vector", {0, 1, 0}}}});
  const std::vector<float> query{0.0F, 1.0F, 0.0F};
  std::string bytes(12, '\0');
  std::memcpy(bytes.data(), query.data(), 12);
  CHECK(ids_of(search(world, {{"vector", base64_encode(bytes, Base64::Standard)}})["hits"]) ==
        std::vector<Json>{2, 1});
}

TEST_CASE("vector_search: like_id finds the neighbours of a point, not itself", "[service]") {
  World world;
  make_raw(world);
  upsert(world, {{{"id", "a"}, {"vector", {1, 0, 0}}},
                 {{"id", "b"}, {"vector", {1, 0.1, 0}}},
                 {{"id", "c"}, {"vector", {1, 0.2, 0}}},
                 {{"id", "d"}, {"vector", {0, 1, 0}}}});
  auto reply = search(world, {{"like_id", "b"}, {"limit", 2}});
  CHECK(ids_of(reply["hits"]) == std::vector<Json>{"c", "a"});
  reply = search(world, {{"like_id", "b"}, {"limit", 2}, {"cursor", reply["next_cursor"]}});
  CHECK(ids_of(reply["hits"]) == std::vector<Json>{"d"});
  CHECK_FALSE(reply.contains("next_cursor"));
  CHECK_FALSE(search(world, {{"like_id", "b"}, {"limit", 3}}).contains("next_cursor"));
  const auto error = world.refused("vector_search", {{"collection", "raw"}, {"like_id", 7}});
  CHECK(error.code == ErrorCode::NotFound);
  CHECK(error.message ==
        "like_id: no point 7 in collection \"raw\"; vector_scroll lists the points");
}

TEST_CASE("vector_search: exactness reaches the collection", "[service]") {
  World world;
  make_raw(world);
  search(world, {{"vector", {1, 0, 0}}, {"exact", true}});
  search(world, {{"vector", {1, 0, 0}}, {"ef", 300}, {"limit", 4}});
  const auto& queries = world.collections.at("raw").queries;
  REQUIRE(queries.size() == 2);
  CHECK(queries[0].exact);
  CHECK(queries[0].ef == 0);
  CHECK_FALSE(queries[1].exact);
  CHECK(queries[1].ef == 300);
  CHECK(queries[1].k == 5);
}

TEST_CASE("searches: only what may be partial is, and names what it lacks", "[service]") {
  World world;
  make_raw(world);
  upsert(world, {{{"id", 1}, {"vector", {1, 0, 0}}}});
  world.ok("memory_store", {{"items", {{{"text", "a cat"}}}}});
  world.collections.at("raw").missing = {{2, "shard 2 on server b: it is down"}};
  world.collections.at("memory").missing = {{0, "shard 0 on server c: it is down"}};
  const Json named = {{{"shard", 2}, {"reason", "shard 2 on server b: it is down"}}};
  const auto part = search(world, {{"vector", {1, 0, 0}}, {"allow_partial", true}});
  CHECK(part["missing_shards"] == named);
  CHECK(ids_of(part["hits"]) == std::vector<Json>{1});
  CHECK_FALSE(search(world, {{"vector", {1, 0, 0}}}).contains("missing_shards"));
  const auto memory = world.ok("memory_search", {{"query", "cat"}, {"allow_partial", true}});
  CHECK(memory["missing_shards"][0]["shard"] == 0);
  // Of what is missing nobody knows the fields: a filter that finds nothing may be right.
  const auto none =
      search(world, {{"vector", {1, 0, 0}}, {"filter", {{"nowhere", 1}}}, {"allow_partial", true}});
  CHECK(none["hits"].empty());
  CHECK(none["missing_shards"] == named);
}

TEST_CASE("vector_search: refusals", "[service]") {
  World world;
  make_raw(world);
  const auto refused = [&](Json request) {
    request["collection"] = "raw";
    return world.refused("vector_search", request).message;
  };
  CHECK(refused({{"limit", 5}}) ==
        "arguments: give exactly one of vector and like_id, got neither");
  CHECK(refused({{"vector", {1, 0, 0}}, {"like_id", 1}}) ==
        "arguments: give exactly one of vector and like_id, got both");
  CHECK(refused({{"vector", {1, 0}}}) == "vector: has 2 dimensions, collection \"raw\" needs 3");
  CHECK(refused({{"vector", {1, 0, 0}}, {"exact", true}, {"ef", 100}}) ==
        "ef: has no meaning with exact=true; leave one of them out");
  CHECK(refused({{"vector", {1, 0, 0}}, {"limit", 201}}) ==
        "limit: must be between 1 and 200, got 201");
  CHECK(refused({{"vector", {1, 0, 0}}, {"filter", {{"a", {{"$foo", 1}}}}}})
            .rfind("filter.a.$foo: unknown operator", 0) == 0);
}

TEST_CASE("vector_search: pages through random points as an exact search orders them",
          "[service]") {
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  World world;
  make_raw(world);
  Json points = Json::array();
  for (int i = 0; i < 500; ++i) {
    points.push_back({{"id", i}, {"vector", {normal(random), normal(random), normal(random)}}});
  }
  upsert(world, points);
  const auto all = [&](int limit) {
    std::vector<Json> ids;
    Json request = {{"vector", {1, 2, 3}}, {"limit", limit}};
    while (true) {
      const auto reply = search(world, request);
      for (const auto& id : ids_of(reply["hits"])) ids.push_back(id);
      if (!reply.contains("next_cursor")) return ids;
      request["cursor"] = reply["next_cursor"];
    }
  };
  const auto reference = all(200);
  REQUIRE(reference.size() == 500);
  CHECK(all(7) == reference);
  CHECK(all(100) == reference);
}

TEST_CASE(
    "vector_search: of equally near points none is repeated when the last one read is deleted",
    "[service]") {
  World world;
  make_raw(world);
  Json points = Json::array();
  for (int i = 0; i < 10; ++i) points.push_back({{"id", i}, {"vector", {1, 2, 3}}});
  upsert(world, points);
  Json request = {{"vector", {1, 2, 3}}, {"limit", 4}};
  const auto first = search(world, request);
  CHECK(ids_of(first["hits"]) == std::vector<Json>{0, 1, 2, 3});
  world.ok("memory_delete", {{"collection", "raw"}, {"ids", {3}}});
  request["cursor"] = first["next_cursor"];
  CHECK(ids_of(search(world, request)["hits"]) == std::vector<Json>{4, 5, 6, 7});
}

TEST_CASE("vector_search: paging ends where it would cost too much", "[service]") {
  World world;
  make_raw(world);
  for (int batch = 0; batch < 11; ++batch) {
    Json points = Json::array();
    for (int i = 0; i < (batch < 10 ? 1000 : 1); ++i) {
      points.push_back({{"id", batch * 1000 + i}, {"vector", {1, batch, i}}});
    }
    upsert(world, points);
  }
  Json request = {{"vector", {1, 0, 0}}, {"limit", 200}};
  for (int page = 0; page < 50; ++page) {
    const auto reply = search(world, request);
    REQUIRE(reply["hits"].size() == 200);
    request["cursor"] = reply.at("next_cursor");
  }
  request["collection"] = "raw";
  const auto error = world.refused("vector_search", request);
  CHECK(error.code == ErrorCode::InvalidArgument);
  CHECK(error.message ==
        "cursor: paging ends after 10000 hits; narrow the search with filter and start over "
        "without cursor");
}

TEST_CASE("vector_search: a filter on a field that no point has is told the fields", "[service]") {
  World world;
  make_raw(world);
  upsert(world, {{{"id", 1}, {"vector", {1, 0, 0}}, {"metadata", {{"lang", "rust"}}}}});
  CHECK(world
            .refused("vector_search",
                     {{"collection", "raw"}, {"vector", {1, 0, 0}}, {"filter", {{"lng", "x"}}}})
            .message ==
        "filter field \"lng\" unknown; did you mean \"lang\"? fields: lang (string)");
}

TEST_CASE("vector_search: a reply stays within what clients take", "[service]") {
  World world;
  make_raw(world);
  Json points = Json::array();
  for (int i = 0; i < 200; ++i) {
    points.push_back({{"id", i}, {"vector", {1, i, 0}}, {"text", std::string(5000, 'x')}});
  }
  upsert(world, points);
  const auto reply = search(world, {{"vector", {1, 0, 0}}, {"limit", 200}});
  CHECK(reply.dump().size() <= kReplyBytes);
  CHECK(reply["truncated"] == true);
  CHECK(reply["hits"].size() > 20);
  CHECK(reply["advice"] == "showing " + std::to_string(reply["hits"].size()) +
                               " of 200 hits to bound this reply: go on with cursor, or narrow "
                               "filter");
  CHECK(reply.contains("next_cursor"));
  const auto page = world.ok("vector_scroll", {{"collection", "raw"}, {"limit", 200}});
  CHECK(page.dump().size() <= kReplyBytes);
  CHECK(page["truncated"] == true);
  CHECK(page["advice"] == "showing " + std::to_string(page["items"].size()) +
                              " of 200: go on with cursor, or narrow filter");
  const auto next = world.ok(
      "vector_scroll", {{"collection", "raw"}, {"limit", 200}, {"cursor", page["next_cursor"]}});
  CHECK(next["items"][0]["id"] == page["items"].back()["id"].get<int>() + 1);
}

TEST_CASE("vector_scroll: all points in order of id, integers before strings", "[service]") {
  World world;
  make_raw(world);
  Json points = Json::array();
  for (const Json& id : {Json("b"), Json(10), Json("a"), Json(2), Json("10")}) {
    points.push_back({{"id", id}, {"vector", {1, 0, 0}}, {"metadata", {{"x", id}}}});
  }
  upsert(world, points);
  Json request = {{"collection", "raw"}, {"limit", 2}};
  std::vector<Json> seen;
  auto reply = world.ok("vector_scroll", request);
  CHECK(reply["count"] == 5);
  for (int page = 0; page < 3; ++page) {
    for (const auto& id : ids_of(reply["items"])) seen.push_back(id);
    if (!reply.contains("next_cursor")) break;
    request["cursor"] = reply["next_cursor"];
    reply = world.ok("vector_scroll", request);
    CHECK_FALSE(reply.contains("count"));
  }
  CHECK(seen == std::vector<Json>{2, 10, "10", "a", "b"});
  request["filter"] = {{"x", 2}};
  CHECK(world.refused("vector_scroll", request).message.find("start over without cursor") !=
        std::string::npos);
}

TEST_CASE("vector_scroll: counts and filters", "[service]") {
  World world;
  make_raw(world);
  CHECK(world.ok("vector_scroll", {{"collection", "raw"}}) ==
        Json{{"count", 0}, {"items", Json::array()}});
  Json points = Json::array();
  for (int i = 0; i < 10; ++i) {
    points.push_back({{"id", i}, {"vector", {1, 0, 0}}, {"metadata", {{"n", i}}}});
  }
  upsert(world, points);
  const Json filter = {{"n", {{"$gte", 7}}}};
  CHECK(world.ok("vector_scroll",
                 {{"collection", "raw"}, {"filter", filter}, {"count_only", true}}) ==
        Json{{"count", 3}});
  const auto reply = world.ok("vector_scroll", {{"collection", "raw"}, {"filter", filter}});
  CHECK(reply["count"] == 3);
  CHECK(ids_of(reply["items"]) == std::vector<Json>{7, 8, 9});
  CHECK(world.refused("vector_scroll", {{"collection", "raw"}, {"filter", {{"m", 1}}}}).message ==
        "filter field \"m\" unknown; did you mean \"n\"? fields: n (number)");
  CHECK(
      world.refused("vector_scroll", {{"collection", "raw"}, {"count_only", true}, {"cursor", "x"}})
          .message == "cursor: has no meaning with count_only=true; leave one of them out");
}

TEST_CASE("vector operations: errors of the collection come through", "[service]") {
  World world;
  make_raw(world);
  world.collections.at("raw").fail = Error{ErrorCode::Unavailable, "shard 0 is away"};
  const std::vector<std::pair<std::string, Json>> calls = {
      {"vector_search", {{"vector", {1, 0, 0}}}},
      {"vector_search", {{"like_id", 1}}},
      {"vector_scroll", Json::object()},
      {"vector_upsert", {{"points", {{{"id", 1}, {"vector", {1, 0, 0}}}}}}},
      {"collection_info", Json::object()},
  };
  for (auto [operation, arguments] : calls) {
    arguments["collection"] = "raw";
    CHECK(world.refused(operation, arguments).code == ErrorCode::Unavailable);
    arguments["collection"] = "none";
    CHECK(world.refused(operation, arguments).code == ErrorCode::NotFound);
  }
}

}  // namespace
}  // namespace quiver::service
