#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/result.h"
#include "mcp/deadlines.h"
#include "mcp/events.h"

namespace quiver::mcp {

struct HubOptions {
  /// Least time between two notifications of the same event.
  std::chrono::milliseconds interval{100};
  /// A client that reads too slowly is tried again, at last this seldom.
  std::chrono::milliseconds retry_max{5'000};
  std::size_t subscriptions_max = 20'000;
  /// URIs of one subscription, and of all.
  std::size_t uris_max = 256;
  std::size_t uris_total_max = 100'000;
};

class Subscription;

/// Carries events from those who change something to the clients that asked to be told.
///
/// Publishing waits for nobody: clients are told on a thread of the hub's own, which there is from
/// the first event on that somebody wants. Events that come fast are told of together (Coalescer);
/// what a client does not take is kept for it, once for each event: who reads slowly is tried
/// again, who cannot be reached is not, until Subscription::resume().
///
/// Threads: any.
class Hub {
 public:
  /// Sends what tells of an event, without waiting. May be called once more after its subscription
  /// has ended.
  using Tell = std::function<Told(const Event& event)>;

  explicit Hub(const HubOptions& options = {});
  ~Hub();
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  void publish(const Event& event);

  /// `lists` are the kinds of list that the subscriber wants to hear of. It lives as long as what
  /// is returned. Errors: ResourceExhausted when there are too many.
  Result<std::shared_ptr<Subscription>> subscribe(std::set<Event::Kind> lists, Tell tell);

  /// What watch() was called with, by all that are there.
  std::vector<std::string> watched() const;

 private:
  friend class Subscription;
  struct State;

  void flush();

  const std::shared_ptr<State> state_;
  Deadlines deadlines_;
};

/// What one client wants to hear of. May outlive the hub.
///
/// Threads: any.
class Subscription {
 public:
  ~Subscription();
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  /// A resource's URI, or the id of a task. Errors: ResourceExhausted when there are too many.
  Status watch(const std::string& subject);
  /// Nothing if it is not watched.
  void unwatch(const std::string& subject);

  /// The client can be reached again: it is told what is kept for it.
  void resume();
  /// It may have missed anything: it is told of all that it wants to hear of, as if that had
  /// changed.
  void resume_from_scratch();

 private:
  friend class Hub;
  Subscription(std::shared_ptr<Hub::State> state, std::uint64_t id);

  const std::shared_ptr<Hub::State> state_;
  const std::uint64_t id_;
};

}  // namespace quiver::mcp
