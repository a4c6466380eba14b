#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "mcp/offer.h"
#include "mcp/tools.h"
#include "mcp/turn.h"

namespace quiver::mcp {

/// Hands work to another thread. Errors: ResourceExhausted when too much waits already.
using Submit = std::function<Status(std::function<void()> work)>;

struct ServerOptions {
  /// How long a call may take before it is told to give up.
  std::chrono::milliseconds call_timeout{60'000};
  /// Least time between two progress notifications of one call.
  std::chrono::milliseconds progress_interval{100};
  /// How long a modern client may keep what tools/list and server/discover answered.
  std::chrono::milliseconds list_ttl{300'000};
};

/// The MCP server: answers requests of every revision, each message by its own era.
///
/// Cheap requests are answered on the thread that brings them, so that a ping never waits behind a
/// search; the others go through `submit`, and their replies come in any order.
///
/// Knows no transports; those are Connection's and HttpEndpoint's.
///
/// Threads: any; unchanged after construction. Must outlive all work given to `submit`.
class Server {
 public:
  Server(Offer offer, Submit submit, const ServerOptions& options = {});

  /// What it offers; the same for as long as it lives.
  const Offer& offer() const noexcept { return offer_; }

  /// Answers a request by its outlet, before this returns or later.
  void handle(Request request, Exchange exchange) const;

  /// Answers without carrying out what may take long: a tool call fails with `busy`, in the form of
  /// its era; anything cheap is answered.
  void turn_down(Request request, Exchange exchange, const Error& busy) const;

  /// Takes note of what a client says without asking.
  void notice(const Notification& notification, Session& session) const;

 private:
  struct Method;
  static const Method* find_method(std::string_view name);

  void start(Request request, Exchange exchange, const Error* busy) const;
  /// What is wrong with a request before its method looks at it; fills in what the turn says of the
  /// client.
  std::optional<Reply> classify(Turn& turn, const Method*& method) const;
  std::optional<Reply> classify_modern(Turn& turn, const Json* claimed, const Method* method) const;
  void run(const Method& method, const TurnPtr& turn) const;

  void initialize(const TurnPtr& turn) const;
  void ping(const TurnPtr& turn) const;
  void discover(const TurnPtr& turn) const;
  void list_tools(const TurnPtr& turn) const;
  void call_tool(const TurnPtr& turn) const;

  Call call_of(Turn& turn, const Json& arguments, Json progress_token) const;
  Outcome<ToolResult> carry_out(const Tool& tool, Call& call) const;
  Reply tool_reply(const Turn& turn, const ToolResult& result) const;
  /// A result of JSON text `members`, which may be empty.
  Reply complete(const Turn& turn, std::string_view members) const;

  const Offer offer_;
  const Tools tools_;
  const Submit submit_;
  const ServerOptions options_;
  /// JSON text that begins every modern result, and that marks a list.
  const std::string modern_head_;
  const std::string cache_hints_;
};

/// Ends a turn with its reply, unless it was cancelled: then nothing is sent.
void finish(Turn& turn, Reply reply);

/// An error as the reply to a turn.
Reply failure(const Turn& turn, const RpcError& error);

}  // namespace quiver::mcp
