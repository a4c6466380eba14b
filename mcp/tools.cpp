#include "mcp/tools.h"

#include <vector>

#include "core/text.h"
#include "mcp/json_rpc.h"

namespace quiver::mcp {
namespace {

Json annotations(const service::Operation& operation, const Revision& revision) {
  const bool reads = operation.access == service::Access::Read;
  Json hints{{"readOnlyHint", reads},
             {"destructiveHint", operation.effects.destructive},
             {"idempotentHint", operation.effects.idempotent || reads},
             {"openWorldHint", false}};
  if (!revision.titles) hints["title"] = operation.title;
  return hints;
}

Json tool(const service::Operation& operation, const Revision& revision) {
  Json tool{{"name", operation.name},
            {"description", operation.description},
            {"inputSchema", operation.request_schema}};
  if (revision.titles) tool["title"] = operation.title;
  if (revision.structured_content) tool["outputSchema"] = operation.response_schema;
  if (revision.tool_annotations) tool["annotations"] = annotations(operation, revision);
  return tool;
}

}  // namespace

Tools::Tools(const service::Registry& registry) : registry_(registry) {
  for (const Revision& revision : kRevisions) {
    Json list = Json::array();
    for (const auto& operation : registry.operations()) {
      list.push_back(tool(operation, revision));
    }
    lists_[index_of(revision)] = to_text(list);
  }
}

std::string Tools::unknown(std::string_view name) const {
  std::vector<std::string> names;
  for (const auto& operation : registry_.operations()) names.push_back(operation.name);
  std::string message = "unknown tool " + display(name) + ": ";
  const std::string near = nearest_word(utf8_prefix(name, 64), names);
  if (!near.empty()) return message + "did you mean " + display(near) + "?";
  return message + "tools/list names the tools there are";
}

}  // namespace quiver::mcp
