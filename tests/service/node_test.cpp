// The operations over real shards in a directory: what the fakes cannot show, such as restarts,
// several shards, and the words of the cluster's own refusals.

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

#include "cluster/local_collections.h"
#include "tests/support/temp_dir.h"
#include "world.h"

namespace quiver::service {
namespace {

class Node {
 public:
  Node() { start(); }

  void restart() {
    executor_.reset();
    engine_.reset();
    collections_.reset();
    start();
  }
  Json ok(std::string_view operation, const Json& arguments) {
    auto reply = executor_->invoke(call, operation, arguments);
    INFO(operation << " " << arguments.dump().substr(0, 500));
    if (!reply.ok()) FAIL(reply.error().message);
    return *reply;
  }
  Error refused(std::string_view operation, const Json& arguments) {
    auto reply = executor_->invoke(call, operation, arguments);
    INFO(operation << " " << arguments.dump().substr(0, 500));
    if (reply.ok()) FAIL("was not refused: " << reply->dump());
    return reply.error();
  }

  CallContext call;
  ManualClock clock;

 private:
  void start() {
    collections_ =
        std::make_unique<cluster::LocalCollections>(dir_.path(), storage::Options{}, clock);
    const auto find = [this](std::string_view) -> Result<embedding::Provider*> {
      return &embedder_;
    };
    engine_.reset(new Engine{*collections_, find, "words", clock});
    executor_ = std::make_unique<LocalExecutor>(registry_, *engine_);
  }

  TempDir dir_;
  WordEmbedder embedder_;
  const Registry registry_ = catalogue();
  std::unique_ptr<cluster::LocalCollections> collections_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<LocalExecutor> executor_;
};

std::vector<Json> ids_of(const Json& list) {
  std::vector<Json> ids;
  for (const auto& entry : list) ids.push_back(entry["id"]);
  return ids;
}

TEST_CASE("node: memories survive a restart", "[service][node]") {
  Node node;
  const auto stored = node.ok(
      "memory_store", {{"items",
                        {{{"text", "a cat"}, {"metadata", {{"lang", "en"}, {"year", 2024}}}},
                         {{"text", "a red fish"}, {"id", 7}}}}});
  const Json query = {{"query", "cat"}, {"response_format", "detailed"}};
  const auto before = node.ok("memory_search", query);
  node.restart();
  CHECK(node.ok("memory_search", query) == before);
  CHECK(before["hits"][0]["text"] == "a cat");
  CHECK(before["hits"][0]["score"] == 1.0);
  CHECK(before["hits"][0]["created_at"] == "2023-11-14T22:13:20Z");
  CHECK(
      node.ok("memory_store",
              {{"items", {{{"text", "a cat"}, {"metadata", {{"lang", "en"}, {"year", 2024}}}}}}}) ==
      Json{{"stored", 0}, {"ids", {stored["ids"][0]}}, {"updated", 0}, {"duplicates", 1}});
  CHECK(node.ok("memory_get", {{"ids", {7, "7"}}})["missing"] == Json{"7"});
}

TEST_CASE("node: a repeated request takes effect once", "[service][node]") {
  Node node;
  node.ok("collection_create", {{"name", "raw"}, {"dimension", 2}, {"shards", 3}});
  const auto upsert = [&](float x) {
    Json points = Json::array();
    for (int i = 0; i < 20; ++i) points.push_back({{"id", i}, {"vector", {x, 1}}});
    return node.ok("vector_upsert", {{"collection", "raw"}, {"points", points}});
  };
  node.call.request_id = RequestId::random();
  const auto first = node.call;
  CHECK(upsert(1) == Json{{"upserted", 20}, {"created", 20}});
  node.call = {};
  CHECK(upsert(2) == Json{{"upserted", 20}, {"created", 0}});
  node.call = first;
  CHECK(upsert(1) == Json{{"upserted", 20}, {"created", 20}});
  node.call = {};
  const auto hit = node.ok("vector_search", {{"collection", "raw"},
                                             {"vector", {2, 1}},
                                             {"limit", 1},
                                             {"include_vector", true}})["hits"][0];
  CHECK(hit["score"] == 1.0);
}

TEST_CASE("node: pages of a search over shards are what an exact search finds", "[service][node]") {
  constexpr int kPoints = 1500;
  std::mt19937 random(9);
  std::normal_distribution<float> normal;
  Node node;
  node.ok("collection_create",
          {{"name", "raw"}, {"dimension", 4}, {"shards", 3}, {"metric", "euclidean"}});
  std::vector<std::vector<float>> vectors;
  for (int from = 0; from < kPoints; from += 500) {
    Json points = Json::array();
    for (int i = from; i < from + 500; ++i) {
      vectors.push_back({normal(random), normal(random), normal(random), normal(random)});
      points.push_back({{"id", i}, {"vector", vectors.back()}, {"metadata", {{"third", i % 3}}}});
    }
    node.ok("vector_upsert", {{"collection", "raw"}, {"points", points}});
  }
  const auto distance = [&](int i) {
    float sum = 0;
    for (const float x : vectors[static_cast<std::size_t>(i)]) sum += (x - 0.5F) * (x - 0.5F);
    return sum;
  };
  std::vector<int> expected;
  for (int i = 1; i < kPoints; i += 3) expected.push_back(i);
  std::sort(expected.begin(), expected.end(),
            [&](int a, int b) { return distance(a) < distance(b); });

  std::vector<int> found;
  Json request = {{"collection", "raw"},
                  {"vector", {0.5, 0.5, 0.5, 0.5}},
                  {"filter", {{"third", 1}}},
                  {"exact", true},
                  {"limit", 70}};
  for (bool more = true; more;) {
    const auto reply = node.ok("vector_search", request);
    for (const auto& hit : reply["hits"]) {
      found.push_back(hit["id"].get<int>());
      CHECK(hit["score"].get<double>() == Approx(-std::sqrt(distance(found.back()))).margin(0.001));
    }
    more = reply.contains("next_cursor");
    if (more) request["cursor"] = reply["next_cursor"];
  }
  CHECK(found == expected);
}

TEST_CASE("node: points of all shards are listed in order and counted", "[service][node]") {
  Node node;
  node.ok("collection_create", {{"name", "raw"}, {"dimension", 2}, {"shards", 4}});
  Json points = Json::array();
  std::vector<Json> expected;
  for (int i = 0; i < 40; ++i) expected.push_back(i * 7);
  for (const char* id : {"10", "a", "b"}) expected.push_back(id);
  for (const auto& id : expected) {
    points.push_back({{"id", id}, {"vector", {1, 2}}, {"metadata", {{"text", id.is_string()}}}});
  }
  node.ok("vector_upsert", {{"collection", "raw"}, {"points", points}});
  std::vector<Json> seen;
  Json request = {{"collection", "raw"}, {"limit", 9}};
  for (bool more = true; more;) {
    const auto reply = node.ok("vector_scroll", request);
    CHECK(reply.value("count", 43) == 43);
    for (const auto& id : ids_of(reply["items"])) seen.push_back(id);
    more = reply.contains("next_cursor");
    if (more) request["cursor"] = reply["next_cursor"];
  }
  CHECK(seen == expected);
  CHECK(node.ok("vector_scroll", {{"collection", "raw"},
                                  {"filter", {{"text", true}}},
                                  {"count_only", true}})["count"] == 3);
  CHECK(node.ok("memory_delete", {{"collection", "raw"}, {"filter", {{"text", false}}}}) ==
        Json{{"deleted", 0}, {"matched", 40}, {"dry_run", true}});
  CHECK(node.ok("memory_delete", {{"collection", "raw"},
                                  {"filter", {{"text", false}}},
                                  {"dry_run", false}})["deleted"] == 40);
  CHECK(node.ok("collection_list", Json::object())["collections"][0]["count"] == 3);
}

TEST_CASE("node: neighbours of a point", "[service][node]") {
  Node node;
  node.ok("memory_store", {{"items",
                            {{{"text", "cat"}, {"id", 1}},
                             {{"text", "cat dog"}, {"id", 2}},
                             {{"text", "fish"}, {"id", 3}}}}});
  const auto reply =
      node.ok("vector_search", {{"collection", "memory"}, {"like_id", 1}, {"limit", 1}});
  CHECK(ids_of(reply["hits"]) == std::vector<Json>{2});
  CHECK(reply["hits"][0]["score"] == 0.707);
}

TEST_CASE("node: memories with a time to live are forgotten", "[service][node]") {
  Node node;
  node.ok("memory_store", {{"items", {{{"text", "cat"}, {"id", 1}}}}, {"ttl_seconds", 10}});
  node.ok("memory_store", {{"items", {{{"text", "cat"}, {"id", 2}}}}});
  node.clock.advance_ms(10'000);
  CHECK(ids_of(node.ok("memory_search", {{"query", "cat"}})["hits"]) == std::vector<Json>{2});
  CHECK(node.ok("memory_get", {{"ids", {1, 2}}})["missing"] == Json{1});
}

TEST_CASE("node: the metadata that filters can use is described", "[service][node]") {
  Node node;
  node.ok("memory_store",
          {{"items",
            {{{"text", "cat"}, {"metadata", {{"lang", "rust"}, {"year", 2024}, {"ok", true}}}},
             {{"text", "dog"}, {"metadata", {{"lang", "go"}, {"by", {{"name", "Ann"}}}}}},
             {{"text", "fish"}, {"metadata", {{"lang", "go"}}}}}}});
  const auto info = node.ok("collection_info", {{"collection", "memory"}});
  CHECK(info["count"] == 3);
  CHECK(info["embedder"] == "words");
  CHECK(info["disk_bytes"] > 0);
  const auto lang = std::find_if(info["fields"].begin(), info["fields"].end(),
                                 [](const Json& field) { return field["name"] == "lang"; });
  REQUIRE(lang != info["fields"].end());
  CHECK(*lang ==
        Json{{"name", "lang"}, {"types", {"string"}}, {"points", 3}, {"examples", {"go", "rust"}}});
  const auto message =
      node.refused("memory_search", {{"query", "cat"}, {"filter", {{"lng", "go"}}}}).message;
  CHECK(message.rfind(
            "filter field \"lng\" unknown; did you mean \"lang\"? fields: lang (string), ", 0) ==
        0);
  CHECK(message.find("by.name (string)") != std::string::npos);
  CHECK(message.find("year (number)") != std::string::npos);
}

TEST_CASE("node: collections are made once and found by name", "[service][node]") {
  Node node;
  CHECK(node.ok("collection_create", {{"name", "docs"}})["exists"] == false);
  CHECK(node.ok("collection_create", {{"name", "docs"}})["exists"] == true);
  const auto differs = node.refused("collection_create", {{"name", "docs"}, {"metric", "dot"}});
  CHECK(differs.code == ErrorCode::AlreadyExists);
  CHECK(differs.message.find("metric") != std::string::npos);
  CHECK(node.refused("collection_create", {{"name", "more"}, {"replicas", 2}}).code ==
        ErrorCode::FailedPrecondition);
  const auto missing = node.refused("memory_search", {{"query", "cat"}, {"collection", "docz"}});
  CHECK(missing.code == ErrorCode::NotFound);
  CHECK(missing.message.find("Did you mean \"docs\"?") != std::string::npos);
  CHECK(node.ok("collection_delete", {{"collection", "docs"}, {"confirm", "docs"}}) ==
        Json{{"deleted", true}, {"points", 0}});
  node.refused("collection_info", {{"collection", "docs"}});
}

TEST_CASE("node: a bad vector is refused by index before anything is written", "[service][node]") {
  Node node;
  node.ok("collection_create", {{"name", "raw"}, {"dimension", 2}});
  CHECK(node.refused(
                "vector_upsert",
                {{"collection", "raw"},
                 {"points", {{{"id", 1}, {"vector", {1, 2}}}, {{"id", 2}, {"vector", {1, 2, 3}}}}}})
            .message == "points[1].vector: has 3 dimensions, collection \"raw\" needs 2");
  CHECK(node.refused("vector_search", {{"collection", "raw"}, {"vector", {0, 0}}}).code ==
        ErrorCode::InvalidArgument);
  CHECK(node.ok("vector_scroll", {{"collection", "raw"}, {"count_only", true}})["count"] == 0);
}

}  // namespace
}  // namespace quiver::service
