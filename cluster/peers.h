#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cluster/view/cluster_view.h"
#include "thrift/client_pool.h"

namespace quiver::cluster {

/// "10.0.0.1:7700", "[::1]:7700", "node-1.example:7700".
///
/// Errors: InvalidArgument for anything else, a port outside 1 to 65535 included.
Result<thrift::PeerAddress> parse_address(std::string_view address);

/// The way to the other servers of a cluster.
///
/// Threads: any.
class Peers {
 public:
  Peers(thrift::LocalNode self, thrift::Security security, const thrift::ClientOptions& options);

  /// Errors: Unavailable if `view` does not have the server, or it was removed, or its address
  /// cannot be used.
  Result<std::shared_ptr<thrift::NodeClient>> client(const ClusterView& view, const NodeId& node);
  /// Whoever listens at an address. Errors: as parse_address().
  Result<std::shared_ptr<thrift::NodeClient>> client_at(std::string_view address);
  /// Drops the connections to a server that has left.
  void forget(const NodeId& node) { pool_.forget(node.text); }

 private:
  thrift::ClientPool pool_;
};

}  // namespace quiver::cluster
