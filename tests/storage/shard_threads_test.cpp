// Readers and one writer at once. Every point exists all the while, only its version changes: a
// reader that misses one, sees one twice or sees half of one is wrong.

#include <set>
#include <thread>

#include "tests/storage/shard_fixture.h"

using namespace quiver;
using namespace quiver::storage;
using namespace quiver::storage::test;

namespace {

constexpr std::uint64_t kPoints = 40;
constexpr int kVersions = 300;

/// All points in one version, which vector, payload and text agree on.
UpsertPoints version_of(int version) {
  UpsertPoints out;
  for (std::uint64_t id = 0; id < kPoints; ++id) {
    Point point = point_of(PointId(id), {static_cast<float>(version), static_cast<float>(id)},
                           {{"version", version}, {"kept", true}, {"even", version % 2 == 0}});
    point.text = std::to_string(version);
    out.points.push_back(std::move(point));
  }
  return out;
}

/// What readers saw wrong; Catch2's macros are not for threads.
class Complaints {
 public:
  void check(bool fine, const std::string& what) {
    if (fine) return;
    const MutexLock lock(mutex_);
    complaints_.insert(what);
  }
  std::set<std::string> all() {
    const MutexLock lock(mutex_);
    return complaints_;
  }

 private:
  Mutex mutex_;
  std::set<std::string> complaints_ QV_GUARDED_BY(mutex_);
};

void check_whole(Complaints& complaints, const std::string& who,
                 const Result<std::vector<Point>>& points) {
  if (!points.ok()) {
    complaints.check(false, who + ": " + points.error().message);
    return;
  }
  std::set<PointId> ids;
  for (const auto& point : *points) {
    ids.insert(point.id);
    const int version = point.payload.value("version", -1);
    const bool agrees = point.vector.size() == 2 &&
                        point.vector[0] == static_cast<float>(version) &&
                        point.text == std::to_string(version);
    complaints.check(agrees, who + ": vector, payload and text of different versions");
  }
  complaints.check(points->size() == kPoints, who + ": not as many as there are");
  complaints.check(ids.size() == points->size(), who + ": one twice");
}

Result<std::vector<Point>> search_all(const DiskShard& shard, const std::optional<Filter>& filter,
                                      std::size_t k) {
  ShardQuery query;
  query.vector = {0, 0};
  query.k = k;
  query.filter = filter;
  query.projection = {true, true, true};
  QV_TRY(auto hits, shard.search(CallContext{}, query));
  std::vector<Point> points;
  for (auto& hit : hits) points.push_back(std::move(hit.point));
  return points;
}

Result<std::vector<Point>> scroll_all(const DiskShard& shard, const std::optional<Filter>& filter) {
  ScrollQuery query;
  query.filter = filter;
  query.limit = 2 * kPoints;
  query.projection = {true, true, true};
  return shard.scroll(CallContext{}, query);
}

struct Scene {
  ScratchDirectory scratch{ScratchDirectory::Where::Memory};
  TestShard shard;
  Complaints complaints;
  const Filter kept = Filter::parse({{"kept", true}}).value();

  explicit Scene(const Options& options) : shard(scratch / "shard", spec_of(2), options) {
    REQUIRE(shard.open().ok());
    REQUIRE(shard.write(version_of(0)).ok());
  }
  /// Runs the readers until the writer is done.
  void run(const std::vector<std::function<void()>>& readers,
           const std::function<void(int)>& write) {
    std::atomic<bool> done{false};
    std::vector<std::thread> threads;
    for (const auto& reader : readers) {
      threads.emplace_back([&done, &reader] {
        while (!done) reader();
      });
    }
    for (int version = 1; version <= kVersions; ++version) write(version);
    done = true;
    for (auto& thread : threads) thread.join();
    CHECK(complaints.all() == std::set<std::string>{});
  }
};

Options with_graph() {
  Options options;
  options.exact_search_points = 8;
  options.index_threads = 1;
  return options;
}

}  // namespace

TEST_CASE("threads: a search finds every point while all of them are replaced",
          "[storage][threads]") {
  // Exact, and on a graph.
  for (const auto& options : {Options{}, with_graph()}) {
    Scene scene(options);
    const DiskShard& shard = *scene.shard;
    scene.run(
        {[&] {
           check_whole(scene.complaints, "search", search_all(shard, std::nullopt, 2 * kPoints));
         },
         [&] {
           check_whole(scene.complaints, "filtered", search_all(shard, scene.kept, 2 * kPoints));
         },
         [&] {
           const auto few = search_all(shard, scene.kept, 3);
           scene.complaints.check(few.ok() && few->size() == 3, "few: not as many as asked");
         }},
        [&](int version) {
          scene.complaints.check(scene.shard.write(version_of(version)).ok(), "write");
        });
  }
}

TEST_CASE("threads: a scroll, a get and a count see whole points", "[storage][threads]") {
  Scene scene(Options{});
  const DiskShard& shard = *scene.shard;
  std::vector<PointId> ids;
  for (std::uint64_t id = 0; id < kPoints; ++id) ids.push_back(PointId(id));
  scene.run({[&] { check_whole(scene.complaints, "scroll", scroll_all(shard, std::nullopt)); },
             [&] { check_whole(scene.complaints, "filtered", scroll_all(shard, scene.kept)); },
             [&] {
               check_whole(scene.complaints, "get", shard.get(ids, {true, true, true}));
             },
             [&] {
               const auto all = shard.count(CallContext{}, std::nullopt);
               scene.complaints.check(all.ok() && *all == kPoints, "count: not all");
               scene.complaints.check(shard.stats().points == kPoints, "stats: not all");
             }},
            [&](int version) {
              scene.complaints.check(scene.shard.write(version_of(version)).ok(), "write");
            });
}

TEST_CASE("threads: a filter holds for what a search returns while payloads change",
          "[storage][threads]") {
  Scene scene(with_graph());
  const DiskShard& shard = *scene.shard;
  const Filter even = Filter::parse({{"even", true}}).value();
  const auto check_even = [&](const std::string& who, const Result<std::vector<Point>>& points) {
    if (!points.ok()) return scene.complaints.check(false, who + ": " + points.error().message);
    for (const auto& point : *points) {
      scene.complaints.check(point.payload.at("even") == true, who + ": does not match");
    }
  };
  scene.run({[&] { check_even("search", search_all(shard, even, kPoints)); },
             [&] { check_even("scroll", scroll_all(shard, even)); },
             [&] {
               ShardQuery query;
               query.vector = {0, 0};
               query.k = 2 * kPoints;
               query.filter = scene.kept;
               const auto kept = shard.search(CallContext{}, query);
               scene.complaints.check(kept.ok() && kept->size() == kPoints, "kept: not all");
             }},
            [&](int version) {
              UpdatePayload update;
              for (std::uint64_t id = 0; id < kPoints; ++id) update.ids.push_back(PointId(id));
              update.payload = {{"even", version % 2 == 0}};
              scene.complaints.check(scene.shard.write(update).ok(), "write");
            });
}

TEST_CASE("threads: the index is saved while points are written and searched",
          "[storage][threads]") {
  Scene scene(with_graph());
  const DiskShard& shard = *scene.shard;
  scene.run(
      {[&] {
         check_whole(scene.complaints, "search", search_all(shard, std::nullopt, 2 * kPoints));
       },
       [&] { scene.complaints.check(scene.shard->flush_index(CallContext{}).ok(), "flush"); }},
      [&](int version) {
        scene.complaints.check(scene.shard.write(version_of(version)).ok(), "write");
      });
  REQUIRE(scene.shard.crash().ok());
  check_whole(scene.complaints, "after", search_all(*scene.shard, std::nullopt, 2 * kPoints));
  CHECK(scene.complaints.all() == std::set<std::string>{});
}
