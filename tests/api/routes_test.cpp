// Which operation a path belongs to: the product's table, and one made to be ambiguous.

#include "api/rest/routes.h"

#include <set>

#include <catch2/catch.hpp>

namespace quiver::api {
namespace {

using Texts = std::vector<std::string>;

std::string found(const Routes& routes, const std::string& method, const Texts& segments) {
  const auto match = routes.find(method, segments);
  return match.route == nullptr ? "" : match.route->operation->name;
}

service::Operation named(const std::string& name, service::Route route) {
  service::Operation out;
  out.name = name;
  out.route = route;
  return out;
}

TEST_CASE("routes: every operation of the product has one, and they are distinct", "[api]") {
  const auto registry = service::catalogue();
  const Routes routes(registry);
  std::set<std::string> operations;
  std::set<std::pair<std::string, std::string>> places;
  for (const auto& route : routes.all()) {
    operations.insert(route.operation->name);
    CHECK(places.emplace(route.method, route.path).second);
    CHECK(route.path.starts_with("/api/v1/"));
    // Methods without a body are for what changes nothing, or removes.
    CHECK((route.method == "GET") ==
          (route.operation->access == service::Access::Read && !takes_body(route.method)));
    Texts segments = route.segments;
    for (auto& segment : segments) {
      if (segment.front() == '{') segment = "some value";
    }
    const auto match = routes.find(route.method, segments);
    REQUIRE(match.route == &route);
    CHECK(match.fields.size() == route.path_fields().size());
  }
  CHECK(operations.size() == registry.operations().size());
}

TEST_CASE("routes: those that administration relies on", "[api]") {
  const auto registry = service::catalogue();
  const Routes routes(registry);
  const Texts nodes{"api", "v1", "cluster", "nodes"};
  const Texts one{"api", "v1", "cluster", "nodes", "n-1"};
  CHECK(found(routes, "GET", nodes) == "cluster_list_nodes");
  CHECK(found(routes, "POST", nodes) == "cluster_add_node");
  CHECK(found(routes, "GET", one) == "cluster_list_nodes");
  CHECK(found(routes, "DELETE", one) == "cluster_remove_node");
  CHECK(found(routes, "GET", {"api", "v1", "cluster", "shard-distribution"}) ==
        "cluster_get_shard_distribution");
  CHECK(found(routes, "POST", {"api", "v1", "cluster", "rebalance"}) == "cluster_rebalance");
  CHECK(found(routes, "POST", {"api", "v1", "cluster", "moves"}) == "cluster_move_shard");
  CHECK(found(routes, "POST", {"api", "v1", "cluster", "force-promotions"}) ==
        "cluster_force_promote");
  CHECK(found(routes, "GET", {"api", "v1", "cluster", "operations", "op-1"}) ==
        "cluster_get_operation");
  const auto match = routes.find("DELETE", one);
  CHECK(match.fields == std::vector<std::pair<std::string, std::string>>{{"node_id", "n-1"}});
  CHECK(match.methods == Texts{"DELETE", "GET"});
}

TEST_CASE("routes: nothing at other paths, and the methods of known ones", "[api]") {
  const auto registry = service::catalogue();
  const Routes routes(registry);
  CHECK(routes.find("GET", {"api", "v1", "cluster", "nodes", ""}).methods.empty());
  CHECK(routes.find("GET", {"api", "v1", "cluster"}).methods.empty());
  CHECK(routes.find("GET", {"v1", "cluster", "nodes"}).methods.empty());
  CHECK(routes.find("GET", {"api", "v1", "Cluster", "nodes"}).methods.empty());
  CHECK(routes.find("GET", {}).methods.empty());
  const auto patch = routes.find("PATCH", {"api", "v1", "cluster", "nodes"});
  CHECK(patch.route == nullptr);
  CHECK(patch.methods == Texts{"GET", "POST"});
  CHECK(found(routes, "get", {"api", "v1", "cluster", "nodes"}).empty());
}

TEST_CASE("routes: a name written out wins over a field", "[api]") {
  const service::Registry registry({named("by_id", {"GET", "/v1/things/{id}"}),
                                    named("a_count", {"GET", "/v1/things/count"}),
                                    named("unrouted", {})});
  const Routes routes(registry);
  CHECK(routes.all().size() == 2);
  CHECK(found(routes, "GET", {"api", "v1", "things", "count"}) == "a_count");
  CHECK(found(routes, "GET", {"api", "v1", "things", "counts"}) == "by_id");
}

TEST_CASE("routes: which methods take a body", "[api]") {
  for (const char* method : {"POST", "PUT", "PATCH"}) CHECK(takes_body(method));
  for (const char* method : {"GET", "HEAD", "DELETE", "OPTIONS", ""})
    CHECK_FALSE(takes_body(method));
}

}  // namespace
}  // namespace quiver::api
