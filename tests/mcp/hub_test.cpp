// When clients are told of changes, and which.

#include "mcp/hub.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <string>

#include <catch2/catch.hpp>

#include "mcp/coalescer.h"
#include "mcp/session.h"
#include "support.h"

namespace quiver::mcp {
namespace {

using namespace std::chrono_literals;
using Kind = Event::Kind;

const Coalescer::Time kStart{1000s};

Event updated(const std::string& uri) {
  return {Kind::ResourceUpdated, uri};
}

TEST_CASE("events: the notification of each", "[mcp]") {
  CHECK(notification_of({Kind::ToolsChanged}) ==
        R"({"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{}})");
  CHECK(notification_of({Kind::PromptsChanged}) ==
        R"({"jsonrpc":"2.0","method":"notifications/prompts/list_changed","params":{}})");
  CHECK(notification_of({Kind::ResourcesChanged}, {{"k", 1}}) ==
        R"({"jsonrpc":"2.0","method":"notifications/resources/list_changed",)"
        R"("params":{"_meta":{"k":1}}})");
  CHECK(notification_of(updated("a://b")) ==
        R"({"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":"a://b"}})");
}

TEST_CASE("coalescer: the first at once, the rest together, the last never lost", "[mcp]") {
  Coalescer coalescer(100ms);
  CHECK_FALSE(coalescer.next());
  coalescer.add(updated("a"), kStart);
  CHECK(coalescer.next() == kStart);
  CHECK(coalescer.take(kStart) == std::vector<Event>{updated("a")});
  CHECK_FALSE(coalescer.next());

  for (int i = 1; i <= 50; ++i) coalescer.add(updated("a"), kStart + i * 1ms);
  CHECK(coalescer.take(kStart + 50ms).empty());
  CHECK(coalescer.next() == kStart + 100ms);
  // Another event does not wait for it.
  coalescer.add(updated("b"), kStart + 60ms);
  CHECK(coalescer.take(kStart + 60ms) == std::vector<Event>{updated("b")});
  CHECK(coalescer.take(kStart + 99ms).empty());
  CHECK(coalescer.take(kStart + 100ms) == std::vector<Event>{updated("a")});
  CHECK_FALSE(coalescer.next());

  // Long after, it is at once again, whether or not somebody asked in between.
  coalescer.add(updated("a"), kStart + 900ms);
  CHECK(coalescer.next() == kStart + 900ms);
  CHECK(coalescer.take(kStart + 900ms) == std::vector<Event>{updated("a")});
  CHECK(coalescer.take(kStart + 2000ms).empty());
  coalescer.add(updated("a"), kStart + 2100ms);
  CHECK(coalescer.take(kStart + 2100ms) == std::vector<Event>{updated("a")});
}

TEST_CASE("coalescer: a thousand a second for ten seconds, against a model", "[mcp]") {
  Coalescer coalescer(100ms);
  std::mt19937 random(7);
  std::map<Event, Coalescer::Time> last_added;
  std::map<Event, Coalescer::Time> last_told;
  std::size_t told = 0;
  Coalescer::Time now = kStart;
  const auto take = [&] {
    for (const Event& event : coalescer.take(now)) {
      if (last_told.contains(event)) CHECK(now - last_told[event] >= 100ms);
      CHECK(last_added.contains(event));
      last_told[event] = now;
      ++told;
    }
  };
  for (int step = 0; step < 10'000; ++step) {
    now += 1ms;
    const Event event = updated(std::string(1, static_cast<char>('a' + random() % 3)));
    coalescer.add(event, now);
    last_added[event] = now;
    if (const auto next = coalescer.next(); next && *next <= now) take();
  }
  while (const auto next = coalescer.next()) {
    CHECK(*next - now <= 100ms);
    now = *next;
    take();
  }
  for (const auto& [event, added] : last_added) CHECK(last_told[event] >= added);
  CHECK(told <= 3 * 102);
  CHECK(told >= 3 * 50);
}

/// Keeps what it is told.
class Listener {
 public:
  Hub::Tell tell() {
    return [this](const Event& event) {
      const std::lock_guard lock(mutex_);
      ++tries_;
      changed_.notify_all();
      if (deaf_ != Told::Yes) return deaf_;
      told_.push_back(event);
      return Told::Yes;
    };
  }
  void be_deaf(bool deaf) { answer(deaf ? Told::Later : Told::Yes); }
  /// Yes: takes what it is told.
  void answer(Told deaf) {
    const std::lock_guard lock(mutex_);
    deaf_ = deaf;
  }
  std::size_t tries() {
    const std::lock_guard lock(mutex_);
    return tries_;
  }
  /// Waits for at least so many.
  std::vector<Event> told(std::size_t count) {
    std::unique_lock lock(mutex_);
    CHECK(changed_.wait_for(lock, test::kPatience, [&] { return told_.size() >= count; }));
    return told_;
  }
  bool tried(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, test::kPatience, [&] { return tries_ >= count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> told_;
  std::size_t tries_ = 0;
  Told deaf_ = Told::Yes;
};

TEST_CASE("hub: each hears of what it asked for, and no more", "[mcp]") {
  Listener tools;
  Listener resources;
  Hub hub;
  const auto a = hub.subscribe({Kind::ToolsChanged}, tools.tell());
  const auto b = hub.subscribe({Kind::ResourcesChanged}, resources.tell());
  REQUIRE(a.ok());
  REQUIRE(b.ok());
  REQUIRE((*b)->watch("x://1").ok());
  CHECK(hub.watched() == std::vector<std::string>{"x://1"});

  hub.publish({Kind::ToolsChanged});
  CHECK(tools.told(1) == std::vector<Event>{{Kind::ToolsChanged}});
  hub.publish({Kind::PromptsChanged});
  hub.publish(updated("x://2"));
  hub.publish(updated("x://1"));
  CHECK(resources.told(1) == std::vector<Event>{updated("x://1")});
  hub.publish({Kind::ResourcesChanged});
  CHECK(resources.told(2) == std::vector<Event>{updated("x://1"), {Kind::ResourcesChanged}});
  CHECK(tools.told(1).size() == 1);

  (*b)->unwatch("x://1");
  (*b)->unwatch("x://3");
  CHECK(hub.watched().empty());
  hub.publish(updated("x://1"));
  hub.publish({Kind::ResourcesChanged});
  CHECK(resources.told(3).back() == Event{Kind::ResourcesChanged});
}

TEST_CASE("hub: a storm of updates gives a few notifications, the last after the last", "[mcp]") {
  Listener listener;
  Hub hub({.interval = 20ms});
  const auto subscription = hub.subscribe({}, listener.tell());
  REQUIRE((*subscription)->watch("x://1").ok());
  hub.publish(updated("x://1"));
  listener.told(1);
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < 100'000; ++i) hub.publish(updated("x://1"));
  const auto storm = std::chrono::steady_clock::now() - begun;
  const std::size_t so_far = listener.told(2).size();
  // What was published last is told of after it was published.
  CHECK(so_far <= 3 + static_cast<std::size_t>(storm / 20ms) + 2);
}

TEST_CASE("hub: what a client does not take is kept for it, once for each event", "[mcp]") {
  Listener slow;
  Listener other;
  Hub hub({.interval = 1ms, .retry_max = 5ms});
  const auto a = hub.subscribe({Kind::ToolsChanged, Kind::PromptsChanged}, slow.tell());
  const auto b = hub.subscribe({Kind::ToolsChanged}, other.tell());
  slow.be_deaf(true);
  hub.publish({Kind::ToolsChanged});
  hub.publish({Kind::PromptsChanged});
  REQUIRE(slow.tried(1));
  // Others do not wait for it.
  for (std::size_t i = 2; i <= 5; ++i) {
    other.told(i - 1);
    hub.publish({Kind::ToolsChanged});
  }
  other.told(5);
  REQUIRE(slow.tried(10));
  slow.be_deaf(false);
  auto told = slow.told(2);
  std::sort(told.begin(), told.end());
  CHECK(told == std::vector<Event>{{Kind::ToolsChanged}, {Kind::PromptsChanged}});
}

TEST_CASE("hub: its bounds, and what ends", "[mcp]") {
  Listener listener;
  std::shared_ptr<Subscription> kept;
  {
    Hub hub({.subscriptions_max = 2, .uris_max = 2, .uris_total_max = 3});
    auto a = *hub.subscribe({}, listener.tell());
    auto b = *hub.subscribe({}, listener.tell());
    const auto refused = hub.subscribe({}, listener.tell());
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == ErrorCode::ResourceExhausted);
    CHECK(a->watch("1").ok());
    CHECK(a->watch("1").ok());
    CHECK(a->watch("2").ok());
    CHECK(a->watch("3").error().code == ErrorCode::ResourceExhausted);
    CHECK(b->watch("2").ok());
    CHECK(b->watch("4").error().code == ErrorCode::ResourceExhausted);
    a.reset();
    CHECK(hub.watched() == std::vector<std::string>{"2"});
    CHECK(b->watch("4").ok());
    CHECK(hub.subscribe({}, listener.tell()).ok());
    kept = b;
  }
  // Its hub is gone.
  kept->unwatch("4");
  kept->resume();
  kept.reset();
}

TEST_CASE("hub: who cannot be reached is tried once, and told when it can be", "[mcp]") {
  Listener away;
  Listener there;
  Hub hub({.interval = 1ms, .retry_max = 1ms});
  away.answer(Told::Nowhere);
  const auto a = *hub.subscribe({Kind::ToolsChanged, Kind::PromptsChanged}, away.tell());
  const auto b = *hub.subscribe({Kind::ToolsChanged, Kind::PromptsChanged}, there.tell());
  hub.publish({Kind::ToolsChanged});
  CHECK(away.tried(1));
  // The other is told fifty times, each a chance to try again.
  for (std::size_t i = 1; i <= 50; ++i) {
    there.told(i);
    hub.publish({Kind::PromptsChanged});
  }
  there.told(51);
  CHECK(away.tries() == 1);

  away.answer(Told::Yes);
  a->resume();
  CHECK(away.told(2) == std::vector<Event>{{Kind::ToolsChanged}, {Kind::PromptsChanged}});
  hub.publish({Kind::ToolsChanged});
  away.told(3);
}

TEST_CASE("hub: one that comes within reach while it is told is told again", "[mcp]") {
  std::shared_ptr<Subscription> subscription;
  std::mutex mutex;
  std::condition_variable changed;
  int calls = 0;
  Hub hub({.interval = 1ms, .retry_max = 1ms});
  {
    const std::lock_guard lock(mutex);
    subscription = *hub.subscribe({Kind::ToolsChanged}, [&](const Event&) {
      const std::lock_guard inside(mutex);
      changed.notify_all();
      if (++calls > 1) return Told::Yes;
      subscription->resume();
      return Told::Nowhere;
    });
  }
  hub.publish({Kind::ToolsChanged});
  std::unique_lock lock(mutex);
  CHECK(changed.wait_for(lock, test::kPatience, [&] { return calls == 2; }));
}

TEST_CASE("session: pushes by the way it was given, and by none once it has ended", "[mcp]") {
  Session session;
  std::vector<std::string> pushed;
  CHECK(session.push("lost") == Told::Nowhere);
  session.set_push([&](const std::string& message) {
    pushed.push_back(message);
    return Told::Yes;
  });
  CHECK(session.push("one") == Told::Yes);
  session.end();
  CHECK(session.push("two") == Told::Nowhere);
  CHECK(pushed == std::vector<std::string>{"one"});
}

TEST_CASE("cancel token: calls what waits for it, once", "[mcp]") {
  int calls = 0;
  CancelToken().on_cancel([&] { ++calls; });
  const CancelToken token = CancelToken::make();
  token.on_cancel([&] { ++calls; });
  CHECK(calls == 0);
  token.cancel();
  CHECK(calls == 1);
  token.cancel();
  CHECK(calls == 1);
  token.on_cancel([&] { calls += 10; });
  CHECK(calls == 11);
}

TEST_CASE("cancel token: what watches it is forgotten when it ends", "[mcp]") {
  int calls = 0;
  const CancelToken token = CancelToken::make();
  // As a client does that calls others for hours with one token.
  for (int i = 0; i < 1000; ++i) {
    const auto watch = token.watch([&] { ++calls; });
    CHECK(token.watchers() == 1);
  }
  CHECK(token.watchers() == 0);
  {
    auto first = token.watch([&] { calls += 10; });
    auto second = token.watch([&] { calls += 100; });
    // Takes the place of the one that was there.
    first = std::move(second);
    CHECK(token.watchers() == 1);
    token.cancel();
    CHECK(calls == 100);
  }
  const auto late = token.watch([&] { calls += 1000; });
  CHECK(calls == 1100);
  CHECK(token.watchers() == 0);
}

}  // namespace
}  // namespace quiver::mcp
