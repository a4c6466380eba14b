#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "core/mutex.h"
#include "thrift/node_client.h"
#include "thrift/options.h"
#include "thrift/security.h"

namespace quiver::thrift {

/// The clients of one node: one for each peer, made at the first call. Closes connections that
/// nobody uses.
///
/// Threads: any.
class ClientPool {
 public:
  ClientPool(LocalNode self, Security security, const ClientOptions& options);
  /// Calls that are on their way keep their client alive.
  ~ClientPool();
  ClientPool(const ClientPool&) = delete;
  ClientPool& operator=(const ClientPool&) = delete;

  std::shared_ptr<NodeClient> client(const PeerAddress& peer);
  /// Drops the clients of a node that has left, wherever it listened.
  void forget(const std::string& node_id);
  /// Connections to all peers.
  std::size_t connections();

 private:
  void sweep();

  const LocalNode self_;
  const Security security_;
  const ClientOptions options_;
  Mutex mutex_;
  CondVar stopped_;
  std::map<PeerAddress, std::shared_ptr<NodeClient>> clients_ QV_GUARDED_BY(mutex_);
  bool stopping_ QV_GUARDED_BY(mutex_) = false;
  /// Last: it uses all above.
  std::thread sweeper_;
};

}  // namespace quiver::thrift
