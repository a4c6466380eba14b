// IndexBuilder: turns, endings, and that no call is lost.

#include "storage/index_builder.h"

#include <atomic>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/storage/index/world.h"

namespace quiver::storage {
namespace {

class Counter final : public IndexBuilder::Client {
 public:
  explicit Counter(std::size_t steps) : left(steps) {}
  bool build_step() override {
    std::size_t now = left.load();
    while (now > 0 && !left.compare_exchange_weak(now, now - 1)) continue;
    ++calls;
    return now > 1;
  }
  std::atomic<std::size_t> left;
  std::atomic<std::size_t> calls{0};
};

TEST_CASE("IndexBuilder: calls until nothing is left, then no more", "[storage][index]") {
  IndexBuilder builder(2);
  Counter counter(1000);
  builder.schedule(counter);
  testing::eventually([&] { return counter.left == 0; });
  builder.forget(counter);
  const std::size_t calls = counter.calls;
  CHECK(calls >= 1000);
  // Each thread may come once more to see that nothing is left.
  CHECK(calls <= 1010);
}

TEST_CASE("IndexBuilder: a schedule during the last step is not lost", "[storage][index]") {
  IndexBuilder builder(1);
  Counter counter(0);
  for (std::size_t i = 1; i <= 500; ++i) {
    const std::size_t before = counter.calls;
    builder.schedule(counter);
    testing::eventually([&] { return counter.calls > before; });
  }
  builder.forget(counter);
}

TEST_CASE("IndexBuilder: a thread that finds nothing does not end the work of another",
          "[storage][index]") {
  // One thread at a time may work, so that the other keeps coming away empty-handed.
  class Exclusive final : public IndexBuilder::Client {
   public:
    bool build_step() override {
      if (busy.exchange(true)) return false;
      const bool more = left.load() > 0 && left.fetch_sub(1) > 1;
      std::this_thread::yield();
      busy = false;
      return more;
    }
    std::atomic<bool> busy{false};
    std::atomic<int> left{20'000};
  };
  IndexBuilder builder(3);
  Exclusive client;
  builder.schedule(client);
  testing::eventually([&] { return client.left == 0; });
  builder.forget(client);
}

TEST_CASE("IndexBuilder: one index does not keep another from its turn", "[storage][index]") {
  IndexBuilder builder(1);
  Counter endless(1'000'000'000);
  Counter brief(3);
  builder.schedule(endless);
  testing::eventually([&] { return endless.calls > 0; });
  builder.schedule(brief);
  testing::eventually([&] { return brief.left == 0; });
  CHECK(endless.left > 0);
  builder.forget(endless);
  builder.forget(brief);
}

TEST_CASE("IndexBuilder: forgetting waits for the step at hand", "[storage][index]") {
  IndexBuilder builder(2);
  for (int round = 0; round < 200; ++round) {
    auto counter = std::make_unique<Counter>(1'000'000);
    builder.schedule(*counter);
    testing::eventually([&] { return counter->calls > 0; });
    builder.forget(*counter);
    builder.forget(*counter);
  }
  SUCCEED("no thread touched a client that was gone");
}

}  // namespace
}  // namespace quiver::storage
