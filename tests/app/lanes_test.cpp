// A lane is driven to each of its limits; threads are counted by the system, not by the lane.

#include "app/lanes.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

namespace quiver::app {
namespace {

constexpr std::chrono::seconds kPatience{20};

std::size_t threads_of_process() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/self/task")) {
    ++count;
  }
  return count;
}

/// Those there are when the system has put away what has ended: a thread that was joined is listed
/// for a moment longer.
std::size_t settled_threads() {
  const auto listed_dead = [] {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
      std::ifstream file(entry.path() / "stat");
      std::string stat;
      if (!std::getline(file, stat)) return true;
      const char state = stat.at(stat.rfind(") ") + 2);
      if (state == 'X' || state == 'Z') return true;
    }
    return false;
  };
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (listed_dead() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  return threads_of_process();
}

/// Work that waits until it is let go.
class Held {
 public:
  std::function<void()> work() {
    return [this] {
      std::unique_lock lock(mutex_);
      ++running_;
      changed_.notify_all();
      changed_.wait_for(lock, kPatience, [&] { return released_; });
      ++done_;
    };
  }
  bool wait_running(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return running_ >= count; });
  }
  void release() {
    const std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  std::size_t done() {
    const std::lock_guard lock(mutex_);
    return done_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t running_ = 0;
  std::size_t done_ = 0;
  bool released_ = false;
};

TEST_CASE("Lane: threads start with the work, never more than asked for", "[app]") {
  // An analyser starts one of its own beside the first.
  std::thread([] {}).join();
  const std::size_t before = settled_threads();
  Held held;
  Lane lane({"test", 3, 10});
  CHECK(threads_of_process() == before);
  CHECK(lane.submit(held.work()).ok());
  CHECK(threads_of_process() == before + 1);
  for (int i = 0; i < 5; ++i) CHECK(lane.submit(held.work()).ok());
  CHECK(held.wait_running(3));
  CHECK(threads_of_process() == before + 3);
  held.release();
  lane.stop();
  CHECK(held.done() == 6);
  CHECK(settled_threads() == before);
}

TEST_CASE("Lane: an idle thread is used before another is started", "[app]") {
  const std::size_t before = threads_of_process();
  Lane lane({"test", 8, 8});
  for (int i = 0; i < 20; ++i) {
    Held held;
    CHECK(lane.submit(held.work()).ok());
    CHECK(held.wait_running(1));
    held.release();
    while (held.done() == 0) std::this_thread::yield();
  }
  // A thread may not have become idle yet when the next work comes; eight would mean none does.
  CHECK(threads_of_process() < before + 8);
}

TEST_CASE("Lane: what neither runs nor may wait is refused", "[app]") {
  Held held;
  Lane lane({"search", 2, 3});
  for (int i = 0; i < 5; ++i) CHECK(lane.submit(held.work()).ok());
  CHECK(held.wait_running(2));
  const Status refused = lane.submit(held.work());
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::ResourceExhausted);
  CHECK(refused.error().message ==
        "the server is busy: 3 calls wait on lane search; try again shortly");
  held.release();
  lane.stop();
  CHECK(held.done() == 5);
  const Status late = lane.submit(held.work());
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().code == ErrorCode::Unavailable);
  lane.stop();
}

TEST_CASE("Lane: work that throws costs nothing but itself", "[app]") {
  std::atomic<int> done{0};
  {
    Lane lane({"test", 1, 10});
    CHECK(lane.submit([] { throw std::runtime_error("thrown by a test"); }).ok());
    CHECK(lane.submit([&] { ++done; }).ok());
  }
  CHECK(done == 1);
}

TEST_CASE("Lane: from many threads, all work is done once", "[app]") {
  std::atomic<int> done{0};
  int accepted = 0;
  {
    Lane lane({"test", 4, 100'000});
    std::atomic<int> took{0};
    std::vector<std::thread> clients;
    for (int c = 0; c < 4; ++c) {
      clients.emplace_back([&] {
        for (int i = 0; i < 2000; ++i) took += lane.submit([&] { ++done; }).ok() ? 1 : 0;
      });
    }
    for (auto& client : clients) client.join();
    accepted = took;
  }
  CHECK(accepted == 8000);
  CHECK(done == accepted);
}

}  // namespace
}  // namespace quiver::app
