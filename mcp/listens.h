#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/mutex.h"
#include "mcp/hub.h"
#include "mcp/json_rpc.h"
#include "mcp/turn.h"

namespace quiver::mcp {

/// What a subscriptions/listen asks to be told of.
struct ListenFilter {
  std::set<Event::Kind> lists;
  /// Nothing: it does not ask for resources.
  std::optional<std::vector<std::string>> uris;
  /// Nothing: it does not ask for tasks.
  std::optional<std::vector<std::string>> task_ids = std::nullopt;
};

/// Reads params.notifications; kinds that are not known are left out. Errors: InvalidArgument.
Result<ListenFilter> read_listen_filter(const Json& params);
/// SubscriptionFilter.
Json to_json(const ListenFilter& filter);

/// The subscriptions/listen requests that are open. They hold no thread.
///
/// Threads: any.
class Listens {
 public:
  /// Of one session, and of all clients together.
  static constexpr std::size_t kOfSessionMax = 64;
  static constexpr std::size_t kMax = 10'000;

  /// Ends a turn with an empty result that carries this _meta.
  using Close = std::function<void(Turn& turn, const Json& meta)>;

  /// The notification of an event, with this _meta; empty: there is nothing to tell. Called only
  /// while this lives.
  using Render = std::function<std::string(const Event& event, const Json& meta)>;

  Listens(std::shared_ptr<Hub> hub, Render render, Close close)
      : hub_(std::move(hub)),
        render_(std::make_shared<const Render>(std::move(render))),
        close_(std::move(close)) {}
  ~Listens() { end_all(); }
  Listens(const Listens&) = delete;
  Listens& operator=(const Listens&) = delete;

  /// Acknowledges a request, and keeps it open until its token fires or it is ended here.
  /// `honoured` is what the server can tell of. Errors: ResourceExhausted when there are too many;
  /// Unavailable if nothing can be sent before a reply. The turn is then as it was.
  Status open(const TurnPtr& turn, const ListenFilter& honoured);

  /// Ends those of one session, or all, in good order: the client is told.
  void end_session(const Session& session);
  void end_all();

  std::size_t size() const;

 private:
  class Listen;
  using ListenPtr = std::shared_ptr<Listen>;

  /// Takes one out; null if it has ended.
  ListenPtr take(const Listen* listen);
  void end(const std::vector<ListenPtr>& ended);

  const std::shared_ptr<Hub> hub_;
  const std::shared_ptr<const Render> render_;
  const Close close_;
  mutable Mutex mutex_;
  std::map<const Listen*, ListenPtr> open_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::mcp
