#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <variant>

#include "core/http.h"
#include "core/in_flight.h"
#include "core/json_reader.h"
#include "core/limits.h"
#include "mcp/header_match.h"
#include "mcp/http_headers.h"
#include "mcp/http_outlet.h"
#include "mcp/http_reply.h"
#include "mcp/http_sessions.h"
#include "mcp/server.h"

namespace quiver::mcp {

struct HttpEndpointOptions {
  HttpAccess access = {};
  HttpSessionLimits sessions = {};
  /// Larger bodies are read by `submit`, not on the thread that brings them.
  std::size_t inline_bytes_max = std::size_t{64} << 10;
  /// Text of all requests under way: what clients can make the server hold at once, those included
  /// that have gone.
  std::size_t bytes_in_flight_max = 4 * limits::kMessageBytesMax;
  /// Memory of the JSON of all requests under way, estimated; often shared with other surfaces.
  std::shared_ptr<InFlight> json_memory = std::make_shared<InFlight>(2 * kJsonMemoryMax);
};

/// MCP's Streamable HTTP transport, for both eras.
///
/// Modern requests say all in themselves. Legacy ones belong to a session, which initialize begins;
/// GET listens to it, or comes back for what was missed, and DELETE ends it.
///
/// A client that disconnects cancels a modern request; a legacy one is cancelled by message only,
/// and runs on.
///
/// Threads: any. Borrows the server; it, `submit` and this must outlive all work.
///
/// Source: MCP 2026-07-28 and 2025-11-25, basic/transports.
class HttpEndpoint {
 public:
  HttpEndpoint(const Server& server, Submit submit, HttpEndpointOptions options);

  /// Answers a request for the endpoint's path, now or later. Does not block.
  void handle(HttpRequest request, std::shared_ptr<HttpResponder> responder);

  /// Takes no more requests, and ends the streams that carry no reply; calls under way go on.
  void stop();

  std::size_t sessions() const { return sessions_.size(); }

 private:
  using ResponderPtr = std::shared_ptr<HttpResponder>;
  using SessionPtr = std::shared_ptr<HttpSession>;

  /// A POST on its way through the ladder.
  struct Post {
    HttpRequest http;
    ResponderPtr responder;
    Accepted accepted = {};
    /// Its share of bytes_in_flight_max.
    std::shared_ptr<void> share = nullptr;
    /// Its share of json_memory.
    std::shared_ptr<void> memory = nullptr;
    /// What MCP-Protocol-Version says; null: nothing that is known, or nothing at all.
    const Revision* named = nullptr;
  };

  void take_get(const HttpRequest& http, const ResponderPtr& responder);
  void take_delete(const HttpRequest& http, const ResponderPtr& responder);
  void take_post(Post post);
  void take_body(Post post);
  /// Nothing: there is no room for it now.
  std::optional<std::variant<Json, Fault>> read_body(Post& post);
  void take_batch(Json messages, Post post);
  void take_request(Request request, Post post);
  void take_other(const Message& message, const Post& post);
  void initialize(Request request, Post post);
  std::shared_ptr<HttpOutlet> outlet_of(Post& post, SessionPtr session) const;

  /// The session that a legacy message belongs to, or why it cannot be served under `id`.
  std::variant<SessionPtr, HttpResponse> session_of(const HttpRequest& http,
                                                    const Json& id = nullptr);

  const Server& server_;
  const Submit submit_;
  const HttpEndpointOptions options_;
  const HeaderMatch headers_;
  HttpSessions sessions_;
  InFlight in_flight_;
  std::atomic<bool> stopping_{false};
};

}  // namespace quiver::mcp
