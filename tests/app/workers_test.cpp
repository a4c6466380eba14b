// Bounded threads and a bounded queue, seen from outside: how many jobs run at once and which are
// refused while they are held.

#include "app/workers.h"

#include <atomic>
#include <future>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/app/peer.h"

namespace quiver::app {
namespace {

TEST_CASE("Workers: run as many at once as allowed, keep as many waiting, refuse the rest",
          "[app][workers]") {
  std::promise<void> release;
  const auto released = release.get_future().share();
  std::atomic<int> running = 0;
  std::atomic<int> done = 0;
  {
    Workers workers(2, 3);
    const auto job = [&] {
      ++running;
      released.wait();
      ++done;
    };
    REQUIRE(workers.submit(job));
    REQUIRE(workers.submit(job));
    REQUIRE(eventually([&] { return running == 2; }));
    CHECK(workers.submit(job));
    CHECK(workers.submit(job));
    CHECK(workers.submit(job));
    CHECK_FALSE(workers.submit(job));
    CHECK(running == 2);
    release.set_value();
  }
  CHECK(done == 5);
}

TEST_CASE("Workers: a job is not stuck behind a busy thread while another may be made",
          "[app][workers]") {
  Workers workers(4, 100);
  std::promise<void> last;
  // Each waits for the next one to run, so all four must run at once.
  std::promise<void> second;
  std::promise<void> third;
  REQUIRE(workers.submit([&] { second.get_future().wait(); }));
  REQUIRE(workers.submit([&] {
    third.get_future().wait();
    second.set_value();
  }));
  REQUIRE(workers.submit([&] {
    last.get_future().wait();
    third.set_value();
  }));
  REQUIRE(workers.submit([&] { last.set_value(); }));
}

TEST_CASE("Workers: an idle thread is used again", "[app][workers]") {
  Workers workers(1, 1);
  std::atomic<int> done = 0;
  for (int i = 0; i < 100; ++i) {
    REQUIRE(eventually([&] { return workers.submit([&] { ++done; }); }));
  }
  CHECK(eventually([&] { return done == 100; }));
}

}  // namespace
}  // namespace quiver::app
