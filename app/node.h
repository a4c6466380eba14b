#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "app/config.h"
#include "app/options.h"
#include "app/shared_executor.h"
#include "app/standard_streams.h"
#include "app/stop_switch.h"

namespace quiver::app {

/// A node: the executor on its data directory, and the surfaces over it.
///
/// Threads: one.
class Node {
 public:
  /// Touches no file.
  Node(const Options& options, const Environment& environment, ExecutorFactory engine);

  SharedExecutor& executor() noexcept { return executor_; }

  /// Serves MCP over two descriptors until the peer closes or `stop` fires; closes the data.
  ///
  /// Errors: Unavailable when the channel broke.
  Status serve_stdio(ProtocolStreams streams, StopSwitch& stop);

  /// Serves /mcp, REST, reports on itself and, if so configured, /sse until `stop` fires; closes
  /// the data.
  /// `on_started` gets the URL of the MCP endpoint.
  ///
  /// Errors: FailedPrecondition if the port or the data directory cannot be had; see
  /// SharedExecutor::attach(). As a server of a cluster, those of cluster::ClusterNode::start(),
  /// too.
  Status serve_http(StopSwitch& stop, const std::function<void(const std::string&)>& on_started);

 private:
  const Options options_;
  SharedExecutor executor_;
};

}  // namespace quiver::app
