// Moves of shards between servers that run in this process and talk over real connections on
// loopback. What was acknowledged is what a test remembers itself; after every fault it must be
// readable through each server, and no file of a copy may be left that no record names.

#include <algorithm>
#include <atomic>
#include <set>

#include "cluster/migration/strays.h"
#include "tests/cluster/move_world.h"

namespace quiver::cluster {
namespace {

using namespace testing;

/// All points are there, through every server that runs.
void check_points(MoveWorld& world, const std::string& name, std::uint64_t count) {
  for (auto& node : world.nodes) {
    if (!node->server) continue;
    REQUIRE(node->views->refresh(within(10s)).ok());
    const auto collection = node->collection(name);
    const auto counted = collection->count(within(10s), std::nullopt);
    REQUIRE(counted.ok());
    CHECK(*counted == count);
    Query query;
    query.vector = {2.0F, 1.0F, 0.0F};
    query.k = 1;
    query.exact = true;
    const auto found = collection->search(within(10s), query);
    REQUIRE(found.ok());
    REQUIRE(found->hits.size() == 1);
    CHECK(found->hits.front().point.id == PointId(2));
  }
}

/// The shard has one copy, on the server that the record names, and no other has files of it.
void check_tidy(MoveWorld& world, const std::string& name) {
  const auto state = world.state(name);
  CHECK(state.copies.size() == 1);
  CHECK(state.in_sync == std::vector<CopyId>{state.primary});
  CHECK(state.copies.begin()->second.state == CopyState::Active);
  for (auto& node : world.nodes) {
    if (!node->server) continue;
    const std::size_t wanted = node->id == *state.primary_node() ? 1 : 0;
    CHECK(eventually([&] { return node->copies_on_disk() == wanted; }));
    CHECK(eventually([&] { return std::filesystem::is_empty(node->dir.path() / "outgoing"); }));
    const auto incoming = node->dir.path() / "shards" / "incoming";
    CHECK(eventually(
        [&] { return !std::filesystem::exists(incoming) || std::filesystem::is_empty(incoming); }));
  }
}

void check_writable(MoveWorld& world, const std::string& name) {
  for (auto& node : world.nodes) {
    if (!node->server) continue;
    CHECK(node->collection(name)->upsert(within(10s), {point(0)}).ok());
  }
}

TEST_CASE("Move: a shard on a full disk is not tried again, and says what to do",
          "[cluster][move]") {
  MoveWorld world(2);
  auto collection = world.make("notes", 1);
  REQUIRE(collection->upsert(CallContext{}, points(20)).ok());
  auto& from = world.owner("notes");
  std::atomic<int> asked{0};
  from.before([&](const std::string& method) -> Status {
    if (method != "begin_checkpoint") return Done{};
    ++asked;
    return Error{ErrorCode::ResourceExhausted, "flush the database: the disk is full"};
  });
  const auto id = world.plan("notes", 0, world.other(from));
  CHECK(world.ended(id) == MovePhase::Failed);
  CHECK(asked == 1);
  CHECK_THAT(world.move(id).error,
             Catch::Contains("the disk is full") && Catch::Contains("free some room there"));
  // It goes on where it is, and moves once there is room.
  check_writable(world, "notes");
  from.before({});
  CHECK(world.ended(world.plan("notes", 0, world.other(from))) == MovePhase::Done);
}

TEST_CASE("Move: a shard goes to another server with all that is in it", "[cluster][move]") {
  MoveWorld world(3);
  auto collection = world.make("notes", 1);
  REQUIRE(collection->upsert(CallContext{}, points(500)).ok());
  auto& from = world.owner("notes");
  auto& to = world.other(from);
  const auto before = world.state("notes");
  const auto id = world.plan("notes", 0, to);
  REQUIRE(world.ended(id) == MovePhase::Done);
  const auto after = world.state("notes");
  CHECK(*after.primary_node() == to.id);
  CHECK(raw(after.term) == raw(before.term) + 1);
  CHECK(after.epoch > before.epoch);
  const auto record = world.move(id);
  CHECK(record.bytes_done == record.bytes_total);
  CHECK(record.bytes_total > 0);
  CHECK(record.error.empty());
  check_points(world, "notes", 500);
  check_writable(world, "notes");
  check_tidy(world, "notes");
  // What was moved is durable there.
  to.restart();
  check_points(world, "notes", 500);
}

TEST_CASE("Move: no acknowledged write is lost and no search misses a point meanwhile",
          "[cluster][move]") {
  MoveWorld world(3);
  auto collection = world.make("notes", 1);
  REQUIRE(collection->upsert(CallContext{}, points(300)).ok());
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> missed{0};
  std::atomic<std::uint64_t> searches{0};
  std::vector<std::set<std::uint64_t>> acknowledged(3);
  std::vector<std::thread> clients;
  for (std::size_t i = 0; i < 3; ++i) {
    clients.emplace_back([&, i] {
      const auto mine = world.nodes[i]->collection("notes");
      for (std::uint64_t n = 0; !stop; ++n) {
        const std::uint64_t number = 10'000 + n * 3 + i;
        if (mine->upsert(within(20s), {point(number)}).ok()) acknowledged[i].insert(number);
        // The point that this client has just been told is stored, or one from the beginning.
        const std::uint64_t asked = acknowledged[i].contains(number) ? number : n % 300;
        Query query;
        query.vector = point(asked).vector;
        query.k = 1;
        const auto found = mine->search(within(20s), query);
        if (!found.ok()) continue;
        ++searches;
        if (found->hits.empty() || found->hits.front().point.id != PointId(asked)) ++missed;
      }
    });
  }
  for (int round = 0; round < 4; ++round) {
    CHECK(eventually([&, before = searches.load()] { return searches > before + 20; }));
    auto& to = world.other(world.owner("notes"));
    CHECK(world.ended(world.plan("notes", 0, to)) == MovePhase::Done);
  }
  stop = true;
  for (auto& client : clients) client.join();
  CHECK(missed == 0);
  world.settle();
  for (auto& node : world.nodes) {
    for (const auto& numbers : acknowledged) {
      for (const auto number : numbers) {
        const auto got = node->collection("notes")->get(within(10s), {PointId(number)}, {});
        REQUIRE(got.ok());
        REQUIRE(got->size() == 1);
      }
    }
  }
  check_tidy(world, "notes");
}

TEST_CASE("Move: a source that dies before the hand-over keeps the shard", "[cluster][move]") {
  const std::string phase = GENERATE("hold_writes", "begin_checkpoint", "read_chunk", "hand_over");
  MoveWorld world(2);
  auto collection = world.make("notes", 1);
  REQUIRE(collection->upsert(CallContext{}, points(50)).ok());
  auto& from = world.owner("notes");
  auto& to = world.other(from);
  std::atomic<bool> reached{false};
  from.before([&](const std::string& method) -> Status {
    if (method == phase) reached = true;
    // From here on it answers nothing.
    return reached ? Status(Error{ErrorCode::Unavailable, "gone"}) : Status(Done{});
  });
  const auto id = world.plan("notes", 0, to);
  REQUIRE(eventually([&] { return reached.load(); }));
  from.kill();
  CHECK(world.ended(id) == MovePhase::Failed);
  CHECK(world.move(id).attempts == 3);
  CHECK_FALSE(world.move(id).error.empty());
  from.before({});
  from.start();
  CHECK(*world.state("notes").primary_node() == from.id);
  check_points(world, "notes", 50);
  check_writable(world, "notes");
  check_tidy(world, "notes");
  // And it can be moved then.
  CHECK(world.ended(world.plan("notes", 0, to)) == MovePhase::Done);
  check_points(world, "notes", 50);
}

TEST_CASE("Move: a source that dies behind the hand-over has given the shard up",
          "[cluster][move]") {
  MoveWorld world(2);
  auto collection = world.make("notes", 1);
  REQUIRE(collection->upsert(CallContext{}, points(50)).ok());
  auto& from = world.owner("notes");
  auto& to = world.other(from);
  const auto given_up = world.state("notes").primary;
  from.before([&](const std::string& method) -> Status {
    if (method != "handed_over") return Done{};
    return Error{ErrorCode::Unavailable, "the answer is lost"};
  });
  const auto id = world.plan("notes", 0, to);
  CHECK(world.ended(id) == MovePhase::Done);
  from.kill();
  // As if it had died before its files went.
  const auto spec = to.views->current()->collections.at("notes")->spec;
  {
    storage::ShardStore disk(from.dir.path() / "shards", storage::Options{}, world.clock);
    REQUIRE(disk.create(spec, ShardId{0}, given_up).ok());
  }
  from.before({});
  from.start();
  check_points(world, "notes", 50);
  check_tidy(world, "notes");
}

TEST_CASE("Move: a target that dies goes on when it is back", "[cluster][move]") {
  const std::string phase =
      GENERATE("hold_writes", "begin_checkpoint", "read_chunk", "hand_over", "handed_over");
  MoveWorld world(2);
  auto collection = world.make("notes", 1);
  REQUIRE(collection->upsert(CallContext{}, points(50)).ok());
  auto& from = world.owner("notes");
  auto& to = world.other(from);
  std::atomic<bool> reached{false};
  std::atomic<bool> go_on{false};
  from.before([&](const std::string& method) -> Status {
    if (method != phase || reached.exchange(true)) return Done{};
    // The answer comes after the target's death.
    eventually([&] { return go_on.load(); });
    return Done{};
  });
  const auto id = world.plan("notes", 0, to);
  REQUIRE(eventually([&] { return reached.load(); }));
  std::thread death([&] { to.kill(); });
  go_on = true;
  death.join();
  to.start();
  CHECK(world.ended(id) == MovePhase::Done);
  CHECK(*world.state("notes").primary_node() == to.id);
  check_points(world, "notes", 50);
  check_writable(world, "notes");
  check_tidy(world, "notes");
}

TEST_CASE("Move: when the store does not say how a transaction ended, it is found out",
          "[cluster][move]") {
  using Fault = FaultyStore::Fault;
  const auto fault = GENERATE(Fault::UnknownDone, Fault::UnknownLost, Fault::Refused);
  const bool at_source = GENERATE(true, false);
  MoveWorld world(2);
  auto collection = world.make("notes", 1);
  REQUIRE(collection->upsert(CallContext{}, points(50)).ok());
  auto& from = world.owner("notes");
  auto& to = world.other(from);
  std::atomic<int> left{2};
  (at_source ? from : to).store.inject([&](const std::vector<Put>& puts) {
    if (at_source && !puts_shard(puts)) return Fault::None;
    return left-- > 0 ? fault : Fault::None;
  });
  const auto id = world.plan("notes", 0, to);
  CHECK(world.ended(id) == MovePhase::Done);
  check_points(world, "notes", 50);
  check_writable(world, "notes");
  check_tidy(world, "notes");
}

TEST_CASE("Move: while nobody knows who owns the shard, it is not written", "[cluster][move]") {
  using Fault = FaultyStore::Fault;
  const bool took_effect = GENERATE(true, false);
  MoveWorld world(2);
  auto collection = world.make("notes", 1);
  REQUIRE(collection->upsert(CallContext{}, points(50)).ok());
  auto& from = world.owner("notes");
  auto& to = world.other(from);
  std::atomic<bool> silent{true};
  std::atomic<int> sent{0};
  from.store.inject([&](const std::vector<Put>& puts) {
    if (!puts_shard(puts) || !silent) return Fault::None;
    return sent++ == 0 && took_effect ? Fault::UnknownDone : Fault::UnknownLost;
  });
  // The target does not find out either.
  to.store.inject([&](const std::vector<Put>& puts) {
    return silent && sent > 0 && puts_shard(puts) ? Fault::Refused : Fault::None;
  });
  const auto id = world.plan("notes", 0, to);
  REQUIRE(eventually([&] { return sent > 0; }));
  if (!took_effect) {
    // Written to the old owner, which must not take it while it may have been handed over.
    const auto written = from.collection("notes")->upsert(within(300ms), {point(1)});
    CHECK_FALSE(written.ok());
  }
  silent = false;
  const auto phase = world.ended(id);
  // What was not handed over when the target could ask again may be left at that.
  const bool moved = took_effect || phase == MovePhase::Done;
  CHECK(phase == (moved ? MovePhase::Done : MovePhase::Failed));
  CHECK(*world.state("notes").primary_node() == (moved ? to.id : from.id));
  check_points(world, "notes", 50);
  check_writable(world, "notes");
  check_tidy(world, "notes");
}

TEST_CASE("Move: a collection that is deleted meanwhile ends it", "[cluster][move]") {
  MoveWorld world(2);
  auto collection = world.make("notes", 1);
  REQUIRE(collection->upsert(CallContext{}, points(50)).ok());
  auto& from = world.owner("notes");
  auto& to = world.other(from);
  std::atomic<bool> reading{false};
  std::atomic<bool> go_on{false};
  from.before([&](const std::string& method) -> Status {
    if (method != "read_chunk") return Done{};
    reading = true;
    eventually([&] { return go_on.load(); });
    return Done{};
  });
  const auto id = world.plan("notes", 0, to);
  REQUIRE(eventually([&] { return reading.load(); }));
  REQUIRE(to.catalogue->drop(within(10s), "notes").ok());
  go_on = true;
  CHECK(eventually([&] { return world.move(id).finished(); }));
  CHECK(world.move(id).phase != MovePhase::Done);
  world.settle();
  from.tidy(within(10s));
  CHECK(eventually([&] { return from.copies_on_disk() + to.copies_on_disk() == 0; }));
}

TEST_CASE("Move: what is not wanted any more is not begun", "[cluster][move]") {
  MoveWorld world(3);
  world.make("notes", 1);
  auto& from = world.owner("notes");
  auto& to = world.other(from);
  SECTION("the shard has moved already") {
    auto& third = *std::find_if(world.nodes.begin(), world.nodes.end(), [&](const auto& node) {
                     return node->id != from.id && node->id != to.id;
                   })->get();
    // Both name the same copy; the one that is begun first wins.
    const auto one = world.plan("notes", 0, to);
    const auto two = world.plan("notes", 0, third);
    CHECK(eventually([&] { return world.move(one).finished() && world.move(two).finished(); }));
    std::multiset<MovePhase> phases{world.move(one).phase, world.move(two).phase};
    CHECK(phases == std::multiset<MovePhase>{MovePhase::Done, MovePhase::Aborted});
  }
  SECTION("the server that it leads to drains") {
    auto record = to.views->current()->nodes.at(to.id).record;
    record.state = NodeState::Draining;
    const auto put =
        world.store->txn(CallContext{}, {}, {{keys::node(to.id), record.to_json().dump()}});
    REQUIRE(put.ok());
    CHECK(world.ended(world.plan("notes", 0, to)) == MovePhase::Aborted);
    CHECK(*world.state("notes").primary_node() == from.id);
  }
  check_tidy(world, "notes");
}

TEST_CASE("Move: one that others have ended is given up", "[cluster][move]") {
  MoveWorld world(2);
  auto collection = world.make("notes", 1);
  REQUIRE(collection->upsert(CallContext{}, points(50)).ok());
  auto& from = world.owner("notes");
  auto& to = world.other(from);
  std::atomic<bool> asked{false};
  std::atomic<bool> go_on{false};
  from.before([&](const std::string& method) -> Status {
    if (method != "read_chunk") return Done{};
    asked = true;
    eventually([&] { return go_on.load(); });
    return Done{};
  });
  const auto id = world.plan("notes", 0, to);
  REQUIRE(eventually([&] { return asked.load(); }));
  auto record = world.move(id);
  record.phase = MovePhase::Failed;
  record.error = "ended by the test";
  REQUIRE(world.store->txn(CallContext{}, {}, {{keys::move(id), record.to_json().dump()}}).ok());
  go_on = true;
  CHECK(eventually([&] { return world.state("notes").copies.size() == 1; }));
  CHECK(world.move(id).error == "ended by the test");
  CHECK(*world.state("notes").primary_node() == from.id);
  check_points(world, "notes", 50);
  check_tidy(world, "notes");
}

TEST_CASE("Move: several at once, and at a limited pace", "[cluster][move]") {
  auto options = MoveWorld::quick();
  options.incoming_max = 2;
  options.progress_every = 0ms;
  options.receive.pace = std::make_shared<Pace>(4 << 20);
  MoveWorld world(2, options);
  auto collection = world.make("notes", 4);
  REQUIRE(collection->upsert(CallContext{}, points(200)).ok());
  std::vector<std::string> ids;
  for (std::uint32_t shard = 0; shard < 4; ++shard) {
    ids.push_back(world.plan("notes", shard, world.other(world.owner("notes", shard))));
  }
  for (const auto& id : ids) CHECK(world.ended(id) == MovePhase::Done);
  check_points(world, "notes", 200);
}

TEST_CASE("Move: one that would keep writes waiting for too long fails for good, at once",
          "[cluster][move]") {
  auto options = MoveWorld::quick();
  options.receive.hold_total = 1s;
  SECTION("by its pace, before a byte has travelled") {
    options.receive.pace = std::make_shared<Pace>(1 << 10);
  }
  SECTION("by its speed") {
    options.receive.hold_total = 300ms;
  }
  MoveWorld world(2, options);
  auto collection = world.make("notes", 1);
  REQUIRE(collection->upsert(CallContext{}, points(50)).ok());
  auto& from = world.owner("notes");
  std::atomic<int> holds{0};
  std::atomic<int> chunks{0};
  from.before([&](const std::string& method) -> Status {
    if (method == "begin_checkpoint") ++holds;
    if (method != "read_chunk") return Done{};
    ++chunks;
    const auto until = std::chrono::steady_clock::now() + options.receive.hold_total;
    eventually([&] { return std::chrono::steady_clock::now() > until; });
    return Done{};
  });
  const auto id = world.plan("notes", 0, world.other(from));
  CHECK(world.ended(id) == MovePhase::Failed);
  const auto record = world.move(id);
  CHECK(record.attempts == 1);
  CHECK_THAT(record.error, Catch::Contains("too large to be moved"));
  CHECK(holds == 1);
  // None if making the checkpoint has taken all of the time.
  CHECK(chunks <= (options.receive.pace->bytes_per_second() > 0 ? 0 : 1));
  CHECK(collection->upsert(within(10s), {point(51)}).ok());
  check_points(world, "notes", 51);
  check_tidy(world, "notes");
}

TEST_CASE("MoveRecord: comes back as it was, and nothing else is read", "[cluster][move]") {
  MoveRecord record;
  record.move = {"notes",
                 std::string(32, 'a'),
                 ShardId{3},
                 CopyId{std::string(32, 'b')},
                 NodeId{std::string(32, 'c')},
                 NodeId{std::string(32, 'd')},
                 MoveReason::Drain};
  record.to_copy = CopyId{std::string(32, 'e')};
  record.phase = MovePhase::Copying;
  record.error = "why";
  record.attempts = 2;
  record.bytes_done = 7;
  record.bytes_total = 9;
  record.operation = "op";
  record.started_ms = 5;
  record.updated_ms = 6;
  CHECK(MoveRecord::parse(record.to_json().dump()).value() == record);
  const auto refused = [&](const char* field, const Json& value) {
    auto json = record.to_json();
    json[field] = value;
    const auto read = MoveRecord::from_json(json);
    return !read.ok() && read.error().code == ErrorCode::Corruption;
  };
  CHECK(refused("phase", "resting"));
  CHECK(refused("phase", 7));
  CHECK(refused("more", 1));
  CHECK(refused("move", Json::object()));
  auto without = record;
  without.move.copy.reset();
  without.move.from.reset();
  CHECK_FALSE(MoveRecord::from_json(without.to_json()).ok());
  CHECK_FALSE(MoveRecord::parse("{").ok());
  CHECK(name(MovePhase::HandingOver) == "handing_over");
  CHECK(name(MovePhase{99}) == "unknown");
}

}  // namespace
}  // namespace quiver::cluster
