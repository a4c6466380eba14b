// Writes on condition: who reads, changes and writes loses nothing to others that do the same.

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "cluster/local_collections.h"
#include "cluster/local_replica.h"
#include "storage/shard_store.h"
#include "tests/cluster/node_fixture.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster {
namespace {

using test::TestNode;

constexpr Projection kWhole{.payload = true, .text = true, .vector = true};

CollectionSpec spec_of(std::uint32_t shards) {
  CollectionSpec spec;
  spec.name = "points";
  spec.dimension = 2;
  spec.metric = Metric::Euclidean;
  spec.shard_count = shards;
  return spec;
}

Point counter(std::uint64_t id, std::uint64_t value) {
  Point point;
  point.id = PointId(id);
  point.vector = {1.0F, 0.0F};
  point.payload = {{"n", value}};
  point.created_at_ms = 1;
  return point;
}

Expectation absent(std::uint64_t id) {
  return {PointId(id), std::nullopt};
}

Expectation same(const Point& point) {
  return {point.id, digest_of(point)};
}

struct Shard {
  Shard() : store(dir.path(), storage::Options{}, clock) {
    auto spec = spec_of(1);
    spec.id = std::string(32, 'a');
    auto shard = store.create(spec, ShardId{0}, CopyId{std::string(32, 'c')});
    REQUIRE(shard.ok());
    auto opened = LocalReplica::open(std::move(shard).value());
    REQUIRE(opened.ok());
    replica = std::move(opened).value();
  }
  MutationResult write(WriteRequest request, RequestId id = {}) {
    CallContext call;
    call.request_id = id;
    const auto result = replica->write(call, std::move(request));
    REQUIRE(result.ok());
    return *result;
  }
  std::vector<Point> points(const std::vector<PointId>& ids) {
    return *replica->shard().get(ids, kWhole);
  }
  std::uint64_t value(std::uint64_t id) { return points({PointId(id)}).at(0).payload["n"]; }

  TempDir dir;
  ManualClock clock;
  storage::ShardStore store;
  std::unique_ptr<LocalReplica> replica;
};

TEST_CASE("upsert_if: written only if what is expected is stored", "[cluster]") {
  Shard shard;
  CHECK(shard.write(UpsertIf{{counter(1, 1)}, {absent(1)}}) == MutationResult{1, 1});
  // It is there now.
  CHECK(shard.write(UpsertIf{{counter(1, 2)}, {absent(1)}}) == MutationResult{0, 0});
  CHECK(shard.value(1) == 1);
  CHECK(shard.write(UpsertIf{{counter(1, 3)}, {same(counter(1, 1))}}) == MutationResult{1, 0});
  CHECK(shard.write(UpsertIf{{counter(1, 4)}, {same(counter(1, 1))}}) == MutationResult{0, 0});
  CHECK(shard.value(1) == 3);
  // Erased meanwhile, so there is nothing to replace.
  shard.write(Mutation{ErasePoints{{PointId(1)}}});
  CHECK(shard.write(UpsertIf{{counter(1, 5)}, {same(counter(1, 3))}}) == MutationResult{0, 0});
  CHECK(shard.points({PointId(1)}).empty());
  // What has expired is not there either.
  auto brief = counter(2, 1);
  brief.expires_at_ms = shard.clock.wall_ms() + 1000;
  shard.write(Mutation{UpsertPoints{{brief}}});
  CHECK(shard.write(UpsertIf{{counter(2, 2)}, {absent(2)}}).affected == 0);
  shard.clock.advance_ms(1001);
  CHECK(shard.write(UpsertIf{{counter(2, 3)}, {same(brief)}}).affected == 0);
  CHECK(shard.write(UpsertIf{{counter(2, 4)}, {absent(2)}}).affected == 1);
}

TEST_CASE("upsert_if: each part of a point but its vector counts", "[cluster]") {
  Shard shard;
  auto stored = counter(1, 1);
  stored.text = "a text";
  stored.expires_at_ms = shard.clock.wall_ms() + 100'000;
  shard.write(Mutation{UpsertPoints{{stored}}});
  std::vector<Point> others(6, stored);
  others[0].text = "a texts";
  others[1].text.reset();
  others[2].payload["m"] = 1;
  others[3].payload["n"] = 1.5;
  others[4].created_at_ms = 2;
  others[5].expires_at_ms = 0;
  for (const auto& other : others) {
    CHECK(shard.write(UpsertIf{{counter(1, 2)}, {same(other)}}).affected == 0);
  }
  auto turned = stored;
  turned.vector = {0.0F, 1.0F};
  CHECK(shard.write(UpsertIf{{counter(1, 2)}, {same(turned)}}).affected == 1);
}

TEST_CASE("upsert_if: all points of a write or none", "[cluster]") {
  Shard shard;
  shard.write(Mutation{UpsertPoints{{counter(2, 7)}}});
  const std::vector<Point> all{counter(1, 1), counter(2, 1), counter(3, 1)};
  CHECK(shard.write(UpsertIf{all, {absent(1), absent(2)}}).affected == 0);
  CHECK(*shard.replica->shard().count(CallContext{}, std::nullopt) == 1);
  CHECK(shard.write(UpsertIf{all, {absent(1), same(counter(2, 7))}}) == MutationResult{3, 2});
  CHECK(shard.write(UpsertIf{{counter(9, 1)}, {}}) == MutationResult{1, 1});
}

TEST_CASE("upsert_if: a repetition has the first result, not the condition's", "[cluster]") {
  Shard shard;
  const auto id = RequestId::random();
  CHECK(shard.write(UpsertIf{{counter(1, 1)}, {same(counter(1, 0))}}, id).affected == 0);
  // That took no effect, so the same id is free to try again.
  CHECK(shard.write(UpsertIf{{counter(1, 1)}, {absent(1)}}, id) == MutationResult{1, 1});
  CHECK(shard.write(UpsertIf{{counter(1, 1)}, {absent(1)}}, id) == MutationResult{1, 1});
  shard.write(Mutation{ErasePoints{{PointId(1)}}});
  CHECK(shard.write(UpsertIf{{counter(1, 1)}, {absent(1)}}, id) == MutationResult{1, 1});
  CHECK(shard.points({PointId(1)}).empty());
}

constexpr std::uint64_t kWriters = 6;
constexpr std::uint64_t kRounds = 25;

/// Raises the same counters in many threads at once, each on condition; `attempt` returns whether
/// it was written.
template <typename Attempt>
void raise_all(const Attempt& attempt) {
  std::vector<std::thread> writers;
  for (std::uint64_t w = 0; w < kWriters; ++w) {
    writers.emplace_back([&] {
      for (std::uint64_t i = 0; i < kRounds; ++i) {
        while (!attempt(i % 3)) std::this_thread::yield();
      }
    });
  }
  for (auto& writer : writers) writer.join();
}

TEST_CASE("upsert_if: counters that many raise at once lose nothing", "[cluster]") {
  Shard shard;
  std::atomic<std::uint64_t> unconditional{0};
  raise_all([&](std::uint64_t id) {
    // In the same groups, writes to other points that look at nothing.
    const auto other = shard.replica->write(
        CallContext{}, Mutation{UpsertPoints{{counter(100 + ++unconditional, 1)}}});
    if (!other.ok()) return true;
    const auto there = shard.points({PointId(id)});
    const auto write = there.empty()
                           ? UpsertIf{{counter(id, 1)}, {absent(id)}}
                           : UpsertIf{{counter(id, there[0].payload["n"].get<std::uint64_t>() + 1)},
                                      {same(there[0])}};
    const auto written = shard.replica->write(CallContext{}, WriteRequest(write));
    return written.ok() && written->affected == 1;
  });
  std::uint64_t sum = 0;
  for (std::uint64_t id = 0; id < 3; ++id) sum += shard.value(id);
  CHECK(sum == kWriters * kRounds);
}

/// Reads a pair of counters, and raises both.
bool raise_pair(Collection& collection, std::uint64_t id) {
  const std::vector<PointId> ids{PointId(id), PointId(id + 1)};
  const auto there = collection.get(CallContext{}, ids, kWhole);
  if (!there.ok()) return false;
  UpsertIf write;
  for (const auto& one : ids) {
    const auto found = std::find_if(there->begin(), there->end(),
                                    [&](const Point& point) { return point.id == one; });
    Point next = counter(0, 1);
    next.id = one;
    if (found == there->end()) {
      write.expected.push_back({one, std::nullopt});
    } else {
      next.payload["n"] = found->payload["n"].get<std::uint64_t>() + 1;
      write.expected.push_back(same(*found));
    }
    write.points.push_back(std::move(next));
  }
  CallContext call;
  call.request_id = RequestId::random();
  std::set<PointId> left(ids.begin(), ids.end());
  while (!left.empty()) {
    const auto again = collection.upsert_if(call, write);
    if (!again.ok()) return false;
    left = {again->begin(), again->end()};
    // Those that were written stay written: only the others are read and tried again.
    UpsertIf rest;
    for (const auto& point : write.points) {
      if (!left.contains(point.id)) continue;
      const auto now = collection.get(CallContext{}, {point.id}, kWhole);
      if (!now.ok() || now->size() != 1) return false;
      Point next = now->front();
      rest.expected.push_back(same(next));
      next.payload["n"] = next.payload["n"].get<std::uint64_t>() + 1;
      rest.points.push_back(std::move(next));
    }
    write = std::move(rest);
  }
  return true;
}

std::uint64_t sum_of(Collection& collection) {
  std::uint64_t sum = 0;
  const auto page = collection.scroll(CallContext{}, std::nullopt, std::nullopt, 100, kWhole);
  for (const auto& point : page->points) sum += point.payload["n"].get<std::uint64_t>();
  return sum;
}

TEST_CASE("upsert_if: over several shards, what is left is said and can be tried again",
          "[cluster]") {
  TempDir dir;
  ManualClock clock;
  LocalCollections collections(dir.path(), storage::Options{}, clock);
  const auto made = collections.create(CallContext{}, spec_of(4));
  REQUIRE(made.ok());
  Collection& collection = *made->collection;
  raise_all([&](std::uint64_t id) { return raise_pair(collection, id); });
  CHECK(sum_of(collection) == 2 * kWriters * kRounds);

  std::vector<Point> points;
  std::vector<Expectation> expected;
  for (std::uint64_t id = 100; id < 140; ++id) {
    points.push_back(counter(id, 1));
    expected.push_back(absent(id));
  }
  REQUIRE(collection.upsert(CallContext{}, {counter(100, 7)}).ok());
  const auto left = collection.upsert_if(CallContext{}, {points, expected});
  REQUIRE(left.ok());
  // Those that share the shard of 100, and no others.
  CHECK(std::find(left->begin(), left->end(), PointId(100)) != left->end());
  CHECK(left->size() < points.size());
  std::vector<PointId> ids;
  for (const auto& point : points) ids.push_back(point.id);
  const auto there = *collection.get(CallContext{}, ids, kWhole);
  CHECK(there.size() == points.size() - left->size() + 1);

  const auto twice = collection.upsert_if(CallContext{}, {{counter(1, 1), counter(1, 2)}, {}});
  REQUIRE_FALSE(twice.ok());
  CHECK(twice.error().message == "points[1].id: another point has it too, 1");
  CHECK_FALSE(collection.upsert_if(CallContext{}, {{Point{}}, {}}).ok());
}

TEST_CASE("upsert_if: what is left of a call is written, though a part of it was under its id",
          "[cluster]") {
  TempDir dir;
  ManualClock clock;
  LocalCollections collections(dir.path(), storage::Options{}, clock);
  const auto made = collections.create(CallContext{}, spec_of(1));
  REQUIRE(made.ok());
  Collection& collection = *made->collection;
  CallContext call;
  call.request_id = RequestId::random();
  for (std::uint64_t id = 1; id <= 2; ++id) {
    const auto left = collection.upsert_if(call, {{counter(id, 1)}, {absent(id)}});
    REQUIRE(left.ok());
    CHECK(left->empty());
  }
  CHECK(collection.get(CallContext{}, {PointId(1), PointId(2)}, kWhole)->size() == 2);
}

TEST_CASE("upsert_if: a write that takes several messages is judged part by part", "[cluster]") {
  TempDir dir;
  ManualClock clock;
  LocalCollections collections(dir.path(), storage::Options{}, clock);
  const auto made = collections.create(CallContext{}, spec_of(1));
  REQUIRE(made.ok());
  Collection& collection = *made->collection;
  UpsertIf write;
  for (std::uint64_t id = 0; id < 20; ++id) {
    auto point = counter(id, 1);
    point.text.emplace(900'000, 'x');
    write.points.push_back(std::move(point));
    write.expected.push_back(absent(id));
  }
  REQUIRE(collection.upsert(CallContext{}, {counter(0, 7)}).ok());
  CallContext call;
  call.request_id = RequestId::random();
  const auto left = collection.upsert_if(call, write);
  REQUIRE(left.ok());
  CHECK(std::find(left->begin(), left->end(), PointId(0)) != left->end());
  CHECK(left->size() < 20);
  // What is left is another write, though the call is the same.
  const std::set<PointId> missing(left->begin(), left->end());
  std::erase_if(write.points, [&](const Point& p) { return !missing.contains(p.id); });
  std::erase_if(write.expected, [&](const Expectation& e) {
    return !missing.contains(e.id) || e.id == PointId(0);
  });
  CHECK(collection.upsert_if(call, write)->empty());
  CHECK(*collection.count(CallContext{}, std::nullopt) == 20);
}

TEST_CASE("upsert_if: a shard on another server is written on the same condition", "[cluster]") {
  TempDir dir;
  auto store = std::move(*EmbeddedStore::open(dir.path() / "meta"));
  TestNode a(*store, "a", 'a');
  TestNode b(*store, "b", 'b');
  REQUIRE(a.views->refresh(CallContext{}).ok());
  const auto made = a.collections->create(CallContext{}, spec_of(4));
  REQUIRE(made.ok());
  Collection& collection = *made->collection;
  std::vector<Point> points;
  std::vector<Expectation> expected;
  for (std::uint64_t id = 0; id < 40; ++id) {
    points.push_back(counter(id, id));
    points.back().text = "text " + std::to_string(id);
    expected.push_back(absent(id));
  }
  CHECK(collection.upsert_if(CallContext{}, {points, expected})->empty());
  CHECK(collection.upsert_if(CallContext{}, {points, expected})->size() == 40);
  for (std::size_t i = 0; i < points.size(); ++i) expected[i] = same(points[i]);
  CHECK(collection.upsert_if(CallContext{}, {points, expected})->empty());
  raise_all([&](std::uint64_t id) { return raise_pair(collection, 1000 + id); });
  // 0 to 39, which have not been raised, and what was added since.
  CHECK(sum_of(collection) == 780 + 2 * kWriters * kRounds);
}

}  // namespace
}  // namespace quiver::cluster
