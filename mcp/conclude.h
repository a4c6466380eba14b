#pragma once

#include <exception>
#include <utility>
#include <variant>

#include "core/log.h"
#include "mcp/params.h"
#include "mcp/server.h"

namespace quiver::mcp {

/// Runs a handler that is not one of a tool, and makes all that goes wrong a protocol error.
template <typename T>
Outcome<T> run_handler(const std::function<Outcome<T>(Call& call)>& handler, Call& call) {
  try {
    if (const Status over = call.context.check(); !over.ok()) return rpc_error(over.error());
    return handler(call);
  } catch (const std::exception& error) {
    // Out of memory, at worst: one request fails, the server goes on.
    QV_LOG_ERROR("mcp.handler_threw what={}", error.what());
    return RpcError{rpc::kInternalError, "the server failed to answer"};
  }
}

template <typename T>
void Server::conclude(const TurnPtr& turn, Json arguments, Json progress_token,
                      std::function<Outcome<T>(Call& call)> handler,
                      std::function<std::string(const T& result)> members) const {
  Call call = call_of(turn, arguments, progress_token);
  const Outcome<T> outcome = run_handler<T>(handler, call);
  if (const auto* result = std::get_if<T>(&outcome)) {
    turn->finish(complete(*turn, members(*result)));
    return;
  }
  if (const auto* error = std::get_if<RpcError>(&outcome)) return fail(turn, *error);
  auto again = [this, turn, arguments = std::move(arguments), token = std::move(progress_token),
                handler = std::move(handler), members = std::move(members)] {
    conclude<T>(turn, arguments, token, handler, members);
  };
  ask(turn, std::get<InputRequired>(outcome), std::move(again),
      [this, turn](const Error& error) { fail(turn, rpc_error(error)); });
}

}  // namespace quiver::mcp
