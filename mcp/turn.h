#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "core/mutex.h"
#include "mcp/call.h"
#include "mcp/json_rpc.h"
#include "mcp/outlet.h"
#include "mcp/revision.h"
#include "mcp/session.h"

namespace quiver::mcp {

struct Task;

/// The way a request came by.
struct Exchange {
  /// Null for a modern request by HTTP, which has none.
  std::shared_ptr<Session> session;
  std::shared_ptr<Outlet> outlet;
  /// Fires when a modern client by HTTP disconnects; a request of a session is cancelled by
  /// message.
  CancelToken gone = CancelToken::make();
};

/// One request on its way through the server.
///
/// Threads: one at a time, which carries it out; but for the functions, which are for any.
class Turn {
 public:
  Turn(Request what, Exchange exchange)
      : request(std::move(what)),
        session(std::move(exchange.session)),
        cancel(std::move(exchange.gone)),
        outlet_(std::move(exchange.outlet)) {}

  const Request request;
  /// See Exchange.
  const std::shared_ptr<Session> session;
  /// Under which it is answered.
  const Revision* revision = &assumed_revision();
  CancelToken cancel;
  /// The session knows it, so that it can be cancelled.
  bool in_flight = false;
  /// ClientCapabilities.
  Json capabilities = Json::object();
  /// Modern: what the request asks for. Legacy: the session says.
  std::optional<LogLevel> log_level = std::nullopt;
  Inputs inputs = {};
  /// How often it has asked the client.
  int rounds = 0;
  /// See Outlet. False once there was a reply.
  bool tell(const std::string& message);
  bool send(const std::string& message);
  bool detach();

  /// Ends it with its reply, unless it was cancelled: then nothing is sent. False if it had ended.
  bool finish(Reply reply);
  /// Ends it with the reply that it goes on as `task`. False if it had ended.
  bool become(const std::shared_ptr<Task>& task, Reply reply);
  /// As what it goes on; null: it does not, or that is over and forgotten.
  std::shared_ptr<Task> task() const;

 private:
  std::shared_ptr<Outlet> outlet() const;

  mutable Mutex mutex_;
  std::shared_ptr<Outlet> outlet_ QV_GUARDED_BY(mutex_);
  /// Weak: a task that waits for an answer owns the turn.
  std::weak_ptr<Task> task_ QV_GUARDED_BY(mutex_);
};

using TurnPtr = std::shared_ptr<Turn>;

/// An error as the reply to a turn.
Reply failure(const Turn& turn, const RpcError& error);
/// One that says the request was not even looked at.
Reply refusal(const Turn& turn, const RpcError& error);

}  // namespace quiver::mcp
