#include "world.h"

namespace quiver::service {
namespace {

TEST_CASE("collection_create: for text, with the default embedder unless another is named",
          "[service]") {
  World world;
  CHECK(world.ok("collection_create", {{"name", "notes"}}) ==
        Json{{"name", "notes"}, {"exists", false}, {"dimension", 7}, {"embedder", "words"}});
  CHECK(world.ok("collection_create", {{"name", "notes"}})["exists"] == true);
  CHECK(world.ok("collection_create", {{"name", "named"}, {"embedder", "words"}})["embedder"] ==
        "words");
  CHECK(world.ok("collection_create",
                 {{"name", "both"}, {"embedder", "words"}, {"dimension", 7}})["exists"] == false);
}

TEST_CASE("collection_create: for ready-made vectors, with all settings", "[service]") {
  World world;
  CHECK(world.ok("collection_create", {{"name", "raw"},
                                       {"description", "Pictures"},
                                       {"dimension", 3},
                                       {"metric", "euclidean"},
                                       {"shards", 4},
                                       {"m", 8},
                                       {"ef_construction", 100}}) ==
        Json{{"name", "raw"}, {"exists", false}, {"dimension", 3}});
  const auto& spec = world.collections.at("raw").spec();
  CHECK(spec.description == "Pictures");
  CHECK(spec.metric == Metric::Euclidean);
  CHECK(spec.embedder.empty());
  CHECK(spec.shard_count == 4);
  CHECK(spec.replication_factor == 1);
  CHECK(spec.hnsw == HnswParameters{8, 100});
}

TEST_CASE("collection_create: refusals", "[service]") {
  World world;
  const auto refused = [&](Json arguments) {
    arguments.emplace("name", "notes");
    return world.refused("collection_create", arguments).message;
  };
  CHECK(refused({{"embedder", "ada"}}) == "embedder: one of words, got \"ada\"");
  CHECK(refused({{"embedder", "words"}, {"dimension", 5}}) ==
        "dimension: embedder words gives 7 dimensions, got 5; leave dimension out, or leave "
        "embedder out to store ready-made vectors");
  CHECK(refused({{"name", "my notes"}, {"dimension", 5000}, {"metric", "l2"}}) ==
        "name: must be 1 to 64 of the characters A-Z a-z 0-9 _ -, got \"my notes\"; "
        "dimension: must be between 1 and 4096, got 5000; "
        "metric: must be one of cosine, dot, euclidean, got \"l2\"");
  CHECK(refused({{"shards", 0}}) == "shards: must be between 1 and 1024, got 0");
  CHECK(refused({{"m", 3}, {"ef_construction", 5000}}) ==
        "m: must be between 4 and 64, got 3; ef_construction: must be between 8 and 2000, got "
        "5000");
  CHECK(refused({{"description", std::string(1025, 'x')}}) ==
        "description: must have 0 to 1024 bytes, got 1025");
  CHECK_FALSE(world.collections.has("notes"));
}

TEST_CASE("collection_list: in order of name, page by page", "[service]") {
  World world;
  CHECK(world.ok("collection_list", Json::object()) == Json{{"collections", Json::array()}});
  world.ok("collection_create", {{"name", "c"}, {"dimension", 3}});
  world.ok("collection_create", {{"name", "a"}, {"description", "First"}});
  world.ok("collection_create", {{"name", "b"}});
  world.ok("memory_store", {{"items", {{{"text", "cat"}}}}, {"collection", "a"}});
  CHECK(world.ok("collection_list", Json::object()) ==
        Json{{"collections",
              {{{"name", "a"},
                {"description", "First"},
                {"count", 1},
                {"dimension", 7},
                {"embedder", "words"}},
               {{"name", "b"}, {"count", 0}, {"dimension", 7}, {"embedder", "words"}},
               {{"name", "c"}, {"count", 0}, {"dimension", 3}}}}});
  const auto first = world.ok("collection_list", {{"limit", 2}});
  CHECK(first["collections"].size() == 2);
  const auto second = world.ok("collection_list", {{"limit", 2}, {"cursor", first["next_cursor"]}});
  CHECK(second["collections"].at(0)["name"] == "c");
  CHECK_FALSE(second.contains("next_cursor"));
  CHECK(world.refused("collection_list", {{"cursor", "x"}}).code == ErrorCode::InvalidArgument);
}

TEST_CASE("collection_list: long descriptions are cut, and a reply stays bounded", "[service]") {
  World world;
  const std::string description(1000, 'd');
  for (int i = 0; i < 300; ++i) {
    world.ok(
        "collection_create",
        {{"name", "c" + std::to_string(100 + i)}, {"dimension", 3}, {"description", description}});
  }
  Json request{{"limit", 500}};
  std::size_t seen = 0;
  for (bool more = true; more;) {
    const auto reply = world.ok("collection_list", request);
    CHECK(reply.dump().size() <= kReplyBytes);
    CHECK(reply["collections"][0]["description"] == description.substr(0, 200));
    CHECK(reply["collections"][0]["description_truncated"] == true);
    seen += reply["collections"].size();
    more = reply.contains("next_cursor");
    CHECK(reply.contains("advice") == more);
    if (more) request["cursor"] = reply["next_cursor"];
  }
  CHECK(seen == 300);
  CHECK(world.ok("collection_info", {{"collection", "c100"}})["description"] == description);
}

TEST_CASE("collection_list: one that cannot be read is listed with its problem", "[service]") {
  World world;
  world.ok("collection_create", {{"name", "a"}, {"dimension", 3}});
  world.ok("collection_create", {{"name", "b"}, {"dimension", 3}});
  world.collections.at("a").fail = Error{ErrorCode::Corruption, "a checksum is wrong"};
  world.collections.broken = {"b"};
  CHECK(world.ok("collection_list", Json::object())["collections"] ==
        Json{{{"name", "a"}, {"dimension", 3}, {"problem", "a checksum is wrong"}},
             {{"name", "b"}, {"dimension", 3}, {"problem", "shard 0 is away"}}});
}

TEST_CASE("collection_info: says what is there and what can be filtered", "[service]") {
  World world;
  world.ok("collection_create", {{"name", "notes"}, {"description", "Notes"}});
  const auto store = [&](const std::string& text, const Json& metadata) {
    world.ok("memory_store",
             {{"items", {{{"text", text}, {"metadata", metadata}}}}, {"collection", "notes"}});
  };
  store("a", {{"lang", "en"}, {"author", {{"name", "Ann"}}}});
  store("b", {{"lang", 7}});
  const auto info = world.ok("collection_info", {{"collection", "notes"}});
  CHECK(info["name"] == "notes");
  CHECK(info["description"] == "Notes");
  CHECK(info["count"] == 2);
  CHECK(info["dimension"] == 7);
  CHECK(info["metric"] == "cosine");
  CHECK(info["embedder"] == "words");
  CHECK(info["shards"] == 1);
  CHECK(info["replicas"] == 1);
  CHECK(info["m"] == 16);
  CHECK(info["ef_construction"] == 200);
  CHECK(info["unindexed"] == 0);
  CHECK(info["disk_bytes"] == 8192);
  CHECK(info["created_at"] == "2023-11-14T22:13:20Z");
  REQUIRE(info["fields"].size() == 2);
  CHECK(info["fields"][0] ==
        Json{{"name", "author.name"}, {"types", {"string"}}, {"points", 1}, {"examples", {"Ann"}}});
  CHECK(info["fields"][1]["types"].size() == 2);
  CHECK_FALSE(info.contains("fields_truncated"));
}

TEST_CASE("collection_info: many fields and long examples are cut", "[service]") {
  World world;
  Json metadata = {{"a", std::string(500, 'x')}};
  for (int i = 0; i < 60; ++i) metadata["n" + std::to_string(i)] = i;
  for (const char* text : {"1", "2", "3", "4"}) {
    world.ok("memory_store", {{"items", {{{"text", text}, {"metadata", metadata}}}}});
  }
  const auto info = world.ok("collection_info", {{"collection", "memory"}});
  CHECK(info["fields"].size() == 50);
  CHECK(info["fields_truncated"] == true);
  CHECK(info["fields"][0]["examples"].size() == 3);
  CHECK(info["fields"][0]["examples"][0] == std::string(80, 'x') + "...");
  CHECK(world.refused("collection_info", {{"collection", "x"}}).code == ErrorCode::NotFound);
  CHECK(world.refused("collection_info", Json::object()).message == "collection: required");
}

TEST_CASE("collection_info: what is empty is left out, what is too long is told", "[service]") {
  World world;
  world.ok("collection_create", {{"name", "raw"}, {"dimension", 3}});
  auto info = world.ok("collection_info", {{"collection", "raw"}});
  for (const char* name : {"description", "embedder", "fields", "fields_truncated"}) {
    CHECK_FALSE(info.contains(name));
  }
  Json metadata{{std::string(513, 'k'), 1}, {"short", 1}};
  world.ok("memory_store", {{"items", Json::array({{{"text", "a"}, {"metadata", metadata}}})}});
  info = world.ok("collection_info", {{"collection", "memory"}});
  CHECK(info["fields"].size() == 1);
  CHECK(info["fields"][0]["name"] == "short");
  CHECK(info["fields_truncated"] == true);
  for (int i = 0; i < 45; ++i) metadata[std::to_string(i) + std::string(500, 'k')] = 1;
  world.ok("memory_store", {{"items", Json::array({{{"text", "b"}, {"metadata", metadata}}})}});
  info = world.ok("collection_info", {{"collection", "memory"}});
  CHECK(info.dump().size() <= kReplyBytes);
  CHECK(info["fields_truncated"] == true);
}

TEST_CASE("collection_delete: the name has to be repeated", "[service]") {
  World world;
  world.ok("memory_store", {{"items", {{{"text", "a"}}, {{"text", "b"}}}}});
  const auto error =
      world.refused("collection_delete", {{"collection", "memory"}, {"confirm", "yes"}});
  CHECK(error.code == ErrorCode::InvalidArgument);
  CHECK(error.message == "confirm: must repeat the collection name \"memory\", got \"yes\"");
  CHECK(world.refused("collection_delete", {{"collection", "memory"}}).message ==
        "confirm: required: repeat the collection name \"memory\"");
  CHECK(world.collections.has("memory"));
  CHECK(world.ok("collection_delete", {{"collection", "memory"}, {"confirm", "memory"}}) ==
        Json{{"deleted", true}, {"points", 2}});
  CHECK_FALSE(world.collections.has("memory"));
  CHECK(
      world.refused("collection_delete", {{"collection", "memory"}, {"confirm", "memory"}}).code ==
      ErrorCode::NotFound);
}

TEST_CASE("questions: what a person reads is in the order in which it is", "[service]") {
  CHECK(shown_in_question({{"a", "x\u202ey\u2066z"}}) == R"({"a":"x\u202ey\u2066z"})");
  CHECK(shown_in_question({{"a", "\u00fc\u05d0"}}) == "{\"a\":\"\u00fc\u05d0\"}");
}

TEST_CASE("collection_delete: what a person is asked before", "[service]") {
  World world;
  world.ok("memory_store", {{"items", {{{"text", "a"}}, {{"text", "b"}}}}});
  const Operation& operation = *world.registry.find("collection_delete");
  const auto wanted = operation.confirmation({{"collection", "memory"}});
  REQUIRE(wanted.ok());
  REQUIRE(wanted->has_value());
  const Confirmation& needed = **wanted;
  const auto question = needed.question(world.ok(needed.preview, needed.preview_arguments));
  REQUIRE(question.has_value());
  CHECK(question->text == "Delete the collection \"memory\" for ever, with 2 points?");
  CHECK(question->points == 2);
  CHECK(world.collections.has("memory"));
  CHECK(world.ok("collection_delete", needed.confirmed)["deleted"] == true);

  CHECK(operation.confirmation({{"collection", "memory"}, {"confirm", "memory"}}).ok());
  CHECK_FALSE(operation.confirmation({{"collection", "memory"}, {"confirm", "m"}}).ok());
  CHECK_FALSE(operation.confirmation({{"colection", "memory"}}).ok());
}

}  // namespace
}  // namespace quiver::service
