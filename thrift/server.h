#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "core/mutex.h"
#include "thrift/node_handler.h"
#include "thrift/options.h"
#include "thrift/security.h"

namespace quiver::thrift {

struct ServerContext;

/// Whether a node that has shown who it is may call this one: removed nodes may not. Called by the
/// threads of connections, with nothing held.
using Admit = std::function<Status(const NodeIdentity&)>;

/// Listens for other nodes and gives their calls to a handler: one thread a connection, a bounded
/// number of connections for each purpose.
///
/// Threads: any.
class NodeServer {
 public:
  /// `handler` must outlive the server. `admit` may be empty.
  ///
  /// Errors: InvalidArgument for an address that is not numeric; FailedPrecondition for one that is
  /// not private, without TLS; Unavailable if it cannot be listened on.
  static Result<std::unique_ptr<NodeServer>> start(LocalNode self, Security security,
                                                   const ServerOptions& options,
                                                   NodeHandler& handler, Admit admit);
  /// stop() without grace.
  ~NodeServer();
  NodeServer(const NodeServer&) = delete;
  NodeServer& operator=(const NodeServer&) = delete;

  /// Lets no call in from here on, waits for the running ones for `grace`, then cancels them and
  /// closes all connections. False if some had to be cancelled.
  bool stop(std::chrono::milliseconds grace);

  std::uint16_t port() const noexcept { return port_; }
  /// "127.0.0.1:7700".
  const std::string& address() const noexcept { return address_; }
  /// Connections for a purpose that are greeted and open.
  std::size_t connections(Purpose purpose) const;
  /// Connections that have not greeted yet.
  std::size_t strangers() const;
  /// Connections that were refused or cut since the start.
  std::uint64_t refused() const;

 private:
  class Session;

  NodeServer(std::unique_ptr<ServerContext> context, int listener, int wake);

  void accept_all();
  void accept_one();
  void reap();
  void end(Session& session);

  const std::unique_ptr<ServerContext> context_;
  const int listener_;
  /// An eventfd: wakes the accepting thread to stop, and to join the threads that have ended.
  const int wake_;
  std::uint16_t port_ = 0;
  std::string address_;
  Mutex mutex_;
  CondVar ended_;
  std::list<std::unique_ptr<Session>> sessions_ QV_GUARDED_BY(mutex_);
  std::size_t running_ QV_GUARDED_BY(mutex_) = 0;
  bool stopped_ QV_GUARDED_BY(mutex_) = false;
  std::thread acceptor_;
};

}  // namespace quiver::thrift
