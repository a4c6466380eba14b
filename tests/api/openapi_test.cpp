// The description of the surface against the rules of OpenAPI 3.1 that can be checked without a
// validator, and against the routes themselves.

#include "api/rest/openapi.h"

#include <functional>
#include <regex>
#include <set>

#include "site.h"

namespace quiver::api {
namespace {

using test::Site;

Json described(Site& site) {
  const auto response = site.send("GET", "/api/v1/openapi.json");
  REQUIRE(response.status == 200);
  CHECK(response.headers.at("content-type") == "application/json");
  return Json::parse(response.body);
}

void each_object(const Json& json, const std::function<void(const Json&)>& visit) {
  if (json.is_object()) visit(json);
  for (const Json& child : json) {
    if (child.is_structured()) each_object(child, visit);
  }
}

/// The operation objects, by "get /path".
std::map<std::string, Json> operations_of(const Json& document) {
  static const std::set<std::string> methods{"get",   "put",     "post", "delete",
                                             "patch", "options", "head", "trace"};
  std::map<std::string, Json> out;
  for (const auto& path : document.at("paths").items()) {
    CHECK(path.key().starts_with('/'));
    for (const auto& operation : path.value().items()) {
      REQUIRE(methods.contains(operation.key()));
      out[operation.key() + " " + path.key()] = operation.value();
    }
  }
  return out;
}

std::set<std::string> braces_of(const std::string& path) {
  static const std::regex braces(R"(\{([a-z_]+)\})");
  std::set<std::string> names;
  for (std::sregex_iterator it(path.begin(), path.end(), braces), end; it != end; ++it) {
    names.insert((*it)[1].str());
  }
  return names;
}

TEST_CASE("OpenAPI: names every route, and nothing else", "[api]") {
  Site site;
  const Json document = described(site);
  CHECK(document.at("openapi") == "3.1.0");
  CHECK(document.at("info").at("title") == "Quiver");
  CHECK(document.at("info").at("version") == "1.2.3");
  std::set<std::string> expected{"get /healthz", "get /readyz", "get /metrics"};
  const Routes routes(site.all);
  for (const auto& route : routes.all()) {
    std::string method = route.method;
    for (char& c : method) c = static_cast<char>(c - 'A' + 'a');
    expected.insert(method + " " + route.path);
  }
  std::set<std::string> named;
  for (const auto& [name, operation] : operations_of(document)) named.insert(name);
  CHECK(named == expected);
}

TEST_CASE("OpenAPI: is one by the rules of the specification", "[api]") {
  Site site;
  const Json document = described(site);
  std::set<std::string> ids;
  for (const auto& [name, operation] : operations_of(document)) {
    INFO(name);
    CHECK(ids.insert(operation.at("operationId")).second);
    CHECK_FALSE(operation.at("responses").empty());
    std::set<std::string> in_path;
    std::set<std::pair<std::string, std::string>> parameters;
    for (const Json& parameter : operation.value("parameters", Json::array())) {
      if (parameter.contains("$ref")) continue;
      const auto place = parameter.at("in").get<std::string>();
      CHECK((place == "path" || place == "query"));
      CHECK(parameters.emplace(place, parameter.at("name")).second);
      // One of the two, never both.
      CHECK(parameter.contains("schema") != parameter.contains("content"));
      if (place != "path") continue;
      CHECK(parameter.at("required") == true);
      in_path.insert(parameter.at("name"));
    }
    CHECK(in_path == braces_of(name));
    const bool with_body = name.starts_with("post ") || name.starts_with("put ");
    CHECK(operation.contains("requestBody") == with_body);
  }
  // Every reference leads somewhere.
  each_object(document, [&](const Json& part) {
    const auto reference = part.find("$ref");
    if (reference == part.end()) return;
    const auto text = reference->get<std::string>();
    REQUIRE(text.starts_with("#/"));
    CHECK(document.contains(Json::json_pointer(text.substr(1))));
  });
}

TEST_CASE("OpenAPI: fields are where the request has them", "[api]") {
  Site site;
  const auto all = operations_of(described(site));
  const Json& create = all.at("put /api/v1/collections/{name}");
  const Json& body = create.at("requestBody").at("content").at("application/json").at("schema");
  CHECK_FALSE(body.at("properties").contains("name"));
  CHECK(body.at("properties").contains("dimension"));
  CHECK_FALSE(body.contains("required"));
  CHECK(create.at("requestBody").at("required") == false);
  CHECK(create.at("tags") == Json::array({"collection"}));

  const Json& upsert = all.at("post /api/v1/collections/{collection}/points").at("requestBody");
  CHECK(upsert.at("required") == true);
  CHECK(upsert.at("content").at("application/json").at("schema").at("required") ==
        Json::array({"points"}));

  std::map<std::string, Json> list;
  for (const Json& parameter : all.at("get /api/v1/collections").at("parameters")) {
    if (parameter.contains("name")) list[parameter.at("name")] = parameter;
  }
  CHECK(list.at("limit").at("schema").at("default") == 50);
  CHECK(list.at("limit").at("required") == false);
  CHECK(list.at("cursor").contains("description"));

  CHECK(all.at("get /api/v1/cluster/nodes").at("operationId") == "cluster_list_nodes");
  CHECK(all.at("get /api/v1/cluster/nodes/{node_id}").at("operationId") ==
        "cluster_list_nodes_by_node_id");
  const Json& add = all.at("post /api/v1/cluster/nodes");
  CHECK(add.at("parameters").size() == 2);
  CHECK(add.at("responses").at("200").at("content").contains("application/json"));
  CHECK(all.at("get /readyz").at("responses").contains("503"));
}

TEST_CASE("OpenAPI: fields without a plain form travel as JSON", "[api]") {
  service::Operation probe;
  probe.name = "probe";
  probe.route = {"GET", "/v1/probe"};
  probe.request_schema = {{"type", "object"},
                          {"properties", {{"filter", {{"type", "object"}}}}},
                          {"required", Json::array({"filter"})}};
  const service::Registry registry({probe});
  const Json document = openapi(Routes(registry), registry, "1");
  const Json& parameter = document.at("paths").at("/api/v1/probe").at("get").at("parameters")[0];
  CHECK(parameter.at("required") == true);
  CHECK(parameter.at("content").at("application/json").at("schema").at("type") == "object");
}

TEST_CASE("OpenAPI: leaves out what is switched off", "[api]") {
  Site site([](service::Selection& selection) { selection.read_only = true; });
  const auto all = operations_of(described(site));
  CHECK(all.contains("get /api/v1/cluster/nodes"));
  CHECK_FALSE(all.contains("post /api/v1/cluster/nodes"));
  CHECK_FALSE(all.contains("delete /api/v1/collections/{collection}"));
  CHECK(all.contains("post /api/v1/collections/{collection}/search"));
}

}  // namespace
}  // namespace quiver::api
