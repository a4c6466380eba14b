#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "core/call_context.h"
#include "mcp/json_rpc.h"
#include "mcp/progress.h"
#include "mcp/revision.h"
#include "mcp/tools.h"
#include "service/executor.h"
#include "service/registry.h"

namespace quiver::mcp {

struct ServerOptions {
  /// How long a tool may take before it is told to give up.
  std::chrono::milliseconds call_timeout{60'000};
  /// Least time between two progress notifications of one call.
  std::chrono::milliseconds progress_interval{100};
  /// How long a modern client may keep what tools/list and server/discover answered.
  std::chrono::milliseconds list_ttl{300'000};
  /// Largest structured result of a tool; it is sent twice, as text and as structure.
  std::size_t result_bytes_max = std::size_t{8} << 20;
};

/// What the way a request came by offers to it.
struct Exchange {
  /// Of the handshake or the HTTP header; modern requests carry their own.
  const Revision& legacy;
  CancelToken cancel = {};
  /// Null: only the reply can be sent.
  Notify notify = nullptr;
};

/// The answer to one request.
struct Reply {
  std::string text;
  /// 0, or the code of the JSON-RPC error in `text`.
  int error = 0;
  /// A modern request was turned away before its method saw it. HTTP has a status for that.
  bool refused = false;
  /// An initialize agreed on this.
  const Revision* agreed = nullptr;
};

/// The MCP server: answers requests of every revision, each message by its own era.
///
/// Knows neither transports nor threads; those are Connection's and HttpEndpoint's.
///
/// Threads: any; unchanged after construction. Borrows the registry and the executor.
class Server {
 public:
  Server(const service::Registry& registry, service::Executor& executor,
         const ServerOptions& options = {});

  /// Carries out one request on this thread.
  Reply answer(const Request& request, const Exchange& exchange) const;

  /// Answers without carrying out: a tool call fails with `error`, in the form of its era; anything
  /// else is cheap, and is answered.
  Reply turn_down(const Request& request, const Exchange& exchange, const Error& error) const;

  /// Whether answer() may take long: then it should not run on the thread that reads.
  static bool runs_long(const Request& request);

 private:
  Reply legacy(const Request& request, const Exchange& exchange) const;
  Reply modern(const Request& request, const Exchange& exchange, const Json* claimed) const;
  Reply initialize(const Request& request) const;
  Reply list_tools(const Request& request, const Revision& revision) const;
  Reply call_tool(const Request& request, const Revision& revision, const Exchange& exchange) const;
  Result<Json> invoke(const service::Operation& operation, const Json& arguments,
                      CallContext call) const;
  Reply tool_result(const Request& request, const Revision& revision,
                    const Result<Json>& outcome) const;
  Reply complete(const Request& request, const Revision& revision, std::string_view members) const;

  const Tools tools_;
  service::Executor& executor_;
  const ServerOptions options_;
  /// JSON text that begins every modern result, and that marks a list.
  const std::string modern_head_;
  const std::string cache_hints_;
};

}  // namespace quiver::mcp
