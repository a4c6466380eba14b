#include <algorithm>
#include <utility>

#include "mcp/params.h"
#include "mcp/server.h"

namespace quiver::mcp {

bool Server::knows_tasks(const TurnPtr& turn) const {
  const Json needed{{"extensions", {{kTasksExtension, Json::object()}}}};
  const Json missing = missing_capabilities(needed, turn->capabilities);
  if (missing.is_null()) return true;
  turn->finish(refusal(*turn, missing_capability(missing)));
  return false;
}

std::shared_ptr<Task> Server::find_task(const TurnPtr& turn) const {
  if (!knows_tasks(turn)) return nullptr;
  const auto id = turn->request.params.find("taskId");
  if (id == turn->request.params.end() || !id->is_string()) {
    fail(turn, invalid_params("params.taskId: must be the id of a task"));
    return nullptr;
  }
  auto task = tasks_.find(id->get_ref<const std::string&>());
  if (!task) {
    turn->finish(refusal(*turn, invalid_params("params.taskId: no task " +
                                               display(id->get_ref<const std::string&>()) +
                                               ": it never was, or its time is over")));
  }
  return task;
}

void Server::get_task(const TurnPtr& turn) const {
  if (const auto task = find_task(turn)) {
    turn->finish(complete(*turn, tasks_.detailed_members(*task)));
  }
}

void Server::update_task(const TurnPtr& turn) const {
  const auto task = find_task(turn);
  if (!task) return;
  const auto responses = turn->request.params.find("inputResponses");
  const bool usable = responses != turn->request.params.end() && responses->is_object() &&
                      std::all_of(responses->begin(), responses->end(),
                                  [](const Json& response) { return response.is_object(); });
  if (!usable) {
    return fail(turn, invalid_params(
                          "params.inputResponses: must be an object of objects, one for each key"));
  }
  tasks_.answer(*task, *responses);
  turn->finish(complete(*turn, ""));
}

void Server::cancel_task(const TurnPtr& turn) const {
  const auto task = find_task(turn);
  if (!task) return;
  tasks_.cancel(*task);
  turn->finish(complete(*turn, ""));
}

}  // namespace quiver::mcp
