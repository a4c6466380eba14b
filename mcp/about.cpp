#include "mcp/about.h"

#include <algorithm>

#include "mcp/tasks.h"

namespace quiver::mcp {

Json server_info(const About& about, const Revision& revision) {
  Json info{{"name", about.name}, {"version", about.version}};
  if (revision.titles && !about.title.empty()) info["title"] = about.title;
  if (revision.server_description && !about.description.empty()) {
    info["description"] = about.description;
  }
  return info;
}

Json capabilities(const Offer& offer, const Revision& revision) {
  Json can = Json::object();
  if (!offer.tools.empty()) can["tools"] = Json::object();
  const bool has_tasks = std::any_of(offer.tools.begin(), offer.tools.end(),
                                     [](const Tool& tool) { return tool.tasks != TaskUse::Never; });
  if (has_tasks && revision.era == Era::Modern) {
    can["extensions"][kTasksExtension] = Json::object();
  }
  return can;
}

}  // namespace quiver::mcp
