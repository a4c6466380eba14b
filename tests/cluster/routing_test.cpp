// The parts of which routing is made, one by one: what calls take, what was written, alarms, and
// calls with company. Nothing is timed: threads wait for each other.

#include <algorithm>
#include <atomic>
#include <random>
#include <thread>

#include <catch2/catch.hpp>

#include "cluster/routing/alarms.h"
#include "cluster/routing/hedged_call.h"
#include "cluster/routing/recent_times.h"
#include "cluster/routing/session_tokens.h"

namespace quiver::cluster {
namespace {

using std::chrono::milliseconds;
using Time = std::chrono::steady_clock::time_point;

template <typename Condition>
bool eventually(Condition holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST_CASE("SessionTokens: they only rise, and keep the shards written last", "[cluster][routing]") {
  SessionTokens tokens(2);
  const Time now{milliseconds{5}};
  CHECK(tokens.find("x", ShardId{0}).at == Seq{0});
  tokens.raise("x", ShardId{0}, Seq{7}, now);
  tokens.raise("x", ShardId{0}, Seq{6}, Time{milliseconds{9}});
  CHECK(tokens.find("x", ShardId{0}).at == Seq{7});
  CHECK(tokens.find("x", ShardId{0}).when == now);
  tokens.raise("x", ShardId{1}, Seq{3}, now);
  CHECK(tokens.find("y", ShardId{1}).at == Seq{0});
  // Written again, it is not the one that was written longest ago.
  tokens.raise("x", ShardId{0}, Seq{8}, now);
  tokens.raise("y", ShardId{0}, Seq{1}, now);
  CHECK(tokens.find("x", ShardId{0}).at == Seq{8});
  CHECK(tokens.find("x", ShardId{1}).at == Seq{0});
  CHECK(tokens.find("y", ShardId{0}).at == Seq{1});
}

TEST_CASE("RecentTimes: 19 of 20 calls took no longer", "[cluster][routing]") {
  RecentTimes times;
  std::vector<int> all;
  std::mt19937 random(20'261'123);
  for (std::size_t i = 1; i <= 400; ++i) {
    const int took = static_cast<int>(random() % 1000);
    all.push_back(took);
    times.add(milliseconds(took));
    if (i < RecentTimes::kStep) CHECK(times.high().count() == 0);
    if (i % RecentTimes::kStep != 0) continue;
    const auto kept = std::min(i, RecentTimes::kKept);
    const std::vector<int> last(all.end() - static_cast<std::ptrdiff_t>(kept), all.end());
    const auto within = [&](RecentTimes::Duration bound) {
      return std::count_if(last.begin(), last.end(),
                           [&](int each) { return milliseconds(each) <= bound; });
    };
    // The smallest bound that so many calls keep.
    CHECK(within(times.high()) * 20 >= static_cast<std::ptrdiff_t>(kept) * 19);
    CHECK(within(times.high() - milliseconds(1)) * 20 < static_cast<std::ptrdiff_t>(kept) * 19);
  }
}

TEST_CASE("Alarms: they ring in order of time, once", "[cluster][routing]") {
  Alarms alarms;
  std::string rung;
  std::atomic<std::size_t> count{0};
  const auto now = std::chrono::steady_clock::now();
  const auto note = [&](char letter) {
    return [&rung, &count, letter] {
      rung += letter;
      ++count;
    };
  };
  alarms.set(now + milliseconds(30), note('c'));
  alarms.set(now + milliseconds(10), note('a'));
  alarms.set(now + milliseconds(20), note('b'));
  REQUIRE(eventually([&] { return count == 3; }));
  CHECK(rung == "abc");
  CHECK(std::chrono::steady_clock::now() >= now + milliseconds(30));
  // One that is set while the thread sleeps for another that is far off.
  alarms.set(now + std::chrono::hours(1), note('z'));
  alarms.set(now, note('d'));
  REQUIRE(eventually([&] { return count == 4; }));
  CHECK(rung == "abcd");
}

TEST_CASE("Alarms: one that is cleared does not ring, or has rung", "[cluster][routing]") {
  Alarms alarms;
  alarms.clear(Alarms::Id{77});
  std::atomic<bool> rung{false};
  alarms.clear(
      alarms.set(std::chrono::steady_clock::now() + std::chrono::hours(1), [&] { rung = true; }));
  CHECK_FALSE(rung);
  // While it rings clear() waits.
  std::atomic<bool> rings{false};
  std::atomic<bool> go_on{false};
  std::atomic<bool> ended{false};
  const auto id = alarms.set(Time::min(), [&] {
    rings = true;
    while (!go_on) std::this_thread::yield();
    ended = true;
  });
  REQUIRE(eventually([&] { return rings.load(); }));
  std::thread releases([&] { go_on = true; });
  alarms.clear(id);
  CHECK(ended);
  releases.join();
}

Result<std::any> says(int number) {
  return std::any(number);
}
int said(const Hedged& hedged) {
  REQUIRE(hedged.answer.ok());
  return std::any_cast<int>(hedged.answer.value());
}

struct Company {
  Alarms alarms;
  FanOut fan_out{2};
  Hedged ask(const AskCopy& first, const AskCopy& second,
             std::chrono::steady_clock::duration delay = milliseconds(0),
             const CallContext& call = {}) {
    return ask_hedged(call, first, second, delay, alarms, fan_out);
  }
};

TEST_CASE("Hedged calls: a quick answer needs no company", "[cluster][routing]") {
  Company company;
  std::atomic<bool> asked{false};
  const auto hedged = company.ask([](const CallContext&) { return says(1); },
                                  [&](const CallContext&) {
                                    asked = true;
                                    return says(2);
                                  },
                                  std::chrono::hours(1));
  CHECK(said(hedged) == 1);
  CHECK_FALSE(hedged.second_asked);
  CHECK_FALSE(asked);
}

TEST_CASE("Hedged calls: the first good answer ends the other call", "[cluster][routing]") {
  Company company;
  std::atomic<bool> second_asked{false};
  const auto until_cancelled = [](const CallContext& call) -> Result<std::any> {
    while (!call.cancel.cancelled()) std::this_thread::yield();
    return Error{ErrorCode::DeadlineExceeded, "the caller cancelled"};
  };
  SECTION("that of the second") {
    const auto hedged = company.ask(until_cancelled, [](const CallContext&) { return says(2); });
    CHECK(said(hedged) == 2);
    CHECK(hedged.second_asked);
  }
  SECTION("that of the first") {
    const auto hedged = company.ask(
        [&](const CallContext&) {
          REQUIRE(eventually([&] { return second_asked.load(); }));
          return says(1);
        },
        [&](const CallContext& call) {
          second_asked = true;
          return until_cancelled(call);
        });
    CHECK(said(hedged) == 1);
    CHECK(hedged.second_asked);
  }
}

TEST_CASE("Hedged calls: one that fails leaves it to the other", "[cluster][routing]") {
  Company company;
  std::atomic<bool> second_asked{false};
  std::atomic<bool> first_failed{false};
  SECTION("the second fails") {
    const auto hedged = company.ask(
        [&](const CallContext&) {
          REQUIRE(eventually([&] { return second_asked.load(); }));
          return says(1);
        },
        [&](const CallContext&) -> Result<std::any> {
          second_asked = true;
          return Error{ErrorCode::Unavailable, "down"};
        });
    CHECK(said(hedged) == 1);
  }
  SECTION("the first fails") {
    const auto hedged = company.ask(
        [&](const CallContext&) -> Result<std::any> {
          REQUIRE(eventually([&] { return second_asked.load(); }));
          first_failed = true;
          throw std::runtime_error("no memory");
        },
        [&](const CallContext&) {
          second_asked = true;
          while (!first_failed) std::this_thread::yield();
          return says(2);
        });
    CHECK(said(hedged) == 2);
  }
  SECTION("both fail") {
    const auto hedged = company.ask(
        [&](const CallContext&) -> Result<std::any> {
          REQUIRE(eventually([&] { return second_asked.load(); }));
          return Error{ErrorCode::Unavailable, "down"};
        },
        [&](const CallContext&) -> Result<std::any> {
          second_asked = true;
          throw std::runtime_error("no memory");
        });
    REQUIRE_FALSE(hedged.answer.ok());
    CHECK(hedged.answer.error().code == ErrorCode::Internal);
    CHECK(hedged.answer.error().message == "a shard failed: no memory");
    CHECK(hedged.second_asked);
  }
}

TEST_CASE("Hedged calls: the caller ends both", "[cluster][routing]") {
  Company company;
  CallContext call;
  call.cancel = CancelToken::make();
  std::atomic<int> running{0};
  const auto until_cancelled = [&](const CallContext& with) -> Result<std::any> {
    if (++running == 2) call.cancel.cancel();
    while (!with.cancel.cancelled()) std::this_thread::yield();
    return Error{ErrorCode::DeadlineExceeded, "the caller cancelled"};
  };
  const auto hedged = company.ask(until_cancelled, until_cancelled, milliseconds(0), call);
  CHECK(hedged.answer.error().code == ErrorCode::DeadlineExceeded);
  CHECK(running == 2);
}

TEST_CASE("Hedged calls: without a free thread the first goes on alone", "[cluster][routing]") {
  Company company;
  std::atomic<bool> taken{false};
  std::atomic<bool> release{false};
  FanOut busy(1);
  REQUIRE(busy.offer([&] {
    taken = true;
    while (!release) std::this_thread::yield();
  }));
  REQUIRE(eventually([&] { return taken.load(); }));
  std::atomic<bool> rang{false};
  std::atomic<bool> asked{false};
  const auto now = std::chrono::steady_clock::now();
  const auto hedged = ask_hedged(
      {},
      [&](const CallContext&) {
        // Rings behind the alarm of the call.
        company.alarms.set(now + milliseconds(1), [&] { rang = true; });
        REQUIRE(eventually([&] { return rang.load(); }));
        return says(1);
      },
      [&](const CallContext&) {
        asked = true;
        return says(2);
      },
      milliseconds(0), company.alarms, busy);
  release = true;
  CHECK(said(hedged) == 1);
  CHECK_FALSE(hedged.second_asked);
  CHECK_FALSE(asked);
}

}  // namespace
}  // namespace quiver::cluster
