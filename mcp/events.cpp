#include "mcp/events.h"

#include <string_view>

#include "mcp/json_rpc.h"

namespace quiver::mcp {
namespace {

std::string_view method_of(Event::Kind kind) {
  switch (kind) {
    case Event::Kind::ToolsChanged: return "notifications/tools/list_changed";
    case Event::Kind::PromptsChanged: return "notifications/prompts/list_changed";
    case Event::Kind::ResourcesChanged: return "notifications/resources/list_changed";
    case Event::Kind::ResourceUpdated:
    case Event::Kind::TaskChanged: break;
  }
  return "notifications/resources/updated";
}

}  // namespace

std::string notification_of(const Event& event, const Json& meta) {
  Json params = Json::object();
  if (!meta.is_null()) params["_meta"] = meta;
  if (event.kind == Event::Kind::ResourceUpdated) params["uri"] = event.subject;
  return notification_text(method_of(event.kind), params);
}

}  // namespace quiver::mcp
