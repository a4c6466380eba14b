#pragma once

#include <string>
#include <vector>

#include "core/call_context.h"
#include "core/http.h"
#include "mcp/server.h"

namespace quiver::mcp {

struct HttpEndpointOptions {
  /// Names that a Host header may carry beside those of this machine's loopback: a page elsewhere
  /// must not reach a local server by a name of its own (DNS rebinding).
  std::vector<std::string> allowed_hosts;
  /// Web origins whose pages may call, beside those of this machine's loopback.
  std::vector<std::string> allowed_origins;
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

  /// Answers a request for the endpoint's path, on this thread.
  ///
  /// `gone` fires when the client disconnects. That cancels a modern request; a legacy one is
  /// cancelled by message only, and runs on.
  HttpResponse handle(const HttpRequest& request, const CancelToken& gone) const;

 private:
  HttpResponse take_batch(Json messages, const Revision& revision) const;
  HttpResponse take_message(const HttpRequest& http, Message message, const Revision* named,
                            const CancelToken& gone) const;
  HttpResponse take_request(const HttpRequest& http, const Request& request, const Revision* named,
                            const CancelToken& gone) const;

  const Server& server_;
  const HttpEndpointOptions options_;
};

}  // namespace quiver::mcp
