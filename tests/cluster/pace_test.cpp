// How fast copies may go: a schedule worked out by hand, and waits that end when they should.

#include "cluster/migration/pace.h"

#include <atomic>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

namespace quiver::cluster {
namespace {

using namespace std::chrono_literals;
using Time = PaceSchedule::Time;

Time at(std::chrono::milliseconds since) {
  return Time(std::chrono::hours(1)) + since;
}

/// Who goes when, if each goes as soon as it may: the ticket and the milliseconds.
std::pair<PaceSchedule::Ticket, std::int64_t> go(PaceSchedule& schedule, Time now) {
  const auto turn = schedule.next();
  REQUIRE(turn.has_value());
  const auto when = std::max(now, turn->at);
  schedule.grant(when);
  return {turn->ticket,
          std::chrono::duration_cast<std::chrono::milliseconds>(when - at(0ms)).count()};
}

TEST_CASE("pace: a schedule worked out by hand", "[cluster][move]") {
  // 1000 bytes a second; 250 ms, so 250 bytes, may be saved up.
  PaceSchedule schedule(1'000);
  CHECK_FALSE(schedule.next().has_value());
  const auto a = schedule.ask("one", 100);
  const auto b = schedule.ask("one", 100);
  const auto c = schedule.ask("one", 100);
  const auto d = schedule.ask("one", 100);
  const auto e = schedule.ask("one", 400);
  const auto f = schedule.ask("one", 50);
  // After a quiet time: paid until -250, -150, -50, 50; the fourth waits for that and the fifth for
  // 150. It is worth 400 ms, which the sixth waits for.
  CHECK(go(schedule, at(0ms)) == std::pair(a, std::int64_t{0}));
  CHECK(go(schedule, at(0ms)) == std::pair(b, std::int64_t{0}));
  CHECK(go(schedule, at(0ms)) == std::pair(c, std::int64_t{0}));
  CHECK(go(schedule, at(0ms)) == std::pair(d, std::int64_t{50}));
  CHECK(go(schedule, at(50ms)) == std::pair(e, std::int64_t{150}));
  CHECK(go(schedule, at(150ms)) == std::pair(f, std::int64_t{550}));
  // Paid until 600. At 700 there are 100 saved up, not 250.
  const auto g = schedule.ask("one", 100);
  const auto h = schedule.ask("one", 100);
  const auto i = schedule.ask("one", 100);
  CHECK(go(schedule, at(700ms)) == std::pair(g, std::int64_t{700}));
  CHECK(go(schedule, at(700ms)) == std::pair(h, std::int64_t{700}));
  CHECK(go(schedule, at(700ms)) == std::pair(i, std::int64_t{800}));
  CHECK(schedule.waiting() == 0);
}

TEST_CASE("pace: transfers have equal shares, whoever came first or asks for more at once",
          "[cluster][move]") {
  PaceSchedule schedule(1'000'000);
  std::map<std::string, std::uint64_t> had;
  std::map<PaceSchedule::Ticket, std::pair<std::string, std::uint64_t>> asked;
  const auto ask = [&](const std::string& who, std::uint64_t bytes) {
    asked[schedule.ask(who, bytes)] = {who, bytes};
  };
  // One by pieces of 4000 with five in front at any time, one by pieces of 1000, one at a time; the
  // third comes when 300,000 bytes have gone.
  for (int i = 0; i < 5; ++i) ask("wide", 4'000);
  ask("narrow", 1'000);
  auto now = at(0ms);
  std::uint64_t all = 0;
  std::map<std::string, std::uint64_t> before;
  while (all < 900'000) {
    const auto turn = schedule.next();
    REQUIRE(turn.has_value());
    now = std::max(now, turn->at);
    schedule.grant(now);
    const auto [who, bytes] = asked.at(turn->ticket);
    had[who] += bytes;
    all += bytes;
    if (all >= 300'000 && !had.contains("late")) {
      before = had;
      had["late"] = 0;
      ask("late", 2'000);
    }
    ask(who, bytes);
  }
  const auto near = [](std::uint64_t a, std::uint64_t b) {
    return (a > b ? a - b : b - a) <= 3 * 4'000;
  };
  CHECK(near(before["wide"], 150'000));
  CHECK(near(before["narrow"], 150'000));
  CHECK(near(had["wide"] - before["wide"], 200'000));
  CHECK(near(had["narrow"] - before["narrow"], 200'000));
  CHECK(near(had["late"], 200'000));
  // 900,000 bytes at a million a second, less the 250,000 saved up.
  CHECK(now >= at(650ms - 5ms));
  CHECK(now <= at(650ms + 5ms));
}

TEST_CASE("pace: who goes away leaves the turn to others", "[cluster][move]") {
  PaceSchedule schedule(1'000);
  const auto a = schedule.ask("a", 350);
  const auto b = schedule.ask("b", 100);
  const auto c = schedule.ask("a", 100);
  CHECK(go(schedule, at(0ms)) == std::pair(a, std::int64_t{0}));
  schedule.withdraw(b);
  schedule.withdraw(b);
  // b has had nothing and costs nothing.
  CHECK(go(schedule, at(0ms)) == std::pair(c, std::int64_t{100}));
  CHECK_FALSE(schedule.next().has_value());
}

TEST_CASE("pace: unlimited counts, and waits for nobody", "[cluster][move]") {
  Pace pace(0);
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + 20s;
  for (int i = 0; i < 1000; ++i) REQUIRE(pace.take(call, "a", std::uint64_t{1} << 40U).ok());
  CHECK(pace.bytes() == std::uint64_t{1000} << 40U);
  CHECK(pace.piece_bytes(1 << 20) == 1 << 20);
  CHECK(Pace(1 << 20).piece_bytes(1 << 20) == 1 << 18);
  CHECK(Pace(1).piece_bytes(1 << 20) == 1 << 14);
  CHECK(Pace(std::uint64_t{1} << 40U).piece_bytes(1 << 20) == 1 << 20);
}

TEST_CASE("pace: threads together are no faster than one", "[cluster][move]") {
  Pace pace(1'000'000);
  const auto begun = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        if (!pace.take({}, std::to_string(t), 5'000).ok()) ++failed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  const auto took = std::chrono::steady_clock::now() - begun;
  CHECK(failed == 0);
  CHECK(pace.bytes() == 500'000);
  // 250,000 are saved up, and the last piece does not wait for its own worth.
  CHECK(took >= 245ms);
}

TEST_CASE("pace: a wait ends with its call, and others go on", "[cluster][move]") {
  // A piece takes years.
  Pace pace(1);
  REQUIRE(pace.take({}, "first", 1'000'000'000).ok());
  SECTION("cancelled") {
    CallContext call;
    call.cancel = CancelToken::make();
    Status outcome = Done{};
    std::thread waiter([&] { outcome = pace.take(call, "second", 1); });
    while (pace.waiting() == 0) std::this_thread::yield();
    call.cancel.cancel();
    waiter.join();
    CHECK_FALSE(outcome.ok());
    CHECK(call.cancel.watchers() == 0);
  }
  SECTION("out of time") {
    CallContext call;
    call.deadline = std::chrono::steady_clock::now() + 20ms;
    CHECK(pace.take(call, "second", 1).error().code == ErrorCode::DeadlineExceeded);
    CHECK(std::chrono::steady_clock::now() >= *call.deadline);
  }
  CHECK(pace.waiting() == 0);
  CHECK(pace.bytes() == 1'000'000'000);
}

}  // namespace
}  // namespace quiver::cluster
