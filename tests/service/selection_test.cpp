// What a selection shows, what it says of the rest, and what it refuses whoever asks.

#include "service/selection.h"

#include <set>

#include "world.h"

namespace quiver::service {
namespace {

using Names = std::set<std::string>;

Names shown_by(const Selection& selection) {
  const auto registry = select(catalogue(), selection);
  REQUIRE(registry.ok());
  Names names;
  for (const auto& operation : registry->operations()) names.insert(operation.name);
  return names;
}

Selection only(std::vector<Toolset> toolsets) {
  Selection selection;
  selection.toolsets = std::move(toolsets);
  return selection;
}

Selection read_only() {
  Selection selection;
  selection.read_only = true;
  return selection;
}

const Names kReading{"collection_info", "collection_list", "memory_get",
                     "memory_search",   "vector_scroll",   "vector_search"};
const Names kClusterReading{"cluster_get_operation", "cluster_get_shard_distribution",
                            "cluster_list_force_promotions", "cluster_list_nodes"};

TEST_CASE("selection: all but the cluster's tools unless told otherwise", "[service]") {
  auto expected = Names();
  const auto all = catalogue();
  for (const auto& operation : all.operations()) {
    if (!operation.name.starts_with("cluster_")) expected.insert(operation.name);
  }
  CHECK(shown_by({}) == expected);
  CHECK(shown_by(only({Toolset::Recovery})) ==
        Names{"cluster_force_promote", "cluster_list_force_promotions"});
  CHECK(shown_by(only({Toolset::Cluster})).size() == all.operations().size() - expected.size() - 2);
}

TEST_CASE("selection: the tools of the chosen sets", "[service]") {
  CHECK(shown_by(only({Toolset::Memory})) ==
        Names{"memory_delete", "memory_get", "memory_search", "memory_store"});
  CHECK(shown_by(only({Toolset::Vector, Toolset::Memory, Toolset::Vector})) ==
        Names{"memory_delete", "memory_get", "memory_search", "memory_store", "vector_scroll",
              "vector_search", "vector_upsert"});
}

TEST_CASE("selection: read_only leaves what reads", "[service]") {
  CHECK(shown_by(read_only()) == kReading);
  auto selection = read_only();
  selection.tools["memory_store"].enabled = true;
  CHECK(shown_by(selection) == kReading);
}

TEST_CASE("selection: single tools are hidden, added and described", "[service]") {
  auto selection = only({Toolset::Memory});
  selection.tools["memory_delete"].enabled = false;
  selection.tools["vector_search"].enabled = true;
  selection.tools["memory_get"].description = "Read.";
  CHECK(shown_by(selection) ==
        Names{"memory_get", "memory_search", "memory_store", "vector_search"});
  const auto registry = select(catalogue(), selection);
  CHECK(registry->find("memory_get")->description == "Read.");
  CHECK(registry->find("memory_search")->description ==
        catalogue().find("memory_search")->description);
}

TEST_CASE("selection: it says which setting hides a tool", "[service]") {
  auto selection = only({Toolset::Memory});
  selection.tools["memory_delete"].enabled = false;
  auto registry = select(catalogue(), selection);
  CHECK(registry->find("memory_delete") == nullptr);
  CHECK(registry->unknown("tool", "memory_delete") ==
        "tool memory_delete is switched off: mcp.tools.memory_delete.enabled is false");
  CHECK(registry->unknown("tool", "vector_search") ==
        "tool vector_search is switched off: mcp.toolsets does not name vector");
  CHECK(registry->unknown("tool", "memory_serch") ==
        "there is no tool \"memory_serch\"; did you mean memory_search? (tools: memory_get, "
        "memory_search, memory_store)");
  registry = select(catalogue(), read_only());
  CHECK(registry->unknown("tool", "memory_store") ==
        "tool memory_store is switched off: mcp.read_only is true");
  CHECK(registry->hidden("memory_search") == nullptr);
}

TEST_CASE("selection: choices that make no sense are refused, all at once", "[service]") {
  Selection selection = only({Toolset::Memory, Toolset::Cluster});
  selection.tools["memory_serch"].enabled = true;
  selection.tools["memory_get"].description = "";
  selection.tools["memory_store"].description = std::string(kToolDescriptionBytesMax + 1, 'x');
  const auto refused = select(catalogue(), selection);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::InvalidArgument);
  const auto& text = refused.error().message;
  CHECK(text.find("mcp.tools.memory_serch: there is no such tool; did you mean memory_search?") !=
        std::string::npos);
  CHECK(text.find("mcp.tools.memory_get.description: must be a text of 1 to 2048") !=
        std::string::npos);
  CHECK(text.find("mcp.tools.memory_store.description: ") != std::string::npos);
}

TEST_CASE("selection: a set without tools cannot be chosen", "[service]") {
  const auto refused = select(Registry({}), only({Toolset::Cluster}));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.find("mcp.toolsets: this server has no tools of the set cluster") !=
        std::string::npos);
}

TEST_CASE("selection: writes that were not selected are refused, whichever surface asks",
          "[service]") {
  World world;
  const auto registry = select(catalogue(), read_only());
  SelectedExecutor executor(*registry, world.executor);
  const auto all = catalogue();
  for (const auto& operation : all.operations()) {
    const auto reply = executor.invoke({}, operation.name, Json::object());
    const bool is_refused = !reply.ok() && reply.error().code == ErrorCode::PermissionDenied;
    const bool reads =
        kReading.contains(operation.name) || kClusterReading.contains(operation.name);
    CHECK(is_refused == !reads);
  }
  const auto refused =
      executor.invoke({}, "memory_store", {{"items", Json::array({{{"text", "cat"}}})}});
  CHECK(refused.error().message == "memory_store is switched off: mcp.read_only is true");
  CHECK_FALSE(world.collections.has("memory"));
  CHECK(executor.invoke({}, "complete", {{"kind", "collection"}}).ok());
  CHECK(executor.invoke({}, "dance", Json::object()).error().code == ErrorCode::NotFound);
}

TEST_CASE("selection: what is only not shown can still be read by the server itself", "[service]") {
  World world;
  auto selection = only({Toolset::Memory});
  selection.tools["memory_delete"].enabled = false;
  const auto registry = select(catalogue(), selection);
  SelectedExecutor executor(*registry, world.executor);
  CHECK(executor.invoke({}, "collection_list", Json::object()).ok());
  CHECK(executor.invoke({}, "memory_delete", {{"ids", {1}}}).error().code ==
        ErrorCode::PermissionDenied);
  CHECK(executor.invoke({}, "collection_create", {{"name", "b"}}).ok());
  int heard = 0;
  const auto subscription = executor.subscribe([&](const Change&) { ++heard; });
  world.ok("collection_create", {{"name", "a"}});
  CHECK(heard == 1);
}

}  // namespace
}  // namespace quiver::service
