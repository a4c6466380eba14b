// Who has subscribed is told, once, and only for as long as the subscription lives. Threads wait
// for each other at doors, never for time.

#include "service/changes.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "service/change_feed.h"

namespace quiver::service {
namespace {

using Kind = Change::Kind;

Change points(const std::string& name) {
  return {Kind::PointsChanged, name};
}
Change collections(const std::string& name) {
  return {Kind::CollectionsChanged, name};
}

/// Keeps what it is told; lets tests wait for it, and can be made to stay in the call.
class Listener {
 public:
  ChangeListener callback() {
    return [this](const Change& change) {
      std::unique_lock lock(mutex_);
      heard_.push_back(change);
      news_.notify_all();
      while (is_held_) news_.wait(lock);
    };
  }
  void hold(bool is_held) {
    const std::lock_guard lock(mutex_);
    is_held_ = is_held;
    news_.notify_all();
  }
  std::vector<Change> heard() {
    const std::lock_guard lock(mutex_);
    return heard_;
  }
  bool wait_for(const Change& change) {
    std::unique_lock lock(mutex_);
    return news_.wait_for(lock, std::chrono::seconds(20), [&] {
      return std::find(heard_.begin(), heard_.end(), change) != heard_.end();
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable news_;
  std::vector<Change> heard_;
  bool is_held_ = false;
};

TEST_CASE("changes: a hub tells every subscriber for as long as it is subscribed", "[service]") {
  ChangeHub hub;
  CHECK_FALSE(hub.has_listeners());
  Listener one;
  Listener two;
  auto first = hub.subscribe(one.callback());
  {
    const auto second = hub.subscribe(two.callback());
    hub.publish(points("a"));
  }
  hub.publish(points("b"));
  ChangeSubscription moved = std::move(first);
  hub.publish(collections("c"));
  CHECK(one.heard() == std::vector<Change>{points("a"), points("b"), collections("c")});
  CHECK(two.heard() == std::vector<Change>{points("a")});
  moved = ChangeSubscription();
  CHECK_FALSE(hub.has_listeners());
  hub.publish(points("d"));
  CHECK(one.heard().size() == 3);
}

TEST_CASE("changes: a subscription may outlive its hub", "[service]") {
  Listener listener;
  std::optional<ChangeHub> hub(std::in_place);
  auto subscription = hub->subscribe(listener.callback());
  hub.reset();
  subscription.reset();
  CHECK(listener.heard().empty());
}

TEST_CASE("changes: a listener that throws costs the others nothing", "[service]") {
  ChangeHub hub;
  Listener listener;
  const auto bad = hub.subscribe([](const Change&) { throw std::runtime_error("on purpose"); });
  const auto good = hub.subscribe(listener.callback());
  hub.publish(points("a"));
  CHECK(listener.heard() == std::vector<Change>{points("a")});
}

TEST_CASE("changes: ending a subscription waits for its listener", "[service]") {
  ChangeHub hub;
  Listener listener;
  listener.hold(true);
  std::atomic<bool> is_over = false;
  auto subscription = hub.subscribe([&](const Change& change) {
    listener.callback()(change);
    is_over = true;
  });
  std::thread publisher([&] { hub.publish(points("a")); });
  REQUIRE(listener.wait_for(points("a")));
  std::thread opener([&] { listener.hold(false); });
  subscription.reset();
  CHECK(is_over);
  publisher.join();
  opener.join();
}

TEST_CASE("changes: a listener may end its own subscription", "[service]") {
  ChangeHub hub;
  int calls = 0;
  ChangeSubscription subscription;
  subscription = hub.subscribe([&](const Change&) {
    ++calls;
    subscription.reset();
  });
  hub.publish(points("a"));
  hub.publish(points("b"));
  CHECK(calls == 1);
}

TEST_CASE("changes: what waits is told once, and never grows beyond its bound", "[service]") {
  PendingChanges pending;
  CHECK(pending.empty());
  for (const auto* name : {"b", "a", "b"}) pending.add(points(name));
  pending.add(collections("a"));
  CHECK(pending.take() == std::vector<Change>{collections("a"), points("a"), points("b")});
  CHECK(pending.empty());

  for (std::size_t i = 0; i < PendingChanges::kNamesMax; ++i)
    pending.add(points(std::to_string(i)));
  pending.add(collections("x"));
  CHECK(pending.take().size() == PendingChanges::kNamesMax + 1);

  for (std::size_t i = 0; i <= PendingChanges::kNamesMax; ++i) {
    pending.add(points(std::to_string(i)));
  }
  pending.add(points("more"));
  pending.add(collections("x"));
  CHECK(pending.take() == std::vector<Change>{collections("x"), points("")});
  pending.add(points(""));
  pending.add(points("a"));
  CHECK(pending.take() == std::vector<Change>{points("")});
}

TEST_CASE("changes: a feed never waits for its listeners", "[service]") {
  ChangeFeed feed(std::chrono::milliseconds(0));
  Listener listener;
  feed.publish(points("before"));
  const auto subscription = feed.subscribe(listener.callback());
  listener.hold(true);
  feed.publish(points("a"));
  REQUIRE(listener.wait_for(points("a")));
  // The listener is held, and still this comes back.
  for (int i = 0; i < 10'000; ++i) feed.publish(points(i % 2 == 0 ? "b" : "c"));
  CHECK(listener.heard() == std::vector<Change>{points("a")});
  listener.hold(false);
  REQUIRE(listener.wait_for(points("c")));
  CHECK(listener.heard() == std::vector<Change>{points("a"), points("b"), points("c")});
}

TEST_CASE("changes: a stopped feed is silent, and stopping does not wait for its interval",
          "[service]") {
  ChangeFeed feed(std::chrono::hours(1));
  Listener listener;
  const auto subscription = feed.subscribe(listener.callback());
  feed.publish(points("a"));
  REQUIRE(listener.wait_for(points("a")));
  feed.publish(points("b"));
  feed.stop();
  feed.publish(points("c"));
  const auto late = feed.subscribe(listener.callback());
  CHECK(listener.heard() == std::vector<Change>{points("a")});
}

}  // namespace
}  // namespace quiver::service
