#pragma once

#include <functional>
#include <utility>
#include <variant>

#include "mcp/server.h"

namespace quiver::mcp {

/// Ends a turn as its handler's outcome has it: `render` makes the members of the result, `again`
/// runs the handler with the answers it asked for.
template <typename T, typename Render>
void Server::conclude(const TurnPtr& turn, const Outcome<T>& outcome, Render&& render,
                      std::function<void()> again) const {
  if (const auto* result = std::get_if<T>(&outcome)) {
    turn->finish(complete(*turn, render(*result)));
  } else if (const auto* error = std::get_if<RpcError>(&outcome)) {
    fail(turn, *error);
  } else {
    ask(turn, std::get<InputRequired>(outcome), std::move(again),
        [this, turn](const Error& failed) {
          fail(turn, {rpc::kInternalError, failed.message});
        });
  }
}

}  // namespace quiver::mcp
