#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "mcp/call.h"
#include "mcp/json_rpc.h"
#include "mcp/outlet.h"
#include "mcp/revision.h"
#include "mcp/session.h"

namespace quiver::mcp {

/// The way a request came by.
struct Exchange {
  /// Null for a modern request by HTTP, which has none.
  std::shared_ptr<Session> session;
  std::shared_ptr<Outlet> outlet;
  /// Fires when a modern client by HTTP disconnects; a request of a session is cancelled by
  /// message.
  CancelToken gone = {};
};

/// One request on its way through the server.
struct Turn {
  Request request;
  Exchange exchange;
  /// Under which it is answered.
  const Revision* revision = nullptr;
  CancelToken cancel = {};
  /// The session knows it, so that it can be cancelled.
  bool in_flight = false;
  /// ClientCapabilities.
  Json capabilities = Json::object();
  /// Modern: what the request asks for. Legacy: the session says.
  std::optional<LogLevel> log_level = std::nullopt;
  Inputs inputs = {};
};

using TurnPtr = std::shared_ptr<Turn>;

}  // namespace quiver::mcp
