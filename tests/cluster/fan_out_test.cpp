// FanOut must call every part once and return after the last, whoever runs it.

#include "cluster/fan_out.h"

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

namespace quiver::cluster {
namespace {

TEST_CASE("FanOut: every part runs once, and run() returns after the last", "[cluster]") {
  FanOut fan_out(3);
  for (const std::size_t count : {0U, 1U, 2U, 100U}) {
    std::vector<std::atomic<int>> calls(count);
    fan_out.run(count, [&](std::size_t i) { calls[i].fetch_add(1); });
    for (const auto& called : calls) CHECK(called.load() == 1);
  }
}

TEST_CASE("FanOut: a single part stays in the calling thread", "[cluster]") {
  FanOut fan_out(3);
  std::thread::id ran_in;
  fan_out.run(1, [&](std::size_t) { ran_in = std::this_thread::get_id(); });
  CHECK(ran_in == std::this_thread::get_id());
}

TEST_CASE("FanOut: an offer is taken by a thread without work, if there is one", "[cluster]") {
  std::atomic<int> running{0};
  std::atomic<bool> release{false};
  std::atomic<int> ran{0};
  {
    FanOut fan_out(2);
    const auto hold = [&] {
      ++running;
      while (!release) std::this_thread::yield();
      ++ran;
    };
    REQUIRE(fan_out.offer(hold));
    REQUIRE(fan_out.offer(hold));
    while (running < 2) std::this_thread::yield();
    CHECK_FALSE(fan_out.offer([&] { ran += 100; }));
    // Parts find the caller, at least.
    std::atomic<int> parts{0};
    fan_out.run(3, [&](std::size_t) { ++parts; });
    CHECK(parts == 3);
    release = true;
    while (ran < 2) std::this_thread::yield();
    // Both come back for more.
    while (!fan_out.offer([&] { ran += 10; })) std::this_thread::yield();
    while (ran < 12) std::this_thread::yield();
  }
  CHECK(ran == 12);
  FanOut none(0);
  CHECK_FALSE(none.offer([] {}));
}

TEST_CASE("FanOut: many callers at once", "[cluster]") {
  FanOut fan_out(2);
  std::atomic<int> sum{0};
  std::vector<std::thread> callers;
  for (int c = 0; c < 8; ++c) {
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round) {
        fan_out.run(5, [&](std::size_t) { sum.fetch_add(1); });
      }
    });
  }
  for (auto& caller : callers) caller.join();
  CHECK(sum.load() == 8 * 50 * 5);
}

}  // namespace
}  // namespace quiver::cluster
