// A search that is cancelled stops working: over 340,000 vectors on disk that are all looked at,
// and measured in processor time, which other work on the machine does not change.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <ctime>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/local_collections.h"
#include "core/clock.h"
#include "mcp/connection.h"
#include "mcp/product_offer.h"
#include "mcp/stdio_transport.h"
#include "service/registry.h"
#include "tests/support/sanitized.h"
#include "tests/support/temp_dir.h"

namespace quiver::mcp {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kPatience{60};
/// What may still be used once everything is cancelled, by all searches together.
constexpr std::chrono::milliseconds kStopsWithin{100};
/// What they would use together if they went on.
constexpr std::chrono::milliseconds kWhole{1'200};
constexpr std::size_t kDimension = 96;
constexpr std::size_t kPoints = quiver::test::kSanitized ? 100'000 : 340'000;

std::chrono::nanoseconds cpu_time() {
  timespec time{};
  REQUIRE(::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

/// Waits until this process has used that much since it had used `before`.
void wait_for_work(std::chrono::nanoseconds before, std::chrono::nanoseconds work) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (cpu_time() - before < work && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(200us);
  }
  CHECK(cpu_time() - before >= work);
}

bool wait_until_cancelled(const CallContext& call) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!call.cancel.cancelled() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(200us);
  }
  return call.cancel.cancelled();
}

std::vector<float> vector_of(std::uint64_t seed) {
  std::vector<float> vector(kDimension);
  std::uint64_t state = seed * 6364136223846793005U + 1442695040888963407U;
  for (float& x : vector) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    x = static_cast<float>(state >> 40) * 0x1p-24F;
  }
  return vector;
}

/// Counts the calls that have begun and ended, and how they ended.
class Counting final : public service::Executor {
 public:
  explicit Counting(service::Executor& inner) : inner_(inner) {}

  /// Calls `then` on the thread of the first call, before it does anything.
  void on_first(std::function<void(const CallContext&)> then) { on_first_ = std::move(then); }

  Result<Json> invoke(const CallContext& call, std::string_view operation,
                      const Json& arguments) override {
    if (begun_.fetch_add(1) == 0 && on_first_) on_first_(call);
    auto result = inner_.invoke(call, operation, arguments);
    const std::lock_guard lock(mutex_);
    ++ended_;
    stopped_ += !result.ok() && call.cancel.cancelled() ? 1 : 0;
    changed_.notify_all();
    return result;
  }
  std::size_t begun() const { return begun_; }
  std::size_t ended() {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  bool wait_ended(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return ended_ >= count; });
  }
  std::size_t stopped() {
    const std::lock_guard lock(mutex_);
    return stopped_;
  }

 private:
  service::Executor& inner_;
  std::function<void(const CallContext&)> on_first_;
  std::atomic<std::size_t> begun_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t ended_ = 0;
  std::size_t stopped_ = 0;
};

/// Threads and a queue, as requests have in the product. Nothing runs before open().
class Pool {
 public:
  explicit Pool(std::size_t threads) {
    for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
  }
  ~Pool() { stop(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  Status submit(std::function<void()> work) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(work));
    changed_.notify_all();
    return Done{};
  }
  bool wait_submitted(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return queue_.size() >= count; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool wait_finished(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return finished_ >= count; });
  }
  /// Once nothing waits any more.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopping_ || (open_ && !queue_.empty()); });
      if (queue_.empty()) return;
      const auto work = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      work();
      lock.lock();
      ++finished_;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> queue_;
  std::size_t finished_ = 0;
  bool open_ = false;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

/// Vectors on disk, under the operations of the product. Without a graph: each search is exact.
struct World {
  World() {
    const auto created = executor.invoke(
        {}, "collection_create",
        {{"name", "large"}, {"dimension", kDimension}, {"metric", "euclidean"}, {"shards", 1}});
    if (!created.ok()) FAIL(created.error().message);
    auto collection = *collections.find("large");
    for (std::size_t i = 0; i < kPoints;) {
      std::vector<Point> points;
      for (; points.size() < 1000 && i < kPoints; ++i) {
        Point point;
        point.id = PointId(i);
        point.vector = vector_of(i);
        points.push_back(std::move(point));
      }
      REQUIRE(collection->upsert({}, std::move(points)).ok());
    }
  }

  Result<Json> search(const CallContext& call) {
    return executor.invoke(call, "vector_search", arguments());
  }
  static Json arguments() {
    return {{"collection", "large"}, {"vector", vector_of(7)}, {"limit", 10}, {"exact", true}};
  }
  /// As many searches at once as take kWhole, and what they take together.
  std::pair<std::size_t, std::chrono::nanoseconds> whole() {
    // The first one may have more to do.
    REQUIRE(search({}).ok());
    const auto before = cpu_time();
    const auto hits = search({});
    const auto one = cpu_time() - before;
    REQUIRE(hits.ok());
    CHECK((*hits)["hits"][0]["id"] == 7);
    const auto count = static_cast<std::size_t>(kWhole / one) + 1;
    INFO("one search takes " << one.count() << " ns");
    REQUIRE(count <= 500);
    return {count, one * static_cast<std::int64_t>(count)};
  }

  static storage::Options exact() {
    storage::Options options;
    options.exact_search_points = kPoints + 1;
    return options;
  }

  TempDir dir;
  SystemClock clock;
  cluster::LocalCollections collections{dir.path(), exact(), clock};
  service::Engine engine{collections,
                         [](std::string_view) -> Result<embedding::Provider*> {
                           return Error{ErrorCode::InvalidArgument, "there is no embedder"};
                         },
                         "", clock};
  service::Registry registry = service::catalogue();
  service::LocalExecutor executor{registry, engine};
};

void check_in_process(World& world) {
  const auto [count, whole] = world.whole();
  Counting counting(world.executor);
  CallContext call;
  call.cancel = CancelToken::make();
  const auto before = cpu_time();
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back(
        [&] { static_cast<void>(counting.invoke(call, "vector_search", World::arguments())); });
  }
  wait_for_work(before, whole / 8);
  const auto cancelled = cpu_time();
  call.cancel.cancel();
  const auto were_done = counting.ended();
  const bool ended = counting.wait_ended(count);
  const auto after = cpu_time() - cancelled;
  for (auto& thread : threads) thread.join();
  REQUIRE(ended);
  WARN(count << " searches, " << were_done << " done at the cancel, whole " << whole / 1ms
             << " ms, after the cancel " << static_cast<double>(after.count()) / 1e6
             << " ms of processor time");
  CHECK(after < kStopsWithin);
}

std::string line(const Json& message) {
  return message.dump() + "\n";
}

void say(int socket, const std::string& lines) {
  REQUIRE(::write(socket, lines.data(), lines.size()) == static_cast<ssize_t>(lines.size()));
}

/// Reads to the end.
std::vector<Json> hear(int socket) {
  std::string heard;
  std::vector<char> part(65536);
  for (ssize_t got = 1; got > 0;) {
    got = ::read(socket, part.data(), part.size());
    if (got > 0) heard.append(part.data(), static_cast<std::size_t>(got));
  }
  std::vector<Json> messages;
  for (std::size_t end = 0; (end = heard.find('\n')) != std::string::npos;) {
    messages.push_back(Json::parse(heard.substr(0, end)));
    heard.erase(0, end + 1);
  }
  return messages;
}

void check_over_stdio(World& world) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto [count, whole] = world.whole();
  Counting counting(world.executor);
  Pool pool(1);
  const Server server(product_offer(world.registry, counting),
                      [&](std::function<void()> work) { return pool.submit(std::move(work)); });
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  auto transport = *StdioTransport::open(pair[1], pair[1], {});
  Connection connection(server, *transport);
  std::atomic<bool> ended_well{false};
  std::thread serving([&] { ended_well = connection.run().ok(); });
  std::vector<Json> heard;
  std::thread hearing([&] { heard = hear(pair[0]); });

  // The first call is the last one cancelled: when it learns of it, all others have been.
  std::string calls;
  std::string cancels;
  for (std::size_t id = 1; id <= count; ++id) {
    calls += line({{"jsonrpc", "2.0"},
                   {"id", id},
                   {"method", "tools/call"},
                   {"params", {{"name", "vector_search"}, {"arguments", World::arguments()}}}});
    cancels += line({{"jsonrpc", "2.0"},
                     {"method", "notifications/cancelled"},
                     {"params", {{"requestId", count + 1 - id}}}});
  }
  std::atomic<bool> told{false};
  std::chrono::nanoseconds cancelled{};
  counting.on_first([&](const CallContext& call) {
    say(pair[0], cancels);
    told = wait_until_cancelled(call);
    cancelled = cpu_time();
  });
  say(pair[0], calls);
  const bool taken = pool.wait_submitted(count);
  pool.open();
  const bool ended = pool.wait_finished(count);
  const auto after = cpu_time() - cancelled;
  say(pair[0], line({{"jsonrpc", "2.0"}, {"id", "alive"}, {"method", "ping"}}));
  ::shutdown(pair[0], SHUT_WR);
  serving.join();
  pool.stop();
  transport.reset();
  hearing.join();
  ::close(pair[0]);

  REQUIRE(taken);
  REQUIRE(ended);
  WARN(count << " calls, whole " << whole / 1ms << " ms, after the cancel "
             << static_cast<double>(after.count()) / 1e6 << " ms of processor time");
  CHECK(ended_well);
  CHECK(told);
  CHECK(counting.stopped() == counting.begun());
  CHECK(after < kStopsWithin);
  // Who is cancelled is not answered.
  REQUIRE(heard.size() == 1);
  CHECK(heard[0]["id"] == "alive");
}

TEST_CASE("cancelled search: stops using the processor within 100 ms", "[mcp][cancel]") {
  World world;
  check_in_process(world);
  check_over_stdio(world);
}

}  // namespace
}  // namespace quiver::mcp
