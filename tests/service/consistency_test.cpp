// How new a read must be reaches the collection as the request says it, and nothing else does.

#include "world.h"

namespace quiver::service {
namespace {

using Levels = std::vector<std::optional<ReadLevel>>;

/// The levels of the reads of one call.
Levels levels_of(World& world, const char* operation, const Json& arguments) {
  auto& levels = world.collections.at("notes").levels;
  levels.clear();
  world.ok(operation, arguments);
  return levels;
}

void make_notes(World& world) {
  world.ok("collection_create", {{"name", "notes"}});
  world.ok("memory_store",
           {{"collection", "notes"}, {"items", {{{"text", "a cat"}, {"id", "cat"}}}}});
}

TEST_CASE("consistency: reads go to the collection as they are asked for", "[service]") {
  World world;
  make_notes(world);
  const Json vector = {1, 0, 0, 0, 0, 0, 0};
  const std::vector<std::pair<const char*, Json>> reads{
      {"memory_search", {{"query", "cat"}}},
      {"memory_get", {{"ids", {"cat"}}}},
      {"vector_search", {{"vector", vector}}},
      {"vector_search", {{"like_id", "cat"}}},
      {"vector_scroll", Json::object()},
      {"vector_scroll", {{"count_only", true}}},
      // Looks at the fields, too.
      {"memory_search", {{"query", "cat"}, {"filter", {{"lang", "c"}}}}}};
  for (const auto& [operation, base] : reads) {
    INFO(operation << " " << base.dump());
    Json arguments = base;
    arguments["collection"] = "notes";
    if (arguments.contains("filter")) {
      arguments["consistency"] = "session";
      auto& levels = world.collections.at("notes").levels;
      levels.clear();
      world.refused(operation, arguments);
      for (const auto& level : levels) CHECK(level == ReadLevel::Session);
      continue;
    }
    for (const auto& level : levels_of(world, operation, arguments)) {
      CHECK(level == std::nullopt);
    }
    for (const auto wanted : {ReadLevel::Linearizable, ReadLevel::Session, ReadLevel::Eventual}) {
      arguments["consistency"] = name(wanted);
      const auto levels = levels_of(world, operation, arguments);
      CHECK_FALSE(levels.empty());
      for (const auto& level : levels) CHECK(level == wanted);
    }
  }
}

TEST_CASE("consistency: what decides about a write is the newest", "[service]") {
  World world;
  make_notes(world);
  CHECK(levels_of(world, "memory_store",
                  {{"collection", "notes"}, {"items", {{{"text", "a dog"}}}}}) ==
        Levels{ReadLevel::Linearizable});
  for (const auto& level :
       levels_of(world, "memory_delete", {{"collection", "notes"}, {"ids", {"cat"}}})) {
    CHECK(level == ReadLevel::Linearizable);
  }
}

TEST_CASE("consistency: a collection has a default, which its description shows", "[service]") {
  World world;
  world.ok("collection_create", {{"name", "notes"}, {"consistency", "session"}});
  CHECK(world.collections.at("notes").spec().read_level == ReadLevel::Session);
  CHECK(world.ok("collection_info", {{"collection", "notes"}})["consistency"] == "session");
  world.ok("collection_create", {{"name", "other"}});
  CHECK(world.collections.at("other").spec().read_level == std::nullopt);
  CHECK_FALSE(world.ok("collection_info", {{"collection", "other"}}).contains("consistency"));
}

TEST_CASE("consistency: another word is refused, and the right ones are named", "[service]") {
  World world;
  make_notes(world);
  CHECK(world
            .refused("memory_search",
                     {{"collection", "notes"}, {"query", "cat"}, {"consistency", "strong"}})
            .message ==
        "consistency: must be one of linearizable, session, eventual, got \"strong\"");
}

TEST_CASE("consistency: schemas have it, and models are spared it", "[service]") {
  const auto registry = catalogue();
  std::size_t have = 0;
  for (const auto& operation : registry.operations()) {
    INFO(operation.name);
    const Json listed = listed_schema(operation);
    CHECK_FALSE(listed["properties"].contains("consistency"));
    Json whole = operation.request_schema;
    if (!whole["properties"].contains("consistency")) {
      CHECK(listed == whole);
      continue;
    }
    ++have;
    CHECK(whole["properties"]["consistency"]["enum"] ==
          Json{"linearizable", "session", "eventual"});
    whole["properties"].erase("consistency");
    CHECK(listed == whole);
  }
  CHECK(have == 5);
}

}  // namespace
}  // namespace quiver::service
