// What a copy finds on its disk after a restart, what it says of damage, and what becomes of
// writes when the disk fails.

#include "cluster/replication/copy_disk.h"

#include <fstream>
#include <thread>

#include "storage/files.h"
#include "tests/cluster/copies_world.h"
#include "tests/cluster/failing_shard.h"

namespace quiver::cluster::replication::test {
namespace {

SharedEntry entry(std::uint64_t term, std::uint64_t seq) {
  const auto body = storage::encode_mutation(put(seq, static_cast<double>(seq)));
  const RequestId request{{static_cast<std::uint8_t>(seq)}};
  auto bytes = storage::encode_log_entry({Term{term}, Seq{seq}}, request, *body);
  return std::make_shared<const storage::EncodedEntry>(
      *storage::encoded_entry(Seq{seq}, std::move(*bytes)));
}

std::vector<SharedEntry> entries(std::uint64_t term, std::uint64_t from, std::uint64_t to) {
  std::vector<SharedEntry> out;
  for (auto seq = from; seq <= to; ++seq) out.push_back(entry(term, seq));
  return out;
}

/// Remembers what the disk tells.
class Heard final : public DiskEvents {
 public:
  void synced(Ticket through) override {
    const MutexLock lock(mutex_);
    synced_ = through;
    changed_.notify_all();
  }
  void failed(const Error& why) override {
    const MutexLock lock(mutex_);
    failed_ = why.message;
    changed_.notify_all();
  }
  void applied(Seq through, const std::vector<MutationResult>& results) override {
    const MutexLock lock(mutex_);
    applied_ = through;
    results_ += results.size();
    changed_.notify_all();
  }
  void trimmed(Seq /*first*/) override {}

  bool until_synced(std::uint64_t ticket) {
    return until([&] { return synced_ >= Ticket{ticket}; });
  }
  bool until_applied(std::uint64_t seq) {
    return until([&] { return applied_ >= Seq{seq}; });
  }
  bool until_failed() {
    return until([&] { return !failed_.empty(); });
  }
  std::size_t results() {
    const MutexLock lock(mutex_);
    return results_;
  }
  Ticket synced_ticket() {
    const MutexLock lock(mutex_);
    return synced_;
  }

 private:
  template <typename Condition>
  bool until(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + 30s;
    const MutexLock lock(mutex_);
    while (!condition()) {
      if (!changed_.wait_until(mutex_, end)) return condition();
    }
    return true;
  }

  Mutex mutex_;
  CondVar changed_;
  Ticket synced_{0};
  Seq applied_{0};
  std::size_t results_ = 0;
  std::string failed_;
};

struct Fixture {
  Fixture() : store(dir.path(), storage::Options{}, clock) {}
  CopyDisk::Place place() {
    return {store, line_spec(), ShardId{0}, CopyId{std::string(32, 'c')}, wrap};
  }
  Status open() {
    disk.reset();
    heard = std::make_unique<Heard>();
    QV_TRY(disk, CopyDisk::open(place(), pool));
    disk->start(*heard);
    return Done{};
  }
  std::filesystem::path file() const {
    return dir.path() / line_spec().id / ("0." + std::string(32, 'c')) / "REPLICA";
  }

  TempDir dir;
  ManualClock clock;
  storage::ShardStore store;
  WrapShard wrap;
  WorkPool pool{2};
  std::unique_ptr<Heard> heard;
  std::unique_ptr<CopyDisk> disk;
};

TEST_CASE("CopyDisk: a restart finds terms, log and what was not applied", "[replication]") {
  Fixture f;
  REQUIRE(CopyDisk::make(f.place(), Revision{7}).ok());
  // Once more changes nothing.
  REQUIRE(CopyDisk::make(f.place(), Revision{9}).ok());
  REQUIRE(error_of(f.open()).empty());
  CHECK(f.disk->persisted().born == Revision{7});
  CHECK(f.disk->persisted().history.tail() == Seq{0});
  CHECK(f.disk->persisted().first == Seq{1});

  f.disk->persist_term(Term{2}, Ticket{1});
  f.disk->append(entries(2, 1, 3), Ticket{2});
  f.disk->append(entries(2, 4, 4), Ticket{3});
  f.disk->apply_through(Seq{2});
  f.disk->persist_term(Term{5}, Ticket{4});
  f.disk->append(entries(5, 5, 8), Ticket{5});
  f.disk->truncate_after(Seq{6}, Ticket{6});
  REQUIRE(f.heard->until_synced(6));
  REQUIRE(f.heard->until_applied(2));
  CHECK(f.heard->results() == 2);

  REQUIRE(error_of(f.open()).empty());
  const auto& found = f.disk->persisted();
  CHECK(found.seen == Term{5});
  CHECK(found.history == History({{Term{2}, Seq{1}}, {Term{5}, Seq{5}}}, Seq{6}));
  CHECK(found.applied == Seq{2});
  REQUIRE(found.unapplied.size() == 4);
  CHECK(found.unapplied.front() == entry(2, 3)->request_id);
  CHECK(found.unapplied.back() == entry(5, 6)->request_id);

  // A term whose entries were all cut off is none of the log's.
  f.disk->truncate_after(Seq{4}, Ticket{1});
  REQUIRE(f.heard->until_synced(1));
  REQUIRE(error_of(f.open()).empty());
  CHECK(f.disk->persisted().history == History({{Term{2}, Seq{1}}}, Seq{4}));
  CHECK(f.disk->persisted().seen == Term{5});
}

TEST_CASE("CopyDisk: terms of a log that the file does not know yet, or not any more",
          "[replication]") {
  Fixture f;
  REQUIRE(CopyDisk::make(f.place(), Revision{1}).ok());
  REQUIRE(error_of(f.open()).empty());
  std::uint64_t ticket = 0;
  for (std::uint64_t seq = 1; seq <= 40; ++seq) {
    f.disk->append(entries(1 + seq / 7, seq, seq), Ticket{++ticket});
  }
  REQUIRE(f.heard->until_synced(ticket));
  f.disk.reset();
  History expected;
  for (std::uint64_t seq = 1; seq <= 40; ++seq) expected.append(Term{1 + seq / 7});
  // As a crash between the two files leaves it.
  const std::vector<std::vector<storage::ReplicaState::Reign>> files{
      {}, {{Term{1}, Seq{1}}}, {{Term{1}, Seq{1}}, {Term{2}, Seq{7}}, {Term{9}, Seq{20}}}};
  for (const auto& reigns : files) {
    REQUIRE(storage::write_replica_file(f.file().parent_path(), {Term{3}, 1, reigns}).ok());
    REQUIRE(error_of(f.open()).empty());
    CHECK(f.disk->persisted().history == expected);
    CHECK(f.disk->persisted().seen == Term{6});
    f.disk.reset();
    // What was found is on disk before it counts.
    const auto stored = storage::read_replica_file(f.file().parent_path());
    REQUIRE(stored.ok());
    CHECK(stored->reigns.size() == 6);
    CHECK(stored->seen == Term{6});
  }
}

TEST_CASE("CopyDisk: a copy without its terms, or with damaged ones, is not opened",
          "[replication]") {
  Fixture f;
  CHECK(f.open().error().code == ErrorCode::Corruption);
  REQUIRE(CopyDisk::make(f.place(), Revision{1}).ok());
  REQUIRE(error_of(f.open()).empty());
  f.disk->append(entries(1, 1, 3), Ticket{1});
  REQUIRE(f.heard->until_synced(1));
  f.disk.reset();
  const auto good = storage::read_file(f.file(), 1 << 20, "it").value();

  std::filesystem::remove(f.file());
  const auto missing = f.open();
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().code == ErrorCode::Corruption);
  CHECK(missing.error().message.find("REPLICA is missing") != std::string::npos);

  auto bad = good;
  bad[good.size() / 2] = static_cast<char>(bad[good.size() / 2] ^ 1);
  std::ofstream(f.file(), std::ios::binary) << bad;
  const auto damaged = f.open();
  REQUIRE_FALSE(damaged.ok());
  CHECK(damaged.error().code == ErrorCode::Corruption);
  std::ofstream(f.file(), std::ios::binary) << good;
  CHECK(f.open().ok());
}

TEST_CASE("CopyDisk: the only copy becomes one of several with its log", "[replication]") {
  Fixture f;
  {
    auto shard = f.store.create(line_spec(), ShardId{0}, f.place().copy);
    REQUIRE(shard.ok());
    std::vector<LogEntry> log;
    for (std::uint64_t seq = 1; seq <= 5; ++seq) {
      log.push_back({Term{1}, Seq{seq}, {}, put(seq, 1.0)});
    }
    REQUIRE((*shard)->append(std::span<const LogEntry>(log)).ok());
    REQUIRE((*shard)->apply_through(Seq{5}).ok());
  }
  REQUIRE(CopyDisk::make(f.place(), Revision{3}).ok());
  REQUIRE(error_of(f.open()).empty());
  CHECK(f.disk->persisted().history == History({{Term{1}, Seq{1}}}, Seq{5}));
  // It was primary in that term.
  CHECK(f.disk->persisted().seen == Term{1});
}

TEST_CASE("CopyDisk: what is queued together is one sync", "[replication]") {
  Fixture f;
  DiskOrders orders;
  f.wrap = obeying(orders);
  REQUIRE(CopyDisk::make(f.place(), Revision{1}).ok());
  REQUIRE(error_of(f.open()).empty());
  orders.delay_ms = 200;
  f.disk->append(entries(1, 1, 1), Ticket{1});
  REQUIRE(CopiesWorld::eventually([&] { return orders.appends == 1 || orders.entries == 0; }));
  for (std::uint64_t seq = 2; seq <= 50; ++seq) {
    f.disk->append(entries(1, seq, seq), Ticket{seq});
    f.disk->apply_through(Seq{seq - 1});
  }
  REQUIRE(f.heard->until_synced(50));
  REQUIRE(f.heard->until_applied(49));
  CHECK(orders.entries == 50);
  CHECK(orders.appends <= 3);
}

TEST_CASE("CopyDisk: behind a failure nothing is written", "[replication]") {
  Fixture f;
  DiskOrders orders;
  f.wrap = obeying(orders);
  REQUIRE(CopyDisk::make(f.place(), Revision{1}).ok());
  REQUIRE(error_of(f.open()).empty());
  f.disk->append(entries(1, 1, 2), Ticket{1});
  REQUIRE(f.heard->until_synced(1));
  orders.fails_to_append = true;
  f.disk->append(entries(1, 3, 4), Ticket{2});
  REQUIRE(f.heard->until_failed());
  orders.fails_to_append = false;
  f.disk->append(entries(1, 5, 5), Ticket{3});
  f.disk->apply_through(Seq{2});
  bool ran = false;
  f.disk->run([&](storage::Shard&, const History&) { ran = true; });
  f.disk->close();
  CHECK(f.heard->synced_ticket() == Ticket{1});
  CHECK_FALSE(ran);
  CHECK(orders.entries == 2);
  REQUIRE(error_of(f.open()).empty());
  CHECK(f.disk->persisted().history.tail() == Seq{2});
}

TEST_CASE("copies: a copy whose disk fails is left out, and comes back when it is opened anew",
          "[replication]") {
  CopiesWorld world;
  std::array<DiskOrders, 3> orders;
  for (std::size_t i = 0; i < 3; ++i) world.site(i).wrap = obeying(orders[i]);
  world.start();
  CopiesWorld::Model model;
  std::uint64_t id = 0;
  const auto write_some = [&] {
    for (int i = 0; i < 4; ++i, ++id) {
      world.write(put(id, static_cast<double>(id)));
      model[id] = static_cast<double>(id);
    }
  };
  write_some();
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
  orders[2].fails_to_append = true;
  write_some();
  CHECK_FALSE(world.in_sync(2));
  CHECK(world.copy(2)->status().role == Role::Failed);
  CHECK(world.copy(2)->read(CallContext{}, ReadLevel::Eventual).error().code ==
        ErrorCode::Unavailable);
  orders[2].fails_to_append = false;
  world.stop(2);
  world.start(2);
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));

  // The primary: its writers do not know.
  orders[0].fails_to_append = true;
  const auto request = RequestId::random();
  const auto lost = world.try_write(put(id, static_cast<double>(id)), request);
  REQUIRE_FALSE(lost.ok());
  CHECK(lost.error().code == ErrorCode::DeadlineExceeded);
  CHECK(world.try_write(put(1, 1), {}).error().code == ErrorCode::Unavailable);
  REQUIRE(world.fail_over());
  world.write(put(id, static_cast<double>(id)), request);
  model[id] = static_cast<double>(id);
  ++id;
  orders[0].fails_to_append = false;
  world.stop(0);
  world.start(0);
  write_some();
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync() && world.settled(); }));
  for (std::size_t i = 0; i < 3; ++i) CHECK(world.content(i) == model);

  // One that cannot apply fails too.
  const std::size_t primary = world.primary();
  orders[primary].fails_to_apply = true;
  CHECK(world.try_write(put(id, 1.0), {}).error().code == ErrorCode::DeadlineExceeded);
  CHECK(world.copy(primary)->status().role == Role::Failed);
}

}  // namespace
}  // namespace quiver::cluster::replication::test
