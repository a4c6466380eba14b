#include "mcp/fields.h"

#include <string>
#include <utility>

#include "mcp/json_rpc.h"

namespace quiver::mcp {
namespace {

void fit_annotations(Json& item, const Revision& revision) {
  if (revision.resource_links) return;
  item.erase("_meta");
  const auto annotations = item.find("annotations");
  if (annotations == item.end() || !annotations->is_object()) return;
  annotations->erase("lastModified");
  if (annotations->empty()) item.erase("annotations");
}

Json text_block(std::string text) {
  return {{"type", "text"}, {"text", std::move(text)}};
}

}  // namespace

Json fit_listed(Json item, const Revision& revision) {
  if (!revision.titles) {
    item.erase("title");
    if (const auto arguments = item.find("arguments"); arguments != item.end()) {
      for (Json& argument : *arguments) argument.erase("title");
    }
  }
  if (!revision.icons) item.erase("icons");
  fit_annotations(item, revision);
  return item;
}

Json fit_list(const Json& items, const Revision& revision) {
  Json list = Json::array();
  for (const Json& item : items) list.push_back(fit_listed(item, revision));
  return list;
}

Json fit_content(Json block, const Revision& revision) {
  const std::string type = block.value("type", "");
  if (type == "resource_link" && !revision.resource_links) {
    return text_block(block.value("name", "resource") + ": " + block.value("uri", ""));
  }
  if (type == "audio" && !revision.audio) {
    return text_block("[" + block.value("mimeType", "audio") + ", which " +
                      std::string(revision.version) + " cannot carry]");
  }
  if (type == "resource_link") return fit_listed(std::move(block), revision);
  fit_annotations(block, revision);
  if (type == "resource" && !revision.resource_links) block["resource"].erase("_meta");
  return block;
}

std::string content_text(const Json& blocks, const Revision& revision) {
  // The newest has everything; most blocks are text, which all have.
  if (revision.icons) return to_text(blocks);
  Json fitting = Json::array();
  for (const Json& block : blocks) fitting.push_back(fit_content(block, revision));
  return to_text(fitting);
}

Json fit_contents(Json contents, const Revision& revision) {
  if (!revision.resource_links) {
    for (Json& content : contents) content.erase("_meta");
  }
  return contents;
}

}  // namespace quiver::mcp
