#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "core/limits.h"
#include "mcp/server.h"
#include "mcp/transport.h"

namespace quiver::mcp {

struct ConnectionOptions {
  /// How long requests in flight may still run once the peer has closed, before they are cancelled.
  std::chrono::milliseconds drain{5000};
  /// Text of all requests in flight: what a peer can make the server hold at once.
  std::size_t bytes_in_flight_max = 2 * limits::kMessageBytesMax;
};

/// Serves one peer over a transport, from its first message to its last.
///
/// Borrows the server and the transport; both must outlive all work that the server was given.
class Connection {
 public:
  Connection(const Server& server, Transport& transport, const ConnectionOptions& options = {});

  /// Reads and answers until the peer closes or the transport is finished, then waits for what is
  /// in flight: at most twice `drain`, the second time after cancelling it with an error for
  /// answer.
  ///
  /// Errors: Unavailable when the channel broke.
  Status run();

 private:
  struct State;
  class Way;

  void receive(std::string text);
  void receive_batch(Json messages, std::size_t bytes);
  void take(Message message, std::size_t bytes, std::shared_ptr<Outlet> outlet);
  void drain();

  const std::shared_ptr<State> state_;
  Transport& transport_;
  const ConnectionOptions options_;
};

}  // namespace quiver::mcp
