#pragma once

#include <string>
#include <utility>
#include <variant>

#include "core/log.h"
#include "mcp/server.h"

namespace quiver::mcp {

/// Ends a turn as its handler's outcome has it: `render` makes the reply of what the call was for.
template <typename T, typename Render>
void conclude(const TurnPtr& turn, const Outcome<T>& outcome, Render&& render) {
  if (const auto* result = std::get_if<T>(&outcome)) return finish(*turn, render(*result));
  if (const auto* error = std::get_if<RpcError>(&outcome)) {
    return finish(*turn, failure(*turn, *error));
  }
  QV_LOG_ERROR("mcp.cannot_ask method={}", turn->request.method);
  finish(*turn, failure(*turn, {rpc::kInternalError, "the client cannot be asked"}));
}

}  // namespace quiver::mcp
