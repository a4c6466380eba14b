#include <exception>
#include <utility>

#include "core/log.h"
#include "mcp/progress.h"
#include "mcp/request_meta.h"
#include "mcp/server.h"

namespace quiver::mcp {
namespace {

RpcError invalid_params(std::string message) {
  return {rpc::kInvalidParams, std::move(message)};
}

void send_log(Turn& turn, LogLevel level, std::string_view logger, const Json& data) {
  std::optional<LogLevel> least = turn.log_level;
  // Legacy clients that did not say get what tells of something.
  if (turn.revision->era == Era::Legacy && turn.exchange.session) {
    least = turn.exchange.session->log_level().value_or(LogLevel::Info);
  }
  if (!least || level < *least || !turn.exchange.outlet) return;
  Json params{{"level", name_of(level)}, {"data", data}};
  if (!logger.empty()) params["logger"] = logger;
  turn.exchange.outlet->tell(notification_text("notifications/message", params));
}

}  // namespace

Call Server::call_of(Turn& turn, const Json& arguments, Json progress_token) const {
  CallContext context;
  context.deadline = std::chrono::steady_clock::now() + options_.call_timeout;
  context.cancel = turn.cancel;
  if (!progress_token.is_null()) {
    context.progress = progress_sink(
        std::move(progress_token), *turn.revision, options_.progress_interval, turn.cancel,
        [outlet = turn.exchange.outlet](const std::string& message) { outlet->tell(message); });
  }
  return {arguments,
          std::move(context),
          turn.inputs,
          turn.capabilities,
          [&turn](LogLevel level, std::string_view logger, const Json& data) {
            send_log(turn, level, logger, data);
          },
          [outlet = turn.exchange.outlet] { return outlet->detach(); }};
}

void Server::call_tool(const TurnPtr& turn) const {
  const Json& params = turn->request.params;
  const auto refuse = [&](std::string message) {
    finish(*turn, failure(*turn, invalid_params(std::move(message))));
  };
  const auto name = params.find("name");
  if (name == params.end() || !name->is_string()) {
    return refuse("params.name: must be the name of a tool");
  }
  static const Json no_arguments = Json::object();
  const auto given = params.find("arguments");
  const Json& arguments = given == params.end() ? no_arguments : *given;
  if (!arguments.is_object()) return refuse("params.arguments: must be an object");
  auto token = progress_token(params);
  if (!token.ok()) return refuse(token.error().message);
  const Tool* tool = tools_.find(name->get_ref<const std::string&>());
  if (tool == nullptr) return refuse(tools_.unknown(name->get_ref<const std::string&>()));

  Call call = call_of(*turn, arguments, *std::move(token));
  const auto outcome = carry_out(*tool, call);
  if (const auto* result = std::get_if<ToolResult>(&outcome)) {
    return finish(*turn, tool_reply(*turn, *result));
  }
  if (const auto* error = std::get_if<RpcError>(&outcome)) {
    return finish(*turn, failure(*turn, *error));
  }
  QV_LOG_ERROR("mcp.cannot_ask tool={}", tool->name);
  finish(*turn, failure(*turn, {rpc::kInternalError, "the client cannot be asked"}));
}

Outcome<ToolResult> Server::carry_out(const Tool& tool, Call& call) const {
  try {
    if (const Status over = call.context.check(); !over.ok()) return failed_result(over.error());
    return tool.run(call);
  } catch (const std::exception& error) {
    // Out of memory, at worst: one call fails, the server goes on.
    QV_LOG_ERROR("mcp.tool_threw tool={} what={}", tool.name, error.what());
    return failed_result({ErrorCode::Internal, "the server failed to carry out " + tool.name});
  }
}

Reply Server::tool_reply(const Turn& turn, const ToolResult& result) const {
  std::string members = "\"content\":" + to_text(result.content);
  if (result.is_error) members += ",\"isError\":true";
  // Revisions that know it demand an object.
  if (turn.revision->structured_content && !result.structured.empty()) {
    members += ",\"structuredContent\":" + result.structured;
  }
  return complete(turn, members);
}

}  // namespace quiver::mcp
