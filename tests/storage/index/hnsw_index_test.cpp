// HnswIndex against FlatIndex as its oracle, on clustered vectors from fixed seeds: what it finds,
// what it must not find, and what it answers to bad requests.

#include "storage/hnsw_index.h"

#include <limits>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "tests/storage/index/world.h"

namespace quiver::storage {
namespace {

using testing::World;

TEST_CASE("HnswIndex: a small collection is searched exactly and has no graph",
          "[storage][index]") {
  IndexBuilder builder(1);
  World world(16, Metric::Cosine, builder);
  world.add(200);
  CHECK(world.hnsw->unindexed() == 0);
  CHECK(world.recall(nullptr, 1) == 1.0);
  world.check_scan();
  world.settle();
  CHECK(world.hnsw->counts().graph_nodes == 0);
  CHECK(world.hnsw->size() == 200);
  CHECK(world.hnsw->dim() == 16);
}

TEST_CASE("HnswIndex: a vector is findable when insert returns, before any graph holds it",
          "[storage][index]") {
  IndexBuilder builder(1);
  World world(8, Metric::Euclidean, builder);
  testing::Roadblock roadblock(builder);
  world.add(2000);
  CHECK(world.hnsw->unindexed() == 2000);
  CHECK(world.recall(nullptr, 1) == 1.0);
  world.check_scan();
  const SlotSet few = world.every(100);
  world.check_scan(&few);
  roadblock.lift();
  world.settle();
  CHECK(world.hnsw->unindexed() == 0);
  CHECK(world.hnsw->counts().graph_live == 2000);
}

TEST_CASE("HnswIndex: finds nearly all true neighbours under every metric", "[storage][index]") {
  IndexBuilder builder(2);
  for (const Metric metric : {Metric::Cosine, Metric::Dot, Metric::Euclidean}) {
    World world(24, metric, builder);
    world.add(5000);
    world.settle();
    INFO(name(metric));
    CHECK(world.hnsw->counts().tail == 0);
    CHECK(world.recall() >= 0.97);
    CHECK(world.recall(nullptr, 400) >= 0.99);
    world.check_scan();
  }
}

TEST_CASE("HnswIndex: graph and tail answer together", "[storage][index]") {
  IndexBuilder builder(1);
  World world(16, Metric::Cosine, builder);
  world.add(3000);
  world.settle();
  testing::Roadblock roadblock(builder);
  world.add(1000);
  for (int i = 0; i < 400; ++i) world.remove(world.pick());
  const auto counts = world.hnsw->counts();
  CHECK(counts.graph_nodes == 3000);
  CHECK(counts.tail + counts.graph_live == 3600);
  CHECK(world.recall() >= 0.97);
  world.check_scan();
  const SlotSet third = world.every(3);
  world.check_scan(&third);
  CHECK(world.recall(&third) >= 0.97);
}

TEST_CASE("HnswIndex: filters of every width keep recall and length", "[storage][index]") {
  IndexBuilder builder(2);
  World world(16, Metric::Euclidean, builder);
  world.add(6000);
  world.settle();
  std::vector<SlotSet> filters;
  for (const std::size_t n : {2U, 10U, 25U, 100U, 1000U}) filters.push_back(world.every(n));
  const auto check = [&] {
    for (const auto& allowed : filters) {
      INFO("slots that may be found: " << allowed.size());
      CHECK(world.recall(&allowed) >= 0.97);
      world.check_scan(&allowed);
    }
  };
  check();
  // The filters still name what is removed.
  for (int i = 0; i < 1500; ++i) world.remove(world.pick());
  filters.back().for_each([&](Slot slot) {
    if (raw(slot) < 3000 && world.live.count(raw(slot)) == 1) world.remove(slot);
    return true;
  });
  check();
  const SlotSet none;
  const auto vector = world.clusters.next();
  CHECK(world.hnsw->search({}, {.vector = vector, .allowed = &none})->empty());
}

TEST_CASE("HnswIndex: a wide filter is walked through", "[storage][index]") {
  IndexBuilder builder(2);
  World world(16, Metric::Cosine, builder);
  world.add(6000);
  world.settle();
  // 20 candidates of 32 links each, half of them allowed: fewer looks than 3000.
  const SlotSet half = world.every(2);
  CHECK(world.recall(&half, 20) >= 0.85);
  for (int i = 0; i < 1500; ++i) world.remove(world.pick());
  CHECK(world.recall(&half, 20) >= 0.85);
}

TEST_CASE("HnswIndex: a walk that finds too little ends in a scan", "[storage][index]") {
  IndexBuilder builder(2);
  Options options = testing::small_options();
  options.exact_search_points = 20;
  World world(4, Metric::Euclidean, builder, options);
  world.add(4000);
  world.settle();
  const auto query = world.clusters.next();
  const auto order = world.flat.scan({}, {.vector = query, .k = 4000});
  REQUIRE(order.ok());
  // The walk starts among the near ones, none of which is allowed, and would have to cross them
  // all.
  for (const std::size_t first : {2000U, 3960U}) {
    SlotSet farthest;
    for (std::size_t i = first; i < 4000; ++i) farthest.insert((*order)[i].slot);
    world.check_same({.vector = query, .k = 10, .ef = 10, .allowed = &farthest}, true);
  }
  // Slots that are nowhere are not waited for.
  SlotSet absent;
  for (std::uint32_t i = 0; i < 3000; ++i) absent.insert(Slot{100'000 + i});
  CHECK(world.hnsw->search({}, {.vector = query, .k = 10, .ef = 10, .allowed = &absent})->empty());
}

TEST_CASE("HnswIndex: k is met whenever there are k", "[storage][index]") {
  IndexBuilder builder(2);
  World world(8, Metric::Cosine, builder);
  world.add(1500);
  world.settle();
  for (const std::size_t k : {1U, 300U, 1499U, 1500U, 5000U}) {
    CHECK(world.recall(nullptr, 64, k, 20) >= 0.95);
  }
}

TEST_CASE("HnswIndex: equal vectors are ordered by slot", "[storage][index]") {
  IndexBuilder builder(2);
  World world(4, Metric::Euclidean, builder);
  const std::vector<float> same{1.0F, 2.0F, 3.0F, 4.0F};
  for (std::uint32_t i = 0; i < 600; ++i) REQUIRE(world.hnsw->insert(Slot{i}, same).ok());
  world.settle();
  const auto found = world.hnsw->scan({}, {.vector = same, .k = 5});
  REQUIRE(found.ok());
  for (std::uint32_t i = 0; i < 5; ++i) CHECK(raw((*found)[i].slot) == i);
  CHECK(world.hnsw->search({}, {.vector = same, .k = 50})->size() == 50);
}

TEST_CASE("HnswIndex: the narrowest and the widest vectors", "[storage][index]") {
  IndexBuilder builder(2);
  Options options = testing::small_options();
  options.exact_search_points = 100;
  World narrow(1, Metric::Euclidean, builder, options);
  narrow.add(1000);
  narrow.settle();
  CHECK(narrow.recall() >= 0.97);
  narrow.check_scan();
  World wide(4096, Metric::Cosine, builder, options);
  wide.add(300);
  wide.settle();
  CHECK(wide.hnsw->counts().graph_live == 300);
  CHECK(wide.recall(nullptr, 128, 10, 20) >= 0.97);
  wide.check_scan();
}

TEST_CASE("HnswIndex: what it cannot take is refused and changes nothing", "[storage][index]") {
  IndexBuilder builder(1);
  World world(4, Metric::Dot, builder);
  world.add(500);
  world.settle();
  const std::vector<float> fine{1.0F, 0.0F, 0.0F, 0.0F};
  const std::vector<float> wrong{1.0F};
  const std::vector<float> infinite{1.0F, 0.0F, std::numeric_limits<float>::infinity(), 0.0F};
  const auto message = [](const auto& result) {
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == ErrorCode::InvalidArgument);
    return result.error().message;
  };
  CHECK(message(world.hnsw->insert(Slot{9000}, wrong)) ==
        "vector has 1 components; this collection takes 4");
  CHECK(message(world.hnsw->insert(Slot{9000}, infinite)) ==
        "vector: every component must be a finite number");
  CHECK(message(world.hnsw->insert(Slot{3}, fine)) == "slot 3 is in the index already");
  CHECK(message(world.hnsw->search({}, {.vector = wrong})) ==
        "vector has 1 components; this collection takes 4");
  CHECK(message(world.hnsw->scan({}, {.vector = fine, .k = 0})) == "k: must be at least 1, got 0");
  REQUIRE(world.hnsw->insert(Slot{9001}, fine).ok());
  CHECK(message(world.hnsw->insert(Slot{9001}, fine)) == "slot 9001 is in the index already");
  REQUIRE(world.hnsw->remove(Slot{123456}).ok());
  CHECK(world.hnsw->size() == 501);
}

TEST_CASE("HnswIndex: index parameters out of bounds are named", "[storage][index]") {
  IndexBuilder builder(1);
  const auto refused = [&](auto change) {
    CollectionSpec spec = testing::spec_of(4, Metric::Cosine);
    change(spec);
    const auto created = HnswIndex::create(spec, Options{}, builder);
    REQUIRE_FALSE(created.ok());
    CHECK(created.error().code == ErrorCode::InvalidArgument);
    return created.error().message;
  };
  CHECK(refused([](auto& spec) { spec.dimension = 0; }) ==
        "dimension: must be between 1 and 4096, got 0");
  CHECK(refused([](auto& spec) { spec.dimension = 4097; }) ==
        "dimension: must be between 1 and 4096, got 4097");
  CHECK(refused([](auto& spec) { spec.hnsw.m = 65; }) == "m: must be between 4 and 64, got 65");
  CHECK(refused([](auto& spec) { spec.hnsw.ef_construction = 7; }) ==
        "ef_construction: must be between 8 and 2000, got 7");
}

TEST_CASE("HnswIndex: a cancelled or late caller is let go", "[storage][index]") {
  IndexBuilder builder(1);
  World world(8, Metric::Cosine, builder);
  world.add(1000);
  world.settle();
  testing::Roadblock roadblock(builder);
  const auto vector = world.clusters.next();
  const SlotSet half = world.every(2);
  CallContext cancelled;
  cancelled.cancel = CancelToken::make();
  cancelled.cancel.cancel();
  CallContext late;
  late.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  for (const auto* call : {&cancelled, &late}) {
    for (const SlotSet* allowed : {static_cast<const SlotSet*>(nullptr), &half}) {
      const IndexQuery query{.vector = vector, .allowed = allowed};
      CHECK(world.hnsw->search(*call, query).error().code == ErrorCode::DeadlineExceeded);
      CHECK(world.hnsw->scan(*call, query).error().code == ErrorCode::DeadlineExceeded);
    }
    CHECK(world.hnsw->wait_indexed(*call).ok());
  }
  world.add(1);
  CHECK(world.hnsw->wait_indexed(cancelled).error().code == ErrorCode::DeadlineExceeded);
}

TEST_CASE("HnswIndex: levels follow from the slot alone", "[storage][index]") {
  // Snapshots hold levels and are checked against this function, so its values are part of the
  // format. A level l is reached by one slot of m^l.
  // The first values come from a second implementation, in another language.
  std::vector<std::uint32_t> first;
  for (std::uint32_t i = 0; i < 120; ++i) {
    if (graph_level(Slot{i}, 16) > 0) first.push_back(i);
  }
  CHECK(first == std::vector<std::uint32_t>{2, 32, 33, 42, 53, 94});
  CHECK(graph_level(Slot{366}, 16) == 2);
  CHECK(graph_level(Slot{4967}, 16) == 3);
  std::size_t above = 0;
  std::size_t above_one = 0;
  for (std::uint32_t i = 0; i < 160'000; ++i) {
    const int level = graph_level(Slot{i}, 16);
    REQUIRE(level >= 0);
    REQUIRE(level == graph_level(Slot{i}, 16));
    above += level >= 1 ? 1 : 0;
    above_one += level >= 2 ? 1 : 0;
  }
  // Binomial: 10,000 +- 97 and 625 +- 25; five deviations.
  CHECK(std::abs(static_cast<double>(above) - 10'000.0) < 485.0);
  CHECK(std::abs(static_cast<double>(above_one) - 625.0) < 125.0);
}

}  // namespace
}  // namespace quiver::storage
