#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "app/owner_socket.h"
#include "service/executor.h"

namespace quiver::app {

struct OwnerServerOptions {
  /// Calls carried out at the same time, and calls that may wait for that.
  std::size_t threads = 8;
  std::size_t queue = 256;
  /// Processes that may be connected.
  std::size_t connections = 128;
  /// How long stop() waits for calls before it cancels them.
  std::chrono::milliseconds drain{10'000};
};

/// Carries out the calls of other processes of this user, at the owner's socket.
///
/// One thread talks to all of them and never blocks, so that a stopped or slow process holds up
/// nobody else. What breaks the protocol costs its own connection only; a process that goes away
/// has its calls cancelled.
///
/// Threads: any.
class OwnerServer {
 public:
  /// Borrows `executor`.
  OwnerServer(OwnerSocket socket, service::Executor& executor, const OwnerServerOptions& options);
  /// As stop().
  ~OwnerServer();
  OwnerServer(const OwnerServer&) = delete;
  OwnerServer& operator=(const OwnerServer&) = delete;

  /// Takes on nothing more, removes the socket, finishes what runs, sends the replies.
  void stop();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace quiver::app
