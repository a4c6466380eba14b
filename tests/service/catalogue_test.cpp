// Rules that hold for every operation, whatever it does.

#include <regex>
#include <set>

#include <catch2/catch.hpp>

#include "service/registry.h"

namespace quiver::service {
namespace {

// {name, description, input_schema} of all operations, as a model is sent them, in bytes of compact
// JSON. The count in tokens is tests/clients' matter; this one needs no tokenizer.
constexpr std::size_t kToolBytesMax = 9800;

void each_schema(const Json& schema, const std::function<void(const Json&)>& visit) {
  if (schema.is_object()) visit(schema);
  for (const auto& child : schema) {
    if (child.is_structured()) each_schema(child, visit);
  }
}

TEST_CASE("catalogue: has the operations of the toolsets, in order of name", "[service]") {
  std::vector<std::string> names;
  const auto registry = catalogue();
  for (const auto& operation : registry.operations()) names.push_back(operation.name);
  CHECK(names == std::vector<std::string>{"cluster_add_node",
                                          "cluster_cancel_operation",
                                          "cluster_force_promote",
                                          "cluster_get_operation",
                                          "cluster_get_shard_distribution",
                                          "cluster_list_force_promotions",
                                          "cluster_list_nodes",
                                          "cluster_move_shard",
                                          "cluster_rebalance",
                                          "cluster_remove_node",
                                          "collection_create",
                                          "collection_delete",
                                          "collection_info",
                                          "collection_list",
                                          "memory_delete",
                                          "memory_get",
                                          "memory_search",
                                          "memory_store",
                                          "vector_scroll",
                                          "vector_search",
                                          "vector_upsert"});
  for (const auto& operation : registry.operations()) {
    const auto prefix = operation.name.substr(0, operation.name.find('_'));
    CHECK((operation.toolset == Toolset::Memory) == (prefix == "memory"));
    CHECK((operation.toolset == Toolset::Collection) == (prefix == "collection"));
    CHECK((operation.toolset == Toolset::Vector) == (prefix == "vector"));
    const bool recovers = operation.name.find("_force_promot") != std::string::npos;
    CHECK((operation.toolset == Toolset::Recovery) == recovers);
    CHECK((operation.toolset == Toolset::Cluster) == (prefix == "cluster" && !recovers));
    CHECK(std::regex_match(operation.name, std::regex("[a-z0-9_]{1,40}")));
    CHECK(!operation.title.empty());
    CHECK(registry.find(operation.name) == &operation);
  }
  CHECK(registry.find("memory") == nullptr);
  CHECK(registry.find("complete") == nullptr);
  CHECK(registry.find("node_status") == nullptr);
  REQUIRE(registry.internal_operations().size() == 2);
  CHECK(registry.find_internal("complete") == &registry.internal_operations().front());
  CHECK(registry.find_internal("node_status") == &registry.internal_operations().back());
}

TEST_CASE("catalogue: who may call what, and what it does", "[service]") {
  struct Expected {
    Access access;
    bool destructive;
  };
  const std::map<std::string, Expected> expected = {
      {"cluster_add_node", {Access::Admin, false}},
      {"cluster_cancel_operation", {Access::Admin, false}},
      {"cluster_force_promote", {Access::Admin, true}},
      {"cluster_get_operation", {Access::Read, false}},
      {"cluster_get_shard_distribution", {Access::Read, false}},
      {"cluster_list_force_promotions", {Access::Read, false}},
      {"cluster_list_nodes", {Access::Read, false}},
      {"cluster_move_shard", {Access::Admin, false}},
      {"cluster_rebalance", {Access::Admin, false}},
      {"cluster_remove_node", {Access::Admin, true}},
      {"collection_create", {Access::Admin, false}},
      {"collection_delete", {Access::Admin, true}},
      {"collection_info", {Access::Read, false}},
      {"collection_list", {Access::Read, false}},
      {"memory_delete", {Access::Write, true}},
      {"memory_get", {Access::Read, false}},
      {"memory_search", {Access::Read, false}},
      {"memory_store", {Access::Write, false}},
      {"vector_scroll", {Access::Read, false}},
      {"vector_search", {Access::Read, false}},
      {"vector_upsert", {Access::Write, false}},
  };
  const auto registry = catalogue();
  for (const auto& operation : registry.operations()) {
    INFO(operation.name);
    CHECK(operation.access == expected.at(operation.name).access);
    CHECK(operation.effects.destructive == expected.at(operation.name).destructive);
    CHECK(operation.effects.idempotent);
    CHECK((operation.confirmation != nullptr) == operation.effects.destructive);
  }
}

TEST_CASE("catalogue: schemas are what the APIs of model vendors take", "[service]") {
  const auto registry = catalogue();
  for (const auto& operation : registry.operations()) {
    INFO(operation.name);
    CHECK(operation.request_schema["type"] == "object");
    CHECK(operation.response_schema["type"] == "object");
    for (const Json* schema : {&operation.request_schema, &operation.response_schema}) {
      each_schema(*schema, [&](const Json& part) {
        for (const char* combinator : {"anyOf", "oneOf", "allOf", "not", "$ref", "if"}) {
          CHECK_FALSE(part.contains(combinator));
        }
        if (part.contains("properties") && part.contains("type") && part["type"] == "object") {
          CHECK(part["additionalProperties"] == false);
        }
      });
    }
  }
}

TEST_CASE("catalogue: defaults are in the schemas", "[service]") {
  const auto registry = catalogue();
  const auto property = [&](const char* operation, const char* name) {
    return registry.find(operation)->request_schema["properties"][name];
  };
  CHECK(property("memory_search", "collection")["default"] == "memory");
  CHECK(property("memory_search", "limit") ==
        Json{{"type", "integer"}, {"minimum", 1}, {"maximum", 50}, {"default", 5}});
  CHECK(property("memory_search", "response_format")["default"] == "concise");
  CHECK(property("vector_search", "limit")["default"] == 10);
  CHECK(property("vector_search", "exact")["default"] == false);
  CHECK(property("vector_scroll", "limit")["default"] == 20);
  CHECK(property("collection_list", "limit")["default"] == 50);
  CHECK(property("collection_create", "metric")["enum"] == Json{"cosine", "dot", "euclidean"});
  CHECK(property("memory_store", "items")["maxItems"] == 256);
  CHECK(property("memory_store", "items")["items"]["required"] == Json{"text"});
  CHECK(property("memory_get", "ids")["items"]["type"] == Json{"string", "integer"});
}

TEST_CASE("catalogue: what a model reads of it stays small", "[service]") {
  Json tools = Json::array();
  const auto registry = catalogue();
  for (const auto& operation : registry.operations()) {
    // Offered in emergencies alone.
    if (operation.toolset == Toolset::Recovery) continue;
    tools.push_back({{"name", operation.name},
                     {"description", operation.description},
                     {"input_schema", listed_schema(operation)}});
  }
  CHECK(tools.dump().size() <= kToolBytesMax);
}

TEST_CASE("catalogue: routes are distinct and take their fields from the request", "[service]") {
  std::set<std::string> routes;
  const auto registry = catalogue();
  for (const auto& operation : registry.operations()) {
    CHECK_FALSE(operation.route.path.empty());
    for (const Route& route : {operation.route, operation.one_route}) {
      const std::string path(route.path);
      if (path.empty()) continue;
      INFO(operation.name << " " << path);
      const bool cluster = operation.name.starts_with("cluster_");
      CHECK(path.starts_with(cluster ? "/v1/cluster/" : "/v1/collections"));
      const std::regex braces(R"(\{([a-z_]+)\})");
      CHECK(routes.insert(std::string(route.method) + " " + std::regex_replace(path, braces, "{}"))
                .second);
      for (std::sregex_iterator it(path.begin(), path.end(), braces), end; it != end; ++it) {
        CHECK(operation.request_schema["properties"].contains((*it)[1].str()));
      }
    }
  }
}

}  // namespace
}  // namespace quiver::service
