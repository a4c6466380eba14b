#include "mcp/tools.h"

#include <utility>

#include "core/text.h"
#include "mcp/json_rpc.h"

namespace quiver::mcp {
namespace {

Json render(const Tool& tool, const Revision& revision) {
  Json json{
      {"name", tool.name}, {"description", tool.description}, {"inputSchema", tool.input_schema}};
  const bool titled = revision.titles && !tool.title.empty();
  if (titled) json["title"] = tool.title;
  if (revision.structured_content && !tool.output_schema.is_null()) {
    json["outputSchema"] = tool.output_schema;
  }
  if (revision.tool_annotations && !tool.annotations.is_null()) {
    json["annotations"] = tool.annotations;
    if (!revision.titles && !tool.title.empty()) json["annotations"]["title"] = tool.title;
  }
  if (revision.structured_content && !tool.meta.is_null()) json["_meta"] = tool.meta;
  return json;
}

}  // namespace

Tools::Tools(std::vector<Tool> tools) : tools_(std::move(tools)) {
  for (const Tool& tool : tools_) by_name_[tool.name] = &tool;
  for (const Revision& revision : kRevisions) {
    Json list = Json::array();
    for (const Tool& tool : tools_) list.push_back(render(tool, revision));
    lists_[index_of(revision)] = to_text(list);
  }
}

const Tool* Tools::find(std::string_view name) const noexcept {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : found->second;
}

std::string Tools::unknown(std::string_view name) const {
  std::vector<std::string> names;
  for (const Tool& tool : tools_) names.push_back(tool.name);
  std::string message = "unknown tool " + display(name) + ": ";
  const std::string near = nearest_word(utf8_prefix(name, 64), names);
  if (!near.empty()) return message + "did you mean " + display(near) + "?";
  return message + "tools/list names the tools there are";
}

}  // namespace quiver::mcp
