// What happens to an HnswIndex over its life: churn, rebuilds, snapshots, and its end in the middle
// of work.

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "storage/graph_file.h"
#include "storage/hnsw_index.h"
#include "tests/storage/index/world.h"

namespace quiver::storage {
namespace {

namespace fs = std::filesystem;
using testing::World;

/// A directory that is gone when the test is.
struct Directory {
  Directory() {
    std::string name = (fs::temp_directory_path() / "quiver_index_XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() { fs::remove_all(path); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  fs::path path;
};

/// Half of the points replaced, then three of ten deleted.
void churn(World& world, std::size_t points) {
  for (std::size_t i = 0; i < points / 2; ++i) {
    world.remove(world.pick());
    world.add();
  }
  for (std::size_t i = 0; i < points * 3 / 10; ++i) world.remove(world.pick());
}

TEST_CASE("HnswIndex: recall and k hold after half was replaced and a third deleted",
          "[storage][index]") {
  IndexBuilder builder(2);
  World world(24, Metric::Cosine, builder);
  world.add(5000);
  world.settle();
  churn(world, 5000);
  CHECK(world.recall() >= 0.97);
  world.settle();
  CHECK(world.recall() >= 0.97);
  world.check_scan();
  const SlotSet tenth = world.every(10);
  CHECK(world.recall(&tenth) >= 0.97);
}

TEST_CASE("HnswIndex: a graph of many dead is served until a new one takes its place",
          "[storage][index]") {
  IndexBuilder builder(2);
  Options options = testing::small_options();
  options.rebuild_dead_percent = 100;
  World ghosts(16, Metric::Euclidean, builder, options);
  ghosts.add(4000);
  ghosts.settle();
  churn(ghosts, 4000);
  ghosts.settle();
  // Never rebuilt: the dead are still there, and neither take up k nor cost recall.
  CHECK(ghosts.hnsw->counts().rebuilds == 0);
  CHECK(ghosts.hnsw->counts().graph_nodes > 5000);
  CHECK(ghosts.recall() >= 0.97);

  options.rebuild_dead_percent = 30;
  World rebuilt(16, Metric::Euclidean, builder, options);
  rebuilt.add(4000);
  rebuilt.settle();
  churn(rebuilt, 4000);
  testing::eventually([&] {
    const auto counts = rebuilt.hnsw->counts();
    const std::size_t dead = counts.graph_nodes - counts.graph_live;
    return counts.tail == 0 && counts.rebuilds > 0 && dead * 100 < counts.graph_nodes * 30;
  });
  CHECK(rebuilt.hnsw->counts().graph_live == 2800);
  CHECK(rebuilt.hnsw->size() == 2800);
  CHECK(rebuilt.recall() >= 0.97);
  rebuilt.check_scan();
}

TEST_CASE("HnswIndex: everything may be removed and come again", "[storage][index]") {
  IndexBuilder builder(2);
  World world(8, Metric::Euclidean, builder);
  for (int round = 0; round < 3; ++round) {
    world.add(800);
    if (round != 1) world.settle();
    while (!world.live.empty()) world.remove(world.pick());
    CHECK(world.hnsw->size() == 0);
    const auto vector = world.clusters.next();
    CHECK(world.hnsw->search({}, {.vector = vector})->empty());
  }
  testing::eventually([&] { return world.hnsw->counts().graph_nodes == 0; });
  world.add(1000);
  world.settle();
  CHECK(world.recall() >= 0.97);
}

TEST_CASE("HnswIndex: a graph without a live node goes, though nothing is asked any more",
          "[storage][index]") {
  IndexBuilder builder(1);
  World world(8, Metric::Euclidean, builder);
  world.add(800);
  world.settle();
  {
    // The builder sees all removals at once and none afterwards.
    const testing::Roadblock roadblock(builder);
    while (!world.live.empty()) world.remove(world.pick());
    CHECK(world.hnsw->counts().graph_nodes == 800);
  }
  testing::eventually([&] { return world.hnsw->counts().graph_nodes == 0; });
  CHECK(world.hnsw->counts().rebuilds == 1);
}

TEST_CASE("HnswIndex: a snapshot brings back the same answers", "[storage][index]") {
  const Directory directory;
  const auto file = directory.path / "graph";
  IndexBuilder builder(2);
  World world(16, Metric::Dot, builder);
  world.add(3000);
  world.settle();
  for (int i = 0; i < 300; ++i) world.remove(world.pick());
  REQUIRE(world.hnsw->save({}, file).ok());
  CHECK_FALSE(fs::exists(directory.path / "graph.tmp"));
  std::vector<std::vector<Neighbor>> before;
  std::vector<std::vector<float>> queries;
  for (int i = 0; i < 50; ++i) {
    queries.push_back(world.clusters.next());
    before.push_back(*world.hnsw->search({}, {.vector = queries.back(), .k = 20}));
  }

  auto opened = HnswIndex::open(world.spec, testing::small_options(), builder, file);
  REQUIRE(opened.ok());
  CHECK((*opened)->size() == 2700);
  CHECK((*opened)->reconcile(world.all()).empty());
  world.hnsw = std::move(*opened);
  CHECK(world.hnsw->size() == 2700);
  for (std::size_t i = 0; i < queries.size(); ++i) {
    const auto after = world.hnsw->search({}, {.vector = queries[i], .k = 20});
    REQUIRE(after.ok());
    REQUIRE(after->size() == before[i].size());
    for (std::size_t n = 0; n < after->size(); ++n) {
      CHECK((*after)[n].slot == before[i][n].slot);
      CHECK((*after)[n].distance == before[i][n].distance);
    }
  }
  // And it goes on growing.
  world.add(1000);
  world.settle();
  CHECK(world.recall() >= 0.97);
  world.check_scan();
}

TEST_CASE("HnswIndex: an older snapshot is brought up to date", "[storage][index]") {
  const Directory directory;
  const auto file = directory.path / "graph";
  IndexBuilder builder(2);
  World world(16, Metric::Cosine, builder);
  world.add(2000);
  world.settle();
  REQUIRE(world.hnsw->save({}, file).ok());
  // What the snapshot does not know: 200 removed, 500 new.
  for (int i = 0; i < 200; ++i) world.remove(world.pick());
  SlotSet added;
  for (int i = 0; i < 500; ++i) added.insert(world.add());

  auto opened = HnswIndex::open(world.spec, testing::small_options(), builder, file);
  REQUIRE(opened.ok());
  SlotSet missing = (*opened)->reconcile(world.all());
  CHECK(missing.size() == 500);
  missing -= added;
  CHECK(missing.empty());
  CHECK((*opened)->size() == 1800);
  SlotSet old = world.all();
  old -= added;
  world.hnsw = std::move(*opened);
  world.check_scan(&old);
}

TEST_CASE("HnswIndex: a snapshot of mostly dead slots is built anew", "[storage][index]") {
  const Directory directory;
  const auto file = directory.path / "graph";
  IndexBuilder builder(1);
  World world(8, Metric::Cosine, builder);
  world.add(1000);
  world.settle();
  REQUIRE(world.hnsw->save({}, file).ok());
  for (int i = 0; i < 600; ++i) world.remove(world.pick());
  auto opened = HnswIndex::open(world.spec, testing::small_options(), builder, file);
  REQUIRE(opened.ok());
  CHECK((*opened)->reconcile(world.all()).empty());
  testing::eventually([&] { return (*opened)->counts().rebuilds == 1; });
  CHECK((*opened)->counts().graph_nodes == 400);
  world.hnsw = std::move(*opened);
  world.check_scan();
  CHECK(world.recall() >= 0.97);
}

TEST_CASE("HnswIndex: without a snapshot, or without a graph, all slots are missing",
          "[storage][index]") {
  const Directory directory;
  const auto file = directory.path / "graph";
  IndexBuilder builder(1);
  World world(4, Metric::Cosine, builder);
  world.add(100);
  { std::ofstream(file) << "left over"; }
  REQUIRE(world.hnsw->save({}, file).ok());
  CHECK_FALSE(fs::exists(file));
  REQUIRE(world.hnsw->save({}, file).ok());
  const auto opened = HnswIndex::open(world.spec, testing::small_options(), builder, file);
  REQUIRE(opened.ok());
  CHECK((*opened)->size() == 0);
  CHECK((*opened)->reconcile(world.all()).size() == 100);
}

TEST_CASE("HnswIndex: what cannot be saved leaves the old snapshot alone", "[storage][index]") {
  const Directory directory;
  IndexBuilder builder(1);
  World world(4, Metric::Cosine, builder);
  world.add(500);
  world.settle();
  const auto nowhere = world.hnsw->save({}, directory.path / "absent" / "graph");
  REQUIRE_FALSE(nowhere.ok());
  CHECK(nowhere.error().code == ErrorCode::Unavailable);
  fs::create_directories(directory.path / "taken" / "inside");
  const auto taken = world.hnsw->save({}, directory.path / "taken");
  REQUIRE_FALSE(taken.ok());
  CHECK(taken.error().code == ErrorCode::Unavailable);
  CHECK_FALSE(fs::exists(directory.path / "taken.tmp"));
  // Building goes on.
  world.add(100);
  world.settle();
}

TEST_CASE("HnswIndex: saving does not wait for what is still in the tail", "[storage][index]") {
  const Directory directory;
  const auto file = directory.path / "graph";
  IndexBuilder builder(1);
  World world(8, Metric::Cosine, builder);
  world.add(600);
  world.settle();
  testing::Roadblock roadblock(builder);
  world.add(50);
  REQUIRE(world.hnsw->save({}, file).ok());
  const auto opened = HnswIndex::open(world.spec, testing::small_options(), builder, file);
  REQUIRE(opened.ok());
  CHECK((*opened)->reconcile(world.all()).size() == 50);
}

TEST_CASE("HnswIndex: ends in the middle of building", "[storage][index]") {
  IndexBuilder builder(2);
  for (int round = 0; round < 5; ++round) {
    World world(32, Metric::Cosine, builder);
    world.add(500 + static_cast<std::size_t>(round) * 200);
    for (int i = 0; i < 300; ++i) world.remove(world.pick());
  }
  SUCCEED("no thread touched an index that was gone");
}

TEST_CASE("HnswIndex: a vector that was removed while it waited is never linked alive",
          "[storage][index]") {
  IndexBuilder builder(1);
  World world(8, Metric::Euclidean, builder);
  testing::Roadblock roadblock(builder);
  world.add(1000);
  for (int i = 0; i < 700; ++i) world.remove(world.pick());
  roadblock.lift();
  world.settle();
  CHECK(world.hnsw->counts().graph_live == 300);
  CHECK(world.hnsw->size() == 300);
  world.check_scan(nullptr, 400);
}

}  // namespace
}  // namespace quiver::storage
