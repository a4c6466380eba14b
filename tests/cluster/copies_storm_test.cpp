// Writers that go on while copies stop, are cut off, lose their role and fail: what was
// acknowledged is there, once, on every copy, and nothing else.

#include <random>
#include <thread>

#include "tests/cluster/copies_world.h"
#include "tests/cluster/failing_shard.h"

namespace quiver::cluster::replication::test {
namespace {

constexpr std::uint64_t kWriters = 4;
constexpr std::uint64_t kKeys = 5;

/// One agent: writes and erases points of its own, each under one request id until it is answered.
class Writer {
 public:
  Writer(CopiesWorld& world, std::uint64_t number)
      : world_(world), number_(number), random_(number), thread_([this] { run(); }) {}
  ~Writer() { finish(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  /// What it began is done when this returns.
  void finish() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }
  const CopiesWorld::Model& model() const { return model_; }
  std::uint64_t writes() const { return writes_; }
  const std::string& wrong() const { return wrong_; }

 private:
  void run() {
    while (!stop_) {
      const std::uint64_t id = number_ * 100 + random_() % kKeys;
      const bool known = model_.contains(id);
      const double x = static_cast<double>(++writes_);
      switch (random_() % 4) {
        case 0: {
          write(ErasePoints{{PointId(id)}}, known ? 1 : 0, 0);
          model_.erase(id);
          break;
        }
        case 1: {
          // Only if it is not there: nobody else writes this id.
          const UpsertIf absent{{at(id, x)}, {{PointId(id), std::nullopt}}};
          write(absent, known ? 0 : 1, known ? 0 : 1);
          if (!known) model_[id] = x;
          break;
        }
        default: {
          write(put(id, x), 1, known ? 0 : 1);
          model_[id] = x;
        }
      }
    }
  }

  void write(const WriteRequest& request, std::uint64_t affected, std::uint64_t created) {
    const auto id = RequestId::random();
    for (;;) {
      const auto copy = world_.copy(world_.primary());
      if (copy == nullptr) {
        std::this_thread::sleep_for(2ms);
        continue;
      }
      CallContext call;
      call.request_id = id;
      call.deadline = std::chrono::steady_clock::now() + 1s;
      const auto written = copy->write_at(call, request);
      if (written.ok()) {
        if (written->result.affected != affected || written->result.created != created) {
          wrong_ = "a write did not do what it alone does";
        }
        return;
      }
      const auto code = written.error().code;
      if (!traits(code).retryable && code != ErrorCode::WrongOwner) {
        wrong_ = written.error().message;
        return;
      }
      std::this_thread::sleep_for(2ms);
    }
  }

  CopiesWorld& world_;
  const std::uint64_t number_;
  std::mt19937_64 random_;
  std::atomic<bool> stop_{false};
  CopiesWorld::Model model_;
  std::uint64_t writes_ = 0;
  std::string wrong_;
  std::thread thread_;
};

/// What goes wrong, one thing after the other; all is well again behind it.
class Storm {
 public:
  Storm(CopiesWorld& world, std::array<DiskOrders, 3>& orders, std::uint64_t seed)
      : world_(world), orders_(orders), random_(seed) {}

  void blow() {
    const std::size_t victim = random_() % 3;
    const std::size_t kind = random_() % 5;
    switch (kind) {
      case 0: return restart(victim);
      case 1: return restart(world_.primary());
      case 2: return cut_off(victim);
      case 3: return fail(victim);
      default: return hand_over();
    }
  }

 private:
  void rest() { std::this_thread::sleep_for(std::chrono::milliseconds(random_() % 900)); }

  void restart(std::size_t victim) {
    world_.stop(victim);
    if (world_.primary() == victim && random_() % 2 == 0) world_.fail_over();
    rest();
    world_.start(victim);
  }
  void cut_off(std::size_t victim) {
    for (std::size_t i = 0; i < 3; ++i) {
      if (i != victim) world_.network.cut(CopiesWorld::id_of(victim), CopiesWorld::id_of(i));
    }
    // A primary may be suspected while it lives.
    if (world_.primary() == victim && random_() % 2 == 0) world_.fail_over();
    rest();
    for (std::size_t i = 0; i < 3; ++i) {
      if (i != victim) world_.network.cut(CopiesWorld::id_of(victim), CopiesWorld::id_of(i), false);
    }
  }
  void fail(std::size_t victim) {
    orders_[victim].fails_to_append = true;
    rest();
    if (world_.primary() == victim) world_.fail_over();
    orders_[victim].fails_to_append = false;
    world_.stop(victim);
    world_.start(victim);
  }
  void hand_over() {
    const auto copy = world_.copy(world_.primary());
    if (copy) copy->hand_off(CopiesWorld::id_of(random_() % 3));
    rest();
    world_.show_record();
  }

  CopiesWorld& world_;
  std::array<DiskOrders, 3>& orders_;
  std::mt19937_64 random_;
};

TEST_CASE("copies: what was acknowledged survives restarts, cuts, failures and failovers",
          "[replication]") {
  const std::uint64_t seed = GENERATE(as<std::uint64_t>{}, 1, 2);
  INFO("seed " << seed);
  WorldOptions options;
  // Short enough for a copy to need snapshots too.
  options.storage.log_entries_kept = 200;
  options.storage.log_bytes_pinned = 20'000;
  CopiesWorld world(options);
  std::array<DiskOrders, 3> orders;
  for (std::size_t i = 0; i < 3; ++i) world.site(i).wrap = obeying(orders[i]);
  world.start();
  std::vector<std::unique_ptr<Writer>> writers;
  for (std::uint64_t i = 0; i < kWriters; ++i) {
    writers.push_back(std::make_unique<Writer>(world, i + 1));
  }
  Storm storm(world, orders, seed);
  const auto until = std::chrono::steady_clock::now() + 12s;
  while (std::chrono::steady_clock::now() < until) {
    storm.blow();
    // Whoever looks after the cluster tells of the record, now and then.
    world.show_record();
  }
  std::uint64_t writes = 0;
  CopiesWorld::Model model;
  for (auto& writer : writers) {
    writer->finish();
    CHECK(writer->wrong() == "");
    writes += writer->writes();
    model.insert(writer->model().begin(), writer->model().end());
  }
  CHECK(writes > 0);
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync() && world.settled(); }));
  for (std::size_t i = 0; i < 3; ++i) {
    INFO("copy " << i);
    CHECK(world.content(i) == model);
  }
}

}  // namespace
}  // namespace quiver::cluster::replication::test
