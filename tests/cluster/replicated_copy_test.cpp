// Three copies of a shard on real storage: what they hold after writes, restarts, failovers,
// truncations, snapshots and failed disks, against a map.

#include "cluster/replication/replicated_copy.h"

#include <thread>

#include "tests/cluster/copies_world.h"

namespace quiver::cluster::replication::test {
namespace {

using Model = CopiesWorld::Model;

void check_equal(CopiesWorld& world, const Model& model) {
  REQUIRE(CopiesWorld::eventually([&] { return world.settled(); }));
  for (std::size_t i = 0; i < 3; ++i) {
    INFO("copy " << i);
    if (world.copy(i) != nullptr) CHECK(world.content(i) == model);
  }
}

TEST_CASE("copies: every acknowledged write is on all of them", "[replication]") {
  CopiesWorld world;
  world.start();
  Model model;
  for (std::uint64_t i = 1; i <= 60; ++i) {
    const auto written = world.write(put(i % 20, static_cast<double>(i)));
    CHECK(written.result.affected == 1);
    CHECK(written.result.created == (i < 20 || i == 20 ? 1 : 0));
    model[i % 20] = static_cast<double>(i);
    // Durable everywhere when it is acknowledged, if all are in sync.
    if (world.all_in_sync()) {
      for (std::size_t c = 0; c < 3; ++c) {
        CHECK(world.copy(c)->status().durable.seq >= written.at);
      }
    }
  }
  CHECK(world.write(Mutation{ErasePoints{{PointId(3), PointId(4), PointId(99)}}}).result.affected ==
        2);
  model.erase(3);
  model.erase(4);
  check_equal(world, model);
}

TEST_CASE("copies: many writers at once, in groups", "[replication]") {
  CopiesWorld world;
  world.start();
  world.write(put(0, 0));
  std::vector<std::thread> writers;
  constexpr std::uint64_t kEach = 25;
  for (std::uint64_t w = 0; w < 8; ++w) {
    writers.emplace_back([&world, w] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        const auto id = 1 + w * kEach + i;
        // Catch2 is not for many threads: what fails here is missed below.
        CallContext call;
        for (;;) {
          call.request_id = RequestId::random();
          const auto copy = world.copy(world.primary());
          if (copy && copy->write_at(call, put(id, static_cast<double>(id))).ok()) break;
        }
      }
    });
  }
  for (auto& writer : writers) writer.join();
  Model model;
  for (std::uint64_t id = 0; id <= 8 * kEach; ++id) model[id] = static_cast<double>(id);
  check_equal(world, model);
}

TEST_CASE("copies: what cannot be stored is refused and changes nothing", "[replication]") {
  WorldOptions options;
  options.copy.entry_bytes_max = 2000;
  CopiesWorld world(options);
  world.start();
  world.write(put(1, 1));
  const auto tail = world.copy(0)->status().tail;
  auto wrong = at(2, 2);
  wrong.vector = {1};
  CHECK(world.try_write(Mutation{UpsertPoints{{wrong}}}, {}).error().code ==
        ErrorCode::InvalidArgument);
  auto large = at(2, 2);
  large.payload["text"] = std::string(3000, 'x');
  CHECK(world.try_write(Mutation{UpsertPoints{{large}}}, {}).error().code ==
        ErrorCode::InvalidArgument);
  CHECK(world.copy(0)->status().tail == tail);
  // At a copy that is not the primary.
  const auto elsewhere = world.copy(1)->write(CallContext{}, put(3, 3));
  CHECK(elsewhere.error().code == ErrorCode::WrongOwner);
  CHECK(world.copy(1)->hold(CallContext{}).error().code == ErrorCode::WrongOwner);
  check_equal(world, {{1, 1.0}});
}

TEST_CASE("copies: conditions, filters and updates are decided by the newest state",
          "[replication]") {
  CopiesWorld world;
  world.start();
  world.write(put(1, 10));
  const UpsertIf absent{{at(2, 20)}, {{PointId(2), std::nullopt}}};
  const auto id = RequestId::random();
  CHECK(world.write(absent, id).result.created == 1);
  // The same write again is not the same condition again.
  CHECK(world.write(absent, id).result.created == 1);
  CHECK(world.write(absent).result.affected == 0);

  const auto stored = world.copy(0)->shard()->get(std::vector{PointId(2)},
                                                  {.payload = true, .text = true, .vector = false});
  const UpsertIf same{{at(2, 21)}, {{PointId(2), digest_of(stored->front())}}};
  CHECK(world.write(same).result.affected == 1);
  CHECK(world.write(same).result.affected == 0);

  UpdatePayload update{{PointId(1)}, UpdatePayload::Mode::Merge, Json{{"x", 11.0}}};
  CHECK(world.write(Mutation{update}).result.affected == 1);
  const auto filter = Filter::parse(Json{{"x", {{"$gte", 20}}}});
  REQUIRE(filter.ok());
  CHECK(world.write(EraseMatching{*filter}).result.affected == 1);
  CHECK(world.write(EraseMatching{*filter}).result.affected == 0);
  check_equal(world, {{1, 11.0}});
}

TEST_CASE("copies: writers that race for one point under a condition, one wins each time",
          "[replication]") {
  CopiesWorld world;
  world.start();
  world.write(put(1, 0));
  std::atomic<std::uint64_t> won{0};
  std::vector<std::thread> writers;
  for (int w = 0; w < 4; ++w) {
    writers.emplace_back([&] {
      for (int i = 0; i < 10;) {
        const auto copy = world.copy(world.primary());
        const auto shard = copy->read(CallContext{}, ReadLevel::Linearizable);
        if (!shard.ok()) continue;
        const auto points = (*shard)->get(std::vector{PointId(1)},
                                          {.payload = true, .text = true, .vector = false});
        const auto x = points->front().payload.at("x").get<double>();
        const UpsertIf next{{at(1, x + 1)}, {{PointId(1), digest_of(points->front())}}};
        CallContext call;
        call.request_id = RequestId::random();
        const auto written = copy->write(call, next);
        if (!written.ok()) continue;
        ++i;
        won += written->affected;
      }
    });
  }
  for (auto& writer : writers) writer.join();
  CHECK(won > 0);
  check_equal(world, {{1, static_cast<double>(won.load())}});
}

TEST_CASE("copies: any of them restarts, and catches up by its log", "[replication]") {
  CopiesWorld world;
  world.start();
  Model model;
  std::uint64_t next_id = 0;
  const auto write_some = [&] {
    for (int i = 0; i < 5; ++i, ++next_id) {
      world.write(put(next_id, static_cast<double>(next_id)));
      model[next_id] = static_cast<double>(next_id);
    }
  };
  write_some();
  for (std::size_t down = 0; down < 3; ++down) {
    world.stop(down);
    if (world.primary() == down) {
      REQUIRE(world.fail_over());
      CHECK(world.primary() != down);
    }
    write_some();
    CHECK_FALSE(world.in_sync(down));
    world.start(down);
    write_some();
    REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
  }
  CHECK(world.network.snapshots() == 0);
  check_equal(world, model);
  // All at once.
  for (std::size_t i = 0; i < 3; ++i) world.stop(i);
  world.start();
  write_some();
  check_equal(world, model);
}

TEST_CASE("copies: a primary alone goes on after a restart in a new term", "[replication]") {
  WorldOptions options;
  options.in_sync = 1;
  CopiesWorld world(options);
  world.start(0);
  world.write(put(1, 1));
  CHECK(world.record.read()->record.term == Term{1});
  world.stop(0);
  world.start(0);
  CHECK(world.write(put(2, 2)).result.created == 1);
  CHECK(world.record.read()->record.term == Term{2});
  check_equal(world, {{1, 1.0}, {2, 2.0}});
  // A retry of what was done before the restart is not done again.
  const auto id = RequestId::random();
  world.write(put(3, 3), id);
  world.write(put(3, 4));
  world.stop(0);
  world.start(0);
  CHECK(world.write(put(3, 3), id).result.created == 1);
  check_equal(world, {{1, 1.0}, {2, 2.0}, {3, 4.0}});
}

TEST_CASE("copies: an entry that nobody acknowledged is cut off after a failover",
          "[replication]") {
  CopiesWorld world;
  world.start();
  world.write(put(1, 1));
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync() && world.settled(); }));
  // The primary cannot reach the others, nor the store: it logs what it cannot acknowledge.
  world.network.cut(CopiesWorld::id_of(0), CopiesWorld::id_of(1));
  world.network.cut(CopiesWorld::id_of(0), CopiesWorld::id_of(2));
  world.record.set_away(true);
  const auto lost = RequestId::random();
  const auto failed = world.copy(0)->write_at(
      [&] {
        CallContext call;
        call.request_id = lost;
        call.deadline = std::chrono::steady_clock::now() + 300ms;
        return call;
      }(),
      put(2, 2));
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().code == ErrorCode::DeadlineExceeded);
  const auto old_tail = world.copy(0)->status().tail;
  CHECK(world.copy(0)->shard()->count(CallContext{}, std::nullopt).value() == 1);
  // Nor does it answer reads of the newest state.
  CallContext call;
  CHECK(CopiesWorld::eventually(
      [&] { return !world.copy(0)->read(call, ReadLevel::Linearizable).ok(); }));

  world.record.set_away(false);
  world.stop(0);
  REQUIRE(world.fail_over());
  world.write(put(3, 3));
  world.start(0);
  CHECK(world.copy(0)->status().tail == old_tail);
  world.network.cut(CopiesWorld::id_of(0), CopiesWorld::id_of(1), false);
  world.network.cut(CopiesWorld::id_of(0), CopiesWorld::id_of(2), false);
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
  check_equal(world, {{1, 1.0}, {3, 3.0}});
  CHECK(world.network.snapshots() == 0);
  // Repeated, it takes effect once.
  CHECK(world.write(put(2, 2), lost).result.created == 1);
  check_equal(world, {{1, 1.0}, {2, 2.0}, {3, 3.0}});
}

TEST_CASE("copies: a write whose answer was lost is found by its id behind a failover",
          "[replication]") {
  CopiesWorld world;
  world.start();
  const auto id = RequestId::random();
  const auto first = world.write(put(1, 1), id);
  world.write(put(1, 2));
  world.stop(0);
  REQUIRE(world.fail_over());
  const auto again = world.write(put(1, 1), id);
  CHECK(again.result == first.result);
  const UpsertIf absent{{at(5, 5)}, {{PointId(5), std::nullopt}}};
  const auto conditional = RequestId::random();
  CHECK(world.write(absent, conditional).result.created == 1);
  CHECK(world.write(absent, conditional).result.created == 1);
  world.start(0);
  check_equal(world, {{1, 2.0}, {5, 5.0}});
}

TEST_CASE("copies: one that was away for longer than the log reaches is filled anew",
          "[replication]") {
  WorldOptions options;
  options.storage.log_entries_kept = 10;
  options.storage.log_bytes_pinned = 1;
  CopiesWorld world(options);
  world.start();
  Model model;
  const auto write_some = [&](std::uint64_t from, std::uint64_t count) {
    for (auto i = from; i < from + count; ++i) {
      world.write(put(i, static_cast<double>(i)));
      model[i] = static_cast<double>(i);
    }
  };
  write_some(0, 5);
  world.stop(2);
  write_some(5, 60);
  // What a flush made durable is trimmed at the next write.
  for (std::size_t i = 0; i < 2; ++i) {
    const auto shard = std::const_pointer_cast<storage::Shard>(world.copy(i)->shard());
    REQUIRE(shard->flush_index(CallContext{}).ok());
  }
  write_some(65, 2);
  REQUIRE(world.copy(0)->status().log_first > Seq{6});
  world.start(2);
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
  CHECK(world.network.snapshots() == 1);
  write_some(70, 5);
  check_equal(world, model);
  // What it was filled with is its own after a restart.
  world.stop(2);
  world.start(2);
  write_some(80, 5);
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
  check_equal(world, model);
  // And it can order the writes.
  world.copy(world.primary())->hand_off(CopiesWorld::id_of(2));
  REQUIRE(CopiesWorld::eventually([&] { return world.primary() == 2; }));
  world.show_record();
  write_some(90, 5);
  check_equal(world, model);
}

TEST_CASE("copies: new ones are filled, dropped ones retire", "[replication]") {
  WorldOptions options;
  options.in_sync = 1;
  CopiesWorld world(options);
  world.start(0);
  for (std::uint64_t i = 0; i < 30; ++i) world.write(put(i, 1.0));
  world.start(1);
  world.start(2);
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
  CHECK(world.record.read()->record.copies.at(CopiesWorld::id_of(2)).state == CopyState::Active);
  world.copy(0)->drop(CopiesWorld::id_of(2));
  REQUIRE(CopiesWorld::eventually(
      [&] { return !world.record.read()->record.copies.contains(CopiesWorld::id_of(2)); }));
  world.show_record();
  CHECK(CopiesWorld::eventually([&] { return world.site(2).retired.load(); }));
  CHECK(world.copy(2)->status().role == Role::Retired);
  CHECK(world.copy(2)->read(CallContext{}, ReadLevel::Eventual).error().code ==
        ErrorCode::Unavailable);
  world.stop(2);
  world.write(put(99, 9.0));
  CHECK(CopiesWorld::eventually([&] { return world.content(1).size() == 31; }));
}

TEST_CASE("copies: the role is handed over without a pause for leases", "[replication]") {
  CopiesWorld world;
  world.start();
  Model model;
  for (std::uint64_t i = 0; i < 6; ++i) {
    world.write(put(i, 1.0));
    model[i] = 1.0;
    REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
    const std::size_t target = (world.primary() + 1) % 3;
    REQUIRE(CopiesWorld::eventually([&] {
      world.copy(world.primary())->hand_off(CopiesWorld::id_of(target));
      return world.primary() == target;
    }));
    world.show_record();
  }
  CHECK(world.record.read()->record.term >= Term{7});
  check_equal(world, model);
}

TEST_CASE("copies: reads at every level", "[replication]") {
  CopiesWorld world;
  world.start();
  const auto written = world.write(put(1, 1));
  const CallContext call;
  REQUIRE(CopiesWorld::eventually(
      [&] { return world.copy(0)->read(call, ReadLevel::Linearizable).ok(); }));
  CHECK(world.copy(1)->read(call, ReadLevel::Linearizable).error().code == ErrorCode::WrongOwner);
  for (std::size_t i = 0; i < 3; ++i) {
    // A session sees what it wrote, wherever it reads.
    REQUIRE(CopiesWorld::eventually(
        [&] { return world.copy(i)->read(call, ReadLevel::Session, written.at).ok(); }));
    const auto shard = world.copy(i)->read(call, ReadLevel::Session, written.at);
    REQUIRE(shard.ok());
    CHECK((*shard)->count(call, std::nullopt).value() == 1);
    CHECK(CopiesWorld::eventually(
        [&] { return world.copy(i)->read(call, ReadLevel::Eventual).ok(); }));
  }
  CHECK(world.copy(1)->read(call, ReadLevel::Session, Seq{1000}).error().code ==
        ErrorCode::Unavailable);
  // One that hears nobody says so.
  world.stop(0);
  world.stop(2);
  CHECK(CopiesWorld::eventually(
      [&] { return !world.copy(1)->read(call, ReadLevel::Eventual).ok(); }));
  CallContext late;
  late.deadline = std::chrono::steady_clock::now();
  CHECK(world.copy(1)->read(late, ReadLevel::Session, Seq{1000}).error().code ==
        ErrorCode::DeadlineExceeded);
}

TEST_CASE("copies: writes are held back and go on", "[replication]") {
  CopiesWorld world;
  world.start();
  world.write(put(1, 1));
  const auto held = world.copy(0)->hold(CallContext{});
  REQUIRE(held.ok());
  CHECK(held->seq == world.copy(0)->status().applied);
  CHECK(world.copy(0)->hold(CallContext{}).error().code == ErrorCode::FailedPrecondition);
  CHECK(world.try_write(put(2, 2), {}, 50ms).error().code == ErrorCode::DeadlineExceeded);
  std::thread writer([&] { world.write(put(3, 3)); });
  world.copy(0)->release();
  writer.join();
  check_equal(world, {{1, 1.0}, {3, 3.0}});
  world.copy(0)->release();
  world.copy(0)->retire();
  CHECK(world.try_write(put(4, 4), {}).error().code == ErrorCode::WrongOwner);
}

TEST_CASE("copies: what another server sends is checked before it counts", "[replication]") {
  CopiesWorld world;
  world.start();
  world.write(put(1, 1));
  REQUIRE(CopiesWorld::eventually([&] { return world.settled(); }));
  const auto status = world.copy(1)->status();
  const auto body = storage::encode_mutation(put(2, 2));
  Append append;
  append.term = status.seen;
  append.prev = status.durable;
  append.through = next(append.prev.seq);
  append.commit = append.through;
  const auto bytes = *storage::encode_log_entry({append.term, append.through}, {}, *body);
  const auto refused = [&](std::vector<std::string> entries) {
    const auto arrived =
        world.copy(1)->receive({CopiesWorld::id_of(0), {}, append, std::move(entries)});
    return arrived.ok() ? ErrorCode::Internal : arrived.error().code;
  };
  CHECK(refused({}) == ErrorCode::InvalidArgument);
  CHECK(refused({bytes, bytes}) == ErrorCode::InvalidArgument);
  auto damaged = bytes;
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 4);
  CHECK(refused({damaged}) == ErrorCode::Corruption);
  const auto elsewhere = *storage::encode_log_entry({append.term, Seq{77}}, {}, *body);
  CHECK(refused({elsewhere}) == ErrorCode::Corruption);
  const auto wrong = storage::encode_mutation(UpsertPoints{{[] {
    auto point = at(2, 2);
    point.vector = {1, 2, 3};
    return point;
  }()}});
  CHECK(refused({*storage::encode_log_entry({append.term, append.through}, {}, *wrong)}) ==
        ErrorCode::InvalidArgument);
  append.prev.seq = Seq{~std::uint64_t{0}};
  append.through = Seq{5};
  CHECK(refused({bytes}) == ErrorCode::InvalidArgument);
  CHECK(world.copy(1)->status().tail == status.tail);
  check_equal(world, {{1, 1.0}});
}

}  // namespace
}  // namespace quiver::cluster::replication::test
