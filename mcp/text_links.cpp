#include "mcp/text_links.h"

#include <string>
#include <utility>

#include "mcp/collection_uri.h"
#include "service/point_text.h"

namespace quiver::mcp {
namespace {

/// What the call is about, by its own word or by default; empty: it has no collection.
std::string collection_of(const service::Operation& operation, const Json& arguments) {
  const auto given = arguments.find("collection");
  if (given != arguments.end() && given->is_string()) return given->get<std::string>();
  const Json::json_pointer usual("/properties/collection/default");
  if (!operation.request_schema.contains(usual)) return "";
  return operation.request_schema.at(usual).get<std::string>();
}

bool is_cut(const Json& item) {
  return item.is_object() && item.value("text_truncated", Json()) == true && item.contains("id");
}

}  // namespace

Json text_links(const service::Operation& operation, const Json& arguments, const Json& reply) {
  Json links = Json::array();
  for (const Json& member : reply) {
    if (!member.is_array()) continue;
    for (const Json& item : member) {
      if (!is_cut(item)) continue;
      auto id = PointId::from_json(item.at("id"));
      CollectionUri uri{.collection = collection_of(operation, arguments)};
      if (!id.ok() || uri.collection.empty()) continue;
      const std::string name = service::point_text(*id);
      uri.point = *std::move(id);
      links.push_back({{"type", "resource_link"},
                       {"uri", to_text(uri)},
                       {"name", name},
                       {"mimeType", "application/json"}});
    }
  }
  return links;
}

}  // namespace quiver::mcp
