#include "api/rest/openapi.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "api/rest/arguments.h"
#include "service/selection.h"

namespace quiver::api {
namespace {

constexpr const char* kJson = "application/json";
constexpr const char* kProblemJson = "application/problem+json";

Json reference(const char* what) {
  return {{"$ref", what}};
}

Json content(const char* type, Json schema) {
  return {{type, {{"schema", std::move(schema)}}}};
}

bool is_required(const Json& schema, const std::string& name) {
  const auto required = schema.find("required");
  return required != schema.end() &&
         std::find(required->begin(), required->end(), name) != required->end();
}

/// A field as a parameter of the path or of the query.
Json parameter(const Json& request, const std::string& name, bool in_path) {
  Json schema = request.at("properties").at(name);
  Json out{{"name", name},
           {"in", in_path ? "path" : "query"},
           {"required", in_path || is_required(request, name)}};
  if (const auto doc = schema.find("description"); doc != schema.end()) {
    out["description"] = std::move(*doc);
    schema.erase("description");
  }
  if (text_form(schema) == TextForm::Plain) {
    out["schema"] = std::move(schema);
  } else {
    out["content"] = content(kJson, std::move(schema));
  }
  return out;
}

Json body_of(Json request, const std::vector<std::string>& path_fields) {
  for (const auto& name : path_fields) request["properties"].erase(name);
  Json required = Json::array();
  for (const auto& name : request.value("required", Json::array())) {
    if (request["properties"].contains(name)) required.push_back(name);
  }
  request.erase("required");
  const bool needed = !required.empty();
  if (needed) request["required"] = std::move(required);
  return {{"required", needed}, {"content", content(kJson, std::move(request))}};
}

/// Distinct for each route: a second one of the same operation says by which fields.
std::string operation_id(const RestRoute& route) {
  std::string id = route.operation->name;
  if (route.path == std::string(kApiPrefix).append(route.operation->route.path)) return id;
  for (const auto& name : route.path_fields()) id.append("_by_").append(name);
  return id;
}

Json described(const RestRoute& route) {
  const service::Operation& operation = *route.operation;
  const Json& request = operation.request_schema;
  const auto in_path = route.path_fields();
  Json parameters = Json::array();
  for (const auto& name : in_path) parameters.push_back(parameter(request, name, true));
  const bool with_body = takes_body(route.method);
  for (const auto& item : request.at("properties").items()) {
    const bool taken = std::find(in_path.begin(), in_path.end(), item.key()) != in_path.end();
    if (!with_body && !taken) parameters.push_back(parameter(request, item.key(), false));
  }
  if (operation.access != service::Access::Read) {
    parameters.push_back(reference("#/components/parameters/IdempotencyKey"));
  }
  parameters.push_back(reference("#/components/parameters/RequestTimeout"));
  Json out{{"operationId", operation_id(route)},
           {"summary", operation.title},
           {"description", operation.description},
           {"tags", Json::array({std::string(service::name_of(operation.toolset))})},
           {"parameters", std::move(parameters)},
           {"responses",
            {{"200",
              {{"description", "What the operation answers."},
               {"content", content(kJson, operation.response_schema)}}},
             {"default", reference("#/components/responses/Problem")}}}};
  if (with_body) out["requestBody"] = body_of(request, in_path);
  return out;
}

Json report(const char* id, const char* summary, const char* type, bool may_fail) {
  const Json schema = {{"type", std::string(type) == kJson ? "object" : "string"}};
  Json out{{"operationId", id},
           {"summary", summary},
           {"tags", Json::array({"server"})},
           {"responses", {{"200", {{"description", "OK"}, {"content", content(type, schema)}}}}}};
  if (may_fail) out["responses"]["503"] = reference("#/components/responses/Problem");
  return {{"get", std::move(out)}};
}

Json problem_schema() {
  return {{"type", "object"},
          {"description", "RFC 9457."},
          {"required", {"type", "title", "status", "detail"}},
          {"properties",
           {{"type", {{"type", "string"}}},
            {"title", {{"type", "string"}}},
            {"status", {{"type", "integer"}}},
            {"detail",
             {{"type", "string"}, {"description", "What was wrong, and what would be right."}}},
            {"code", {{"type", "string"}, {"description", "For programs; stable."}}},
            {"retryable",
             {{"type", "boolean"},
              {"description", "The same request may succeed later, unchanged."}}}}}};
}

Json components() {
  const Json idempotency{
      {"name", "Idempotency-Key"},
      {"in", "header"},
      {"description",
       "A UUID or 32 hexadecimal digits: a write of points that is repeated with the same key "
       "takes effect once. Another request with the same key is refused with 422."},
      {"schema", {{"type", "string"}}}};
  const Json timeout{{"name", "Request-Timeout"},
                     {"in", "header"},
                     {"description", "Seconds after which the call is given up."},
                     {"schema", {{"type", "number"}, {"exclusiveMinimum", 0}}}};
  return {{"schemas", {{"Problem", problem_schema()}}},
          {"parameters", {{"IdempotencyKey", idempotency}, {"RequestTimeout", timeout}}},
          {"responses",
           {{"Problem",
             {{"description", "The call failed."},
              {"content", content(kProblemJson, reference("#/components/schemas/Problem"))}}}}}};
}

std::string in_lower_case(std::string method) {
  for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return method;
}

}  // namespace

Json openapi(const Routes& routes, const service::Registry& shown, const std::string& version) {
  Json paths = Json::object();
  for (const auto& route : routes.all()) {
    if (shown.find(route.operation->name) == nullptr) continue;
    paths[route.path][in_lower_case(route.method)] = described(route);
  }
  paths["/healthz"] = report("healthz", "The process lives", kJson, false);
  paths["/readyz"] = report("readyz", "The server can serve", kJson, true);
  paths["/metrics"] = report("metrics", "Figures for Prometheus", "text/plain", false);
  return {{"openapi", "3.1.0"},
          {"info",
           {{"title", "Quiver"},
            {"version", version},
            {"summary", "A vector server for agents: the same operations as its MCP tools."},
            {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
          {"paths", std::move(paths)},
          {"components", components()}};
}

}  // namespace quiver::api
