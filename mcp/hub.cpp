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

bool has_subject(const Event& event) {
  return event.kind == Event::Kind::ResourceUpdated || event.kind == Event::Kind::TaskChanged;
}

struct Subscriber {
  std::set<Event::Kind> lists;
  std::set<std::string> uris = {};
  std::shared_ptr<const Hub::Tell> tell;
  /// Due, and not taken yet.
  std::set<Event> owed = {};
  Clock::time_point retry_at = {};
  std::chrono::milliseconds retry_after{0};
  /// There was no way to it, and nobody has said since that there is.
  bool is_out_of_reach = false;
  std::uint64_t resumes = 0;

  bool wants(const Event& event) const {
    return has_subject(event) ? uris.contains(event.subject) : lists.contains(event.kind);
  }
};

/// What one subscriber is to be told in one go.
struct Delivery {
  std::uint64_t subscriber;
  std::shared_ptr<const Hub::Tell> tell;
  std::set<Event> owed;
  /// Of the subscriber, at the time.
  std::uint64_t resumes;
  /// What came of it: what was not taken, and how the first of that failed.
  std::set<Event> left = {};
  Told told = Told::Yes;

  void carry_out() {
    for (const Event& event : owed) {
      // A client that did not take one would not take the next.
      if (told == Told::Yes) told = (*tell)(event);
      if (told != Told::Yes) left.insert(event);
    }
  }
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
  /// Null once it is gone.
  Hub* hub QV_GUARDED_BY(mutex) = nullptr;

  void forget(const std::string& uri) QV_REQUIRES(mutex) {
    const auto found = watched.find(uri);
    if (--found->second == 0) watched.erase(found);
    --uris;
  }

  /// Unless there is a flush before that.
  void schedule(Clock::time_point time) QV_REQUIRES(mutex) {
    if (hub == nullptr || (next_flush && *next_flush <= time)) return;
    next_flush = time;
    hub->deadlines_.at(time, [its_hub = hub] { its_hub->flush(); });
  }

  std::vector<Delivery> due(Clock::time_point now) QV_REQUIRES(mutex) {
    const std::vector<Event> events = coalescer.take(now);
    std::vector<Delivery> deliveries;
    for (auto& [id, subscriber] : subscribers) {
      for (const Event& event : events) {
        if (subscriber.wants(event)) subscriber.owed.insert(event);
      }
      const bool waits = subscriber.is_out_of_reach || subscriber.retry_at > now;
      if (subscriber.owed.empty() || waits) continue;
      deliveries.push_back({id, subscriber.tell, subscriber.owed, subscriber.resumes});
    }
    return deliveries;
  }

  void settle(const Delivery& delivery) QV_REQUIRES(mutex) {
    const auto found = subscribers.find(delivery.subscriber);
    if (found == subscribers.end()) return;
    Subscriber& subscriber = found->second;
    for (const Event& event : delivery.owed) {
      if (!delivery.left.contains(event)) subscriber.owed.erase(event);
    }
    if (delivery.told == Told::Later) {
      subscriber.retry_after =
          std::clamp(subscriber.retry_after * 2, options.interval, options.retry_max);
      subscriber.retry_at = Clock::now() + subscriber.retry_after;
      return;
    }
    subscriber.retry_at = {};
    subscriber.retry_after = std::chrono::milliseconds(0);
    // It may have come within reach while it was being told.
    subscriber.is_out_of_reach =
        delivery.told == Told::Nowhere && delivery.resumes == subscriber.resumes;
  }

  /// When there is something to tell, or to tell again: the latter in steps, for all at once.
  std::optional<Clock::time_point> next() const QV_REQUIRES(mutex) {
    std::optional<Clock::time_point> next = coalescer.next();
    std::optional<Clock::time_point> retry;
    for (const auto& [id, subscriber] : subscribers) {
      if (subscriber.owed.empty() || subscriber.is_out_of_reach) continue;
      if (!retry || subscriber.retry_at < *retry) retry = subscriber.retry_at;
    }
    if (retry) {
      retry = std::max(*retry, Clock::now() + options.interval);
      if (!next || *retry < *next) next = retry;
    }
    return next;
  }
};

Hub::Hub(const HubOptions& options) : state_(std::make_shared<State>(options)) {
  const MutexLock lock(state_->mutex);
  state_->hub = this;
}

Hub::~Hub() {
  const MutexLock lock(state_->mutex);
  state_->hub = nullptr;
}

void Hub::publish(const Event& event) {
  const auto now = Clock::now();
  const MutexLock lock(state_->mutex);
  if (has_subject(event) && !state_->watched.contains(event.subject)) return;
  if (state_->subscribers.empty()) return;
  state_->coalescer.add(event, now);
  if (const auto next = state_->coalescer.next()) state_->schedule(*next);
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
  for (Delivery& delivery : deliveries) delivery.carry_out();
  const MutexLock lock(state_->mutex);
  for (const Delivery& delivery : deliveries) state_->settle(delivery);
  if (const auto next = state_->next()) state_->schedule(*next);
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

Status Subscription::watch(const std::string& subject) {
  const MutexLock lock(state_->mutex);
  Subscriber& subscriber = state_->subscribers.at(id_);
  if (subscriber.uris.contains(subject)) return Done{};
  if (subscriber.uris.size() >= state_->options.uris_max) {
    return Error{ErrorCode::ResourceExhausted,
                 "too many resources and tasks are subscribed to: at most " +
                     std::to_string(state_->options.uris_max)};
  }
  if (state_->uris >= state_->options.uris_total_max) {
    return Error{ErrorCode::ResourceExhausted, "too many clients subscribe to resources and tasks"};
  }
  subscriber.uris.insert(subject);
  ++state_->watched[subject];
  ++state_->uris;
  return Done{};
}

void Subscription::unwatch(const std::string& subject) {
  const MutexLock lock(state_->mutex);
  Subscriber& subscriber = state_->subscribers.at(id_);
  if (subscriber.uris.erase(subject) == 0) return;
  std::erase_if(subscriber.owed, [&](const Event& event) { return event.subject == subject; });
  state_->forget(subject);
}

void Subscription::resume_from_scratch() {
  {
    const MutexLock lock(state_->mutex);
    Subscriber& subscriber = state_->subscribers.at(id_);
    for (const auto kind : subscriber.lists) subscriber.owed.insert({kind});
    for (const auto& uri : subscriber.uris) {
      subscriber.owed.insert({Event::Kind::ResourceUpdated, uri});
    }
  }
  resume();
}

void Subscription::resume() {
  const MutexLock lock(state_->mutex);
  Subscriber& subscriber = state_->subscribers.at(id_);
  ++subscriber.resumes;
  subscriber.is_out_of_reach = false;
  subscriber.retry_at = {};
  if (!subscriber.owed.empty()) state_->schedule(Clock::now());
}

}  // namespace quiver::mcp
