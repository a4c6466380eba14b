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
  Json can{{"logging", Json::object()}};
  const auto list = [&](const char* name) {
    can[name] = Json::object();
    if (offer.hub) can[name]["listChanged"] = true;
  };
  if (!offer.tools.empty()) list("tools");
  if (!offer.prompts.empty()) list("prompts");
  if (offer.resources) list("resources");
  if (offer.resources && offer.hub) can["resources"]["subscribe"] = true;
  // 2024-11-05 has completion/complete, but no name for it.
  if (offer.complete && revision.audio) can["completions"] = Json::object();
  const bool has_tasks = std::any_of(offer.tools.begin(), offer.tools.end(),
                                     [](const Tool& tool) { return tool.tasks != TaskUse::Never; });
  if (has_tasks && revision.era == Era::Modern) {
    can["extensions"][kTasksExtension] = Json::object();
  }
  return can;
}

}  // namespace quiver::mcp
