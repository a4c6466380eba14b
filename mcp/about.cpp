#include "mcp/about.h"

namespace quiver::mcp {

Json server_info(const About& about, const Revision& revision) {
  Json info{{"name", about.name}, {"version", about.version}};
  if (revision.titles && !about.title.empty()) info["title"] = about.title;
  if (revision.server_description && !about.description.empty()) {
    info["description"] = about.description;
  }
  return info;
}

Json capabilities(const Offer& offer, const Revision&) {
  Json can = Json::object();
  if (!offer.tools.empty()) can["tools"] = Json::object();
  return can;
}

}  // namespace quiver::mcp
