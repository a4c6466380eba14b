#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "core/http.h"
#include "core/in_flight.h"
#include "core/limits.h"
#include "core/mutex.h"
#include "mcp/http_reply.h"
#include "mcp/server.h"

namespace quiver::mcp {

struct SseEndpointOptions {
  HttpAccess access = {};
  /// Where clients are told to POST.
  std::string messages_path = "/messages";
  std::size_t sessions_max = 10'000;
  /// Larger bodies are read by `submit`, not on the thread that brings them.
  std::size_t inline_bytes_max = std::size_t{64} << 10;
  /// Text of all messages under way.
  std::size_t bytes_in_flight_max = 4 * limits::kMessageBytesMax;
};

/// MCP's HTTP+SSE transport of 2024-11-05, which later revisions have replaced: the client GETs a
/// stream, is told on it where to POST, and gets every reply there. The session ends with the
/// stream.
///
/// Threads: any. Borrows the server, which must outlive all work, as must this.
///
/// Source: MCP 2024-11-05, basic/transports.
class SseEndpoint {
 public:
  SseEndpoint(const Server& server, Submit submit, SseEndpointOptions options);
  ~SseEndpoint();
  SseEndpoint(const SseEndpoint&) = delete;
  SseEndpoint& operator=(const SseEndpoint&) = delete;

  /// Opens a stream, and with it a session.
  void open(const HttpRequest& request, std::shared_ptr<HttpResponder> responder);
  /// Takes a message of a session.
  void take(HttpRequest request, std::shared_ptr<HttpResponder> responder);

  /// Takes no more, and ends all streams in good order; what is under way is cancelled, since there
  /// is no other way to answer it.
  void stop();

  std::size_t sessions() const QV_EXCLUDES(mutex_);

 private:
  class Client;
  class Way;
  using ClientPtr = std::shared_ptr<Client>;

  ClientPtr find(std::string_view id) const QV_EXCLUDES(mutex_);
  void end(const std::string& id) QV_EXCLUDES(mutex_);
  void take_body(const std::string& body, const ClientPtr& client, std::shared_ptr<void> share,
                 HttpResponder& responder);
  void take_message(Message message, const ClientPtr& client, std::shared_ptr<Outlet> way);

  const Server& server_;
  const Submit submit_;
  const SseEndpointOptions options_;
  InFlight in_flight_;
  std::atomic<bool> stopping_{false};
  mutable Mutex mutex_;
  std::map<std::string, ClientPtr, std::less<>> clients_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::mcp
