// logging/setLevel, which 2026-07-28 does not have: there each request says what it wants.

#include "mcp/params.h"
#include "mcp/server.h"

namespace quiver::mcp {

void Server::set_log_level(const TurnPtr& turn) const {
  const Json& params = turn->request.params;
  const auto given = params.find("level");
  const auto* name = given == params.end() ? nullptr : given->get_ptr<const std::string*>();
  const auto level = name == nullptr ? std::nullopt : find_log_level(*name);
  if (!level) {
    std::string names;
    for (const auto known : kLogLevels) names.append(names.empty() ? "" : ", ").append(known);
    return fail(turn, invalid_params("params.level: must be one of " + names));
  }
  if (Session* session = turn->session.get()) session->set_log_level(*level);
  turn->finish(complete(*turn, ""));
}

}  // namespace quiver::mcp
