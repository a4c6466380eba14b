#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/http.h"
#include "mcp/server.h"

namespace quiver::mcp {

struct HttpEndpointOptions {
  /// Names that a Host header may carry beside those of this machine's loopback: a page elsewhere
  /// must not reach a local server by a name of its own (DNS rebinding).
  std::vector<std::string> allowed_hosts = {};
  /// Web origins whose pages may call, beside those of this machine's loopback.
  std::vector<std::string> allowed_origins = {};
};

/// MCP's Streamable HTTP transport, each POST one message and one JSON reply.
///
/// Modern requests say all in themselves. Legacy ones are served without a session: their revision
/// is that of the MCP-Protocol-Version header, and a notification has nothing to act upon.
///
/// Threads: any; unchanged after construction. Borrows the server.
///
/// Source: MCP 2026-07-28 and 2025-11-25, basic/transports.
class HttpEndpoint {
 public:
  HttpEndpoint(const Server& server, HttpEndpointOptions options);

  /// Answers a request for the endpoint's path; does not wait for what runs long.
  ///
  /// A client that disconnects cancels a modern request; a legacy one is cancelled by message only,
  /// and runs on.
  void handle(const HttpRequest& request, std::shared_ptr<HttpResponder> responder) const;

 private:
  using ResponderPtr = std::shared_ptr<HttpResponder>;

  void take_batch(Json messages, const Revision& revision, ResponderPtr responder) const;
  void take_message(const HttpRequest& http, Message message, const Revision* named,
                    ResponderPtr responder) const;
  void take_request(const HttpRequest& http, Request request, const Revision* named,
                    ResponderPtr responder) const;

  const Server& server_;
  const HttpEndpointOptions options_;
};

}  // namespace quiver::mcp
