#include <exception>
#include <utility>

#include "core/log.h"
#include "mcp/fields.h"
#include "mcp/params.h"
#include "mcp/progress.h"
#include "mcp/request_meta.h"
#include "mcp/server.h"

namespace quiver::mcp {
namespace {

void send_log(Turn& turn, LogLevel level, std::string_view logger, const Json& data) {
  std::optional<LogLevel> least = turn.log_level;
  // Legacy clients that did not say get what tells of something.
  if (turn.revision->era == Era::Legacy && turn.session) {
    least = turn.session->log_level().value_or(LogLevel::Info);
  }
  if (!least || level < *least) return;
  Json params{{"level", name_of(level)}, {"data", data}};
  if (!logger.empty()) params["logger"] = logger;
  turn.tell(notification_text("notifications/message", params));
}

bool can_poll_tasks(const Turn& turn) {
  static const Json needed{{"extensions", {{kTasksExtension, Json::object()}}}};
  return turn.revision->era == Era::Modern &&
         missing_capabilities(needed, turn.capabilities).is_null();
}

Json required_of(const Tool& tool) {
  Json required =
      tool.required_capabilities.is_null() ? Json::object() : tool.required_capabilities;
  if (tool.tasks == TaskUse::Required) required["extensions"][kTasksExtension] = Json::object();
  return required;
}

std::string tool_members(const Revision& revision, const ToolResult& result) {
  std::string members = "\"content\":" + content_text(result.content, revision);
  if (result.is_error) members += ",\"isError\":true";
  // Revisions that know it demand an object.
  if (revision.structured_content && !result.structured.empty()) {
    members += ",\"structuredContent\":" + result.structured;
  }
  return members;
}

std::string progress_text(std::uint64_t done, std::uint64_t total, const std::string& message) {
  std::string text = std::to_string(done);
  if (total > 0) text += " of " + std::to_string(total);
  return message.empty() ? text : text + ": " + message;
}

}  // namespace

void Server::call_tool(const TurnPtr& turn) const {
  const Json& params = turn->request.params;
  const auto name = params.find("name");
  if (name == params.end() || !name->is_string()) {
    return fail(turn, invalid_params("params.name: must be the name of a tool"));
  }
  const auto arguments = params.find("arguments");
  if (arguments != params.end() && !arguments->is_object()) {
    return fail(turn, invalid_params("params.arguments: must be an object"));
  }
  auto token = progress_token(params);
  if (!token.ok()) return fail(turn, invalid_params(token.error().message));
  const Tool* tool = tools_.find(name->get_ref<const std::string&>());
  if (tool == nullptr) {
    const auto& unknown = name->get_ref<const std::string&>();
    const std::string why = offer_.why_hidden ? offer_.why_hidden(unknown) : "";
    return fail(turn, invalid_params(why.empty() ? tools_.unknown(unknown) : why));
  }
  if (admit_tool(turn, *tool)) carry_out(turn, *tool, *token);
}

bool Server::admit_tool(const TurnPtr& turn, const Tool& tool) const {
  const Json missing = missing_capabilities(required_of(tool), turn->capabilities);
  if (!missing.is_null()) {
    if (turn->revision->era == Era::Legacy) {
      finish_tool(turn, failed_result({ErrorCode::FailedPrecondition,
                                       tool.name + " needs a client with " + to_text(missing)}));
    } else {
      turn->finish(refusal(*turn, missing_capability(missing)));
    }
    return false;
  }
  if (!read_turn_inputs(turn)) return false;
  if (tool.tasks == TaskUse::Never || !can_poll_tasks(*turn)) return true;
  if (tool.tasks == TaskUse::WhenSlow) {
    deadlines_.after(options_.task_after, [this, late = std::weak_ptr<Turn>(turn)] {
      if (const auto slow = late.lock()) start_task(slow);
    });
    return true;
  }
  if (start_task(turn)) return true;
  finish_tool(turn,
              failed_result({ErrorCode::ResourceExhausted,
                             "too many tasks: wait for earlier ones, then repeat this call"}));
  return false;
}

bool Server::start_task(const TurnPtr& turn) const {
  const auto task = tasks_.create(turn->cancel);
  if (!task) return false;
  if (turn->become(task, result(*turn, "task", tasks_.created_members(*task)))) return true;
  tasks_.discard(*task);
  return false;
}

Call Server::call_of(const TurnPtr& turn, const Json& arguments, const Json& token) const {
  CallContext context;
  const bool may_be_task = turn->request.method == "tools/call" && can_poll_tasks(*turn);
  context.deadline = std::chrono::steady_clock::now() +
                     (may_be_task ? options_.task_timeout : options_.call_timeout);
  context.cancel = turn->cancel;
  if (!token.is_null()) {
    context.progress =
        progress_sink(token, *turn->revision, options_.progress_interval, turn->cancel,
                      [turn](const std::string& message) { turn->tell(message); });
  }
  if (may_be_task) {
    context.progress = [this, turn, notify = std::move(context.progress)](
                           std::uint64_t done, std::uint64_t total, const std::string& message) {
      if (const auto task = turn->task()) {
        tasks_.tell(*task, progress_text(done, total, message));
      } else if (notify) {
        notify(done, total, message);
      }
    };
  }
  return {arguments,
          std::move(context),
          turn->inputs,
          turn->capabilities,
          [turn](LogLevel level, std::string_view logger, const Json& data) {
            send_log(*turn, level, logger, data);
          },
          [turn] { return turn->detach(); }};
}

void Server::carry_out(const TurnPtr& turn, const Tool& tool, const Json& token) const {
  static const Json no_arguments = Json::object();
  const auto given = turn->request.params.find("arguments");
  Call call = call_of(turn, given == turn->request.params.end() ? no_arguments : *given, token);
  const auto outcome = run_tool(tool, call);
  if (const auto* result = std::get_if<ToolResult>(&outcome)) return finish_tool(turn, *result);
  if (const auto* error = std::get_if<RpcError>(&outcome)) return fail(turn, *error);
  ask(
      turn, std::get<InputRequired>(outcome),
      [this, turn, &tool, token] { carry_out(turn, tool, token); },
      [this, turn](const Error& error) { finish_tool(turn, failed_result(error)); });
}

Outcome<ToolResult> Server::run_tool(const Tool& tool, Call& call) const {
  try {
    if (const Status over = call.context.check(); !over.ok()) return failed_result(over.error());
    return tool.run(call);
  } catch (const std::exception& error) {
    // Out of memory, at worst: one call fails, the server goes on.
    QV_LOG_ERROR("mcp.tool_threw tool={} what={}", tool.name, error.what());
    return failed_result({ErrorCode::Internal, "the server failed to carry out " + tool.name});
  }
}

void Server::finish_tool(const TurnPtr& turn, const ToolResult& result) const {
  const std::string members = tool_members(*turn->revision, result);
  if (turn->finish(complete(*turn, members))) return;
  if (const auto task = turn->task()) {
    tasks_.complete(*task, "{\"resultType\":\"complete\"," + members + "}");
  }
}

void Server::fail(const TurnPtr& turn, const RpcError& error) const {
  if (turn->finish(failure(*turn, error))) return;
  if (const auto task = turn->task()) tasks_.fail(*task, error);
}

}  // namespace quiver::mcp
