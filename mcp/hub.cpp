#include "mcp/hub.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "core/mutex.h"
#include "mcp/coalescer.h"

namespace quiver::mcp {
namespace {

using Clock = std::chrono::steady_clock;

struct Subscriber {
  std::set<Event::Kind> lists;
  std::set<std::string> uris = {};
  std::shared_ptr<const Hub::Tell> tell;
  /// Due, and not taken yet.
  std::set<Event> owed = {};
  Clock::time_point retry_at = {};
  std::chrono::milliseconds retry_after{0};

  bool wants(const Event& event) const {
    if (event.kind == Event::Kind::ResourceUpdated) return uris.contains(event.uri);
    return lists.contains(event.kind);
  }
};

/// What one subscriber is to be told in one go.
struct Delivery {
  std::uint64_t subscriber;
  std::shared_ptr<const Hub::Tell> tell;
  std::set<Event> owed;
};

}  // namespace

struct Hub::State {
  explicit State(const HubOptions& its_options)
      : options(its_options), coalescer(its_options.interval) {}

  const HubOptions options;
  mutable Mutex mutex;
  Coalescer coalescer QV_GUARDED_BY(mutex);
  std::map<std::uint64_t, Subscriber> subscribers QV_GUARDED_BY(mutex);
  std::uint64_t last_id QV_GUARDED_BY(mutex) = 0;
  /// By how many subscribers.
  std::map<std::string, std::size_t> watched QV_GUARDED_BY(mutex);
  std::size_t uris QV_GUARDED_BY(mutex) = 0;
  std::optional<Clock::time_point> next_flush QV_GUARDED_BY(mutex);

  void forget(const std::string& uri) QV_REQUIRES(mutex) {
    const auto found = watched.find(uri);
    if (--found->second == 0) watched.erase(found);
    --uris;
  }

  std::vector<Delivery> due(Clock::time_point now) QV_REQUIRES(mutex) {
    const std::vector<Event> events = coalescer.take(now);
    std::vector<Delivery> deliveries;
    for (auto& [id, subscriber] : subscribers) {
      for (const Event& event : events) {
        if (subscriber.wants(event)) subscriber.owed.insert(event);
      }
      if (subscriber.owed.empty() || subscriber.retry_at > now) continue;
      deliveries.push_back({id, subscriber.tell, subscriber.owed});
    }
    return deliveries;
  }

  /// `left` was not taken.
  void settle(const Delivery& delivery, const std::set<Event>& left) QV_REQUIRES(mutex) {
    const auto found = subscribers.find(delivery.subscriber);
    if (found == subscribers.end()) return;
    Subscriber& subscriber = found->second;
    for (const Event& event : delivery.owed) {
      if (!left.contains(event)) subscriber.owed.erase(event);
    }
    if (left.empty()) {
      subscriber.retry_at = {};
      subscriber.retry_after = std::chrono::milliseconds(0);
      return;
    }
    subscriber.retry_after =
        std::clamp(subscriber.retry_after * 2, options.interval, options.retry_max);
    subscriber.retry_at = Clock::now() + subscriber.retry_after;
  }

  /// When there is something to tell, or to tell again: the latter in steps, for all at once.
  std::optional<Clock::time_point> next() const QV_REQUIRES(mutex) {
    std::optional<Clock::time_point> next = coalescer.next();
    std::optional<Clock::time_point> retry;
    for (const auto& [id, subscriber] : subscribers) {
      if (subscriber.owed.empty()) continue;
      if (!retry || subscriber.retry_at < *retry) retry = subscriber.retry_at;
    }
    if (retry) {
      retry = std::max(*retry, Clock::now() + options.interval);
      if (!next || *retry < *next) next = retry;
    }
    return next;
  }
};

Hub::Hub(const HubOptions& options) : state_(std::make_shared<State>(options)) {}

Hub::~Hub() = default;

void Hub::publish(const Event& event) {
  const auto now = Clock::now();
  const MutexLock lock(state_->mutex);
  if (event.kind == Event::Kind::ResourceUpdated && !state_->watched.contains(event.uri)) return;
  if (state_->subscribers.empty()) return;
  state_->coalescer.add(event, now);
  const auto next = state_->coalescer.next();
  if (next && (!state_->next_flush || *next < *state_->next_flush)) schedule(*next);
}

void Hub::schedule(Clock::time_point time) QV_REQUIRES(state_->mutex) {
  state_->next_flush = time;
  deadlines_.at(time, [this] { flush(); });
}

void Hub::flush() {
  std::vector<Delivery> deliveries;
  {
    const MutexLock lock(state_->mutex);
    const auto now = Clock::now();
    // One that was scheduled before an earlier one came in between.
    if (!state_->next_flush || *state_->next_flush > now) return;
    state_->next_flush.reset();
    deliveries = state_->due(now);
  }
  std::vector<std::set<Event>> left(deliveries.size());
  for (std::size_t i = 0; i < deliveries.size(); ++i) {
    for (const Event& event : deliveries[i].owed) {
      // A client that did not take one would not take the next.
      if (!left[i].empty() || !(*deliveries[i].tell)(event)) left[i].insert(event);
    }
  }
  const MutexLock lock(state_->mutex);
  for (std::size_t i = 0; i < deliveries.size(); ++i) state_->settle(deliveries[i], left[i]);
  const auto next = state_->next();
  if (next && (!state_->next_flush || *next < *state_->next_flush)) schedule(*next);
}

Result<std::shared_ptr<Subscription>> Hub::subscribe(std::set<Event::Kind> lists, Tell tell) {
  Subscriber subscriber{.lists = std::move(lists),
                        .tell = std::make_shared<const Tell>(std::move(tell))};
  const MutexLock lock(state_->mutex);
  if (state_->subscribers.size() >= state_->options.subscriptions_max) {
    return Error{ErrorCode::ResourceExhausted,
                 "too many clients wait for changes: at most " +
                     std::to_string(state_->options.subscriptions_max)};
  }
  const std::uint64_t id = ++state_->last_id;
  state_->subscribers.emplace(id, std::move(subscriber));
  return std::shared_ptr<Subscription>(new Subscription(state_, id));
}

std::vector<std::string> Hub::watched() const {
  std::vector<std::string> uris;
  const MutexLock lock(state_->mutex);
  for (const auto& [uri, count] : state_->watched) uris.push_back(uri);
  return uris;
}

Subscription::Subscription(std::shared_ptr<Hub::State> state, std::uint64_t id)
    : state_(std::move(state)), id_(id) {}

Subscription::~Subscription() {
  // Let go of outside of the lock: what tells may own much.
  Subscriber ended;
  const MutexLock lock(state_->mutex);
  auto node = state_->subscribers.extract(id_);
  for (const std::string& uri : node.mapped().uris) state_->forget(uri);
  ended = std::move(node.mapped());
}

Status Subscription::watch(const std::string& uri) {
  const MutexLock lock(state_->mutex);
  Subscriber& subscriber = state_->subscribers.at(id_);
  if (subscriber.uris.contains(uri)) return Done{};
  if (subscriber.uris.size() >= state_->options.uris_max) {
    return Error{ErrorCode::ResourceExhausted, "too many resources are subscribed to: at most " +
                                                   std::to_string(state_->options.uris_max)};
  }
  if (state_->uris >= state_->options.uris_total_max) {
    return Error{ErrorCode::ResourceExhausted, "too many clients subscribe to resources"};
  }
  subscriber.uris.insert(uri);
  ++state_->watched[uri];
  ++state_->uris;
  return Done{};
}

void Subscription::unwatch(const std::string& uri) {
  const MutexLock lock(state_->mutex);
  Subscriber& subscriber = state_->subscribers.at(id_);
  if (subscriber.uris.erase(uri) == 0) return;
  subscriber.owed.erase({Event::Kind::ResourceUpdated, uri});
  state_->forget(uri);
}

}  // namespace quiver::mcp
