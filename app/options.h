#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cluster/options.h"
#include "core/limits.h"
#include "embedding/options.h"
#include "service/engine.h"
#include "service/selection.h"
#include "storage/options.h"

namespace quiver::app {

struct LogOptions {
  /// Least severe line that is written.
  std::string level = "info";
};

/// How `quiver serve` listens, and what requests may cost, over stdio too.
struct ServerOptions {
  std::string host = "127.0.0.1";
  /// 0: any free one.
  std::uint16_t port = 7600;
  /// Names that a Host header may carry beside those of this machine's loopback.
  std::vector<std::string> allowed_hosts;
  /// Web origins that may call from a browser beside those of this machine's loopback.
  std::vector<std::string> allowed_origins;
  /// Requests carried out at the same time.
  std::uint32_t request_threads = 8;
  /// Requests that may wait for a thread; more are refused.
  std::uint32_t request_queue = 256;
  /// Clients connected at the same time.
  std::uint32_t connections = 10'000;
  /// Seconds after which a tool call is given up.
  std::uint32_t call_timeout_s = 60;
  /// Largest request, bytes.
  std::size_t message_bytes_max = limits::kMessageBytesMax;
  /// Sessions of clients by HTTP.
  std::uint32_t sessions = 10'000;
  /// Seconds after which a session that was not in use ends.
  std::uint32_t session_idle_s = 1800;
  /// Bytes of messages kept for clients by HTTP that lose their connection and come back.
  std::size_t event_log_bytes = std::size_t{64} << 20;
  /// Serve the HTTP+SSE transport of 2024-11-05 as well.
  bool legacy_sse = false;
};

/// What `quiver mcp` and `quiver serve` offer to clients.
struct McpOptions {
  service::Selection selection;
  /// What one reply may take, bytes of JSON.
  std::size_t result_bytes = service::kReplyBytes;
};

/// Everything that a person may decide about a node. Immutable after start.
struct Options {
  /// Directory of all data; after load_options() never empty.
  std::string data_dir;
  LogOptions log;
  ServerOptions server;
  McpOptions mcp;
  cluster::ClusterOptions cluster;
  /// Where cluster.token comes from unless the environment has it.
  std::string cluster_token_file;
  /// See cluster::ClusterNode::Settings::restore_map. For one start, so of the command line alone.
  bool restore_map = false;
  storage::Options storage;
  embedding::Options embedding;
};

}  // namespace quiver::app
