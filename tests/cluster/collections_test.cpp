// Collections with one and with several shards must give the same answers; the oracle is a
// brute-force search over the points that the test wrote.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include <catch2/catch.hpp>
#include <sys/mount.h>

#include "cluster/coordination/embedded_store.h"
#include "cluster/local_collections.h"
#include "cluster/node_identity.h"
#include "cluster/view/records.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster {
namespace {

struct Fixture {
  Fixture() { restart(); }
  void restart(std::size_t open_shards = storage::Options{}.open_shards) {
    collections.reset();
    storage::Options options;
    options.open_shards = open_shards;
    collections = std::make_unique<LocalCollections>(dir.path(), options, clock);
  }
  std::shared_ptr<Collection> make(const std::string& name, std::uint32_t shards,
                                   Metric metric = Metric::Euclidean) {
    CollectionSpec spec;
    spec.name = name;
    spec.dimension = 3;
    spec.metric = metric;
    spec.shard_count = shards;
    const auto created = collections->create(CallContext{}, spec);
    REQUIRE(created.ok());
    return created->collection;
  }

  TempDir dir;
  ManualClock clock;
  std::unique_ptr<LocalCollections> collections;
};

/// False if `holds` stays false for half a minute.
template <typename Condition>
bool eventually(Condition holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

Point lasting_point() {
  Point point;
  point.id = PointId(1'000'000);
  point.vector = {1.0F, 0.0F, 0.0F};
  return point;
}

/// 50 kB that do not compress.
Point noisy_point(std::uint64_t id) {
  std::mt19937 random(static_cast<std::uint32_t>(id));
  Point point;
  point.id = PointId(id);
  point.vector = {1.0F, 2.0F, 3.0F};
  point.text.emplace(50'000, ' ');
  for (auto& c : *point.text) c = static_cast<char>('!' + random() % 90);
  return point;
}

std::vector<Point> random_points(std::size_t count) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> coordinate(-1.0F, 1.0F);
  std::vector<Point> points(count);
  for (std::size_t i = 0; i < count; ++i) {
    points[i].id = PointId(i);
    points[i].vector = {coordinate(random), coordinate(random), coordinate(random)};
    points[i].payload = {{"even", i % 2 == 0}, {"n", i}};
  }
  return points;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

TEST_CASE("Collection: search over shards equals brute force", "[cluster]") {
  const auto shards = GENERATE(1U, 3U);
  Fixture f;
  auto collection = f.make("points", shards);
  auto points = random_points(300);
  REQUIRE(collection->upsert(CallContext{}, points)->created == 300);
  Query query;
  query.vector = {0.1F, -0.2F, 0.3F};
  query.k = 7;
  const bool filtered = GENERATE(false, true);
  if (filtered) query.filter = *Filter::parse({{"even", true}});
  const auto answer = collection->search(CallContext{}, query);
  REQUIRE(answer.ok());
  CHECK(answer->missing.empty());
  const auto& hits = answer->hits;
  if (filtered) {
    points.erase(std::remove_if(points.begin(), points.end(),
                                [](const Point& p) { return !p.payload["even"].get<bool>(); }),
                 points.end());
  }
  std::sort(points.begin(), points.end(), [&](const Point& a, const Point& b) {
    return distance(a.vector, query.vector) < distance(b.vector, query.vector);
  });
  REQUIRE(hits.size() == query.k);
  for (std::size_t i = 0; i < query.k; ++i) {
    CHECK(hits[i].point.id == points[i].id);
    CHECK(hits[i].score == Approx(-distance(points[i].vector, query.vector)).margin(1e-5));
  }
}

TEST_CASE("Collection: fewer hits are the beginning of more hits, however many are equally near",
          "[cluster]") {
  const auto shards = GENERATE(1U, 3U);
  Fixture f;
  auto collection = f.make("points", shards);
  std::vector<Point> points(60);
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[i].id = PointId(points.size() - i);  // Against the order in which they are stored.
    points[i].vector = {1.0F, i % 20 == 0 ? 1.0F : 0.0F, 0.0F};
  }
  REQUIRE(collection->upsert(CallContext{}, points).ok());
  Query query;
  query.vector = {1.0F, 0.0F, 0.0F};
  query.exact = true;
  query.k = 60;
  const auto all = collection->search(CallContext{}, query);
  REQUIRE(all.ok());
  REQUIRE(all->hits.size() == 60);
  for (query.k = 1; query.k < 60; ++query.k) {
    const auto some = collection->search(CallContext{}, query);
    REQUIRE(some.ok());
    REQUIRE(some->hits.size() == query.k);
    for (std::size_t i = 0; i < query.k; ++i) {
      REQUIRE(some->hits[i].point.id == all->hits[i].point.id);
    }
  }
}

TEST_CASE("Collection: scroll visits every point once, in order of id", "[cluster]") {
  const auto shards = GENERATE(1U, 4U);
  Fixture f;
  auto collection = f.make("points", shards);
  REQUIRE(collection->upsert(CallContext{}, random_points(95)).ok());
  std::vector<PointId> seen;
  std::optional<PointId> after;
  do {
    const auto page = collection->scroll(CallContext{}, std::nullopt, after, 10, Projection{});
    REQUIRE(page.ok());
    for (const auto& point : page->points) seen.push_back(point.id);
    after = page->next;
  } while (after);
  REQUIRE(seen.size() == 95);
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == PointId(i));
}

TEST_CASE("Collection: get, update, erase and count go to the right shard", "[cluster]") {
  Fixture f;
  auto collection = f.make("points", 5);
  REQUIRE(collection->upsert(CallContext{}, random_points(50)).ok());
  const auto found = collection->get(CallContext{}, {PointId(3), PointId(99), PointId(1)}, {});
  REQUIRE(found.ok());
  REQUIRE(found->size() == 2);
  CHECK((*found)[0].id == PointId(3));
  CHECK((*found)[1].id == PointId(1));
  UpdatePayload update;
  update.ids = {PointId(1), PointId(2), PointId(99)};
  update.payload = {{"mark", 1}};
  CHECK(collection->update_payload(CallContext{}, update)->affected == 2);
  CHECK(*collection->count(CallContext{}, *Filter::parse({{"mark", 1}})) == 2);
  CHECK(collection->erase(CallContext{}, {PointId(1), PointId(99)})->affected == 1);
  CHECK(collection->erase_matching(CallContext{}, *Filter::parse({{"even", true}}))->affected ==
        25);
  CHECK(*collection->count(CallContext{}, std::nullopt) == 24);
  CHECK(collection->stats(CallContext{})->points == 24);
}

TEST_CASE("Collection: one bad point and nothing is written", "[cluster]") {
  Fixture f;
  auto collection = f.make("points", 2, Metric::Cosine);
  const auto refuse = [&](std::vector<float> vector, Json payload = Json::object()) {
    auto points = random_points(3);
    points[1].vector = std::move(vector);
    points[1].payload = std::move(payload);
    const auto result = collection->upsert(CallContext{}, points);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == ErrorCode::InvalidArgument);
    CHECK(*collection->count(CallContext{}, std::nullopt) == 0);
    return result.error().message;
  };
  CHECK(refuse({1.0F}) == "points[1].vector: has 1 dimensions; collection \"points\" needs 3");
  CHECK(refuse({1.0F, NAN, 0.0F}) == "points[1].vector: component 1 is not a finite number");
  CHECK(refuse({1.0F, 0.0F, INFINITY}) == "points[1].vector: component 2 is not a finite number");
  CHECK(refuse({0.0F, 0.0F, 0.0F}) ==
        "points[1].vector: all components are zero, which has no direction to compare by cosine");
  CHECK(refuse({1.0F, 0.0F, 0.0F}, {{"t", std::string(1'048'576, 'x')}}) ==
        "points[1]: text and metadata may have 1048576 bytes together, got 1048584");
  CHECK(refuse({1.0F, 0.0F, 0.0F}, Json::array()) ==
        "points[1]: metadata must be an object, got array");
  CHECK(refuse({1.0F, 0.0F, 0.0F}, {{"t", "\xFF"}}) ==
        "points[1]: metadata holds text that is not UTF-8");
  CHECK(collection->upsert(CallContext{}, random_points(1001)).error().message ==
        "points: at most 1000 in one call, got 1001");
  CHECK(*collection->count(CallContext{}, std::nullopt) == 0);
}

TEST_CASE("Collection: as many hits as may be asked for, and not one more", "[cluster]") {
  Fixture f;
  auto collection = f.make("points", 2);
  REQUIRE(collection->upsert(CallContext{}, random_points(30)).ok());
  Query query;
  query.vector = {0.1F, -0.2F, 0.3F};
  query.k = 10'000;
  CHECK(collection->search(CallContext{}, query)->hits.size() == 30);
  query.k = 10'001;
  CHECK(collection->search(CallContext{}, query).error().message ==
        "k: must be between 1 and 10000, got 10001");
  query.k = 0;
  CHECK(collection->search(CallContext{}, query).error().message ==
        "k: must be between 1 and 10000, got 0");
}

TEST_CASE("Collections: what was made is there after a restart", "[cluster]") {
  Fixture f;
  f.make("b", 2);
  auto a = f.make("a", 1);
  REQUIRE(a->upsert(CallContext{}, random_points(10)).ok());
  a.reset();
  f.restart();
  const auto specs = f.collections->list();
  REQUIRE(specs.ok());
  REQUIRE(specs->size() == 2);
  CHECK((*specs)[0].name == "a");
  CHECK((*specs)[1].shard_count == 2);
  CHECK(*(*f.collections->find("a"))->count(CallContext{}, std::nullopt) == 10);
}

TEST_CASE("Collections: making one again tells whether it is the same", "[cluster]") {
  Fixture f;
  const auto first = f.make("a", 1);
  CollectionSpec spec = first->spec();
  const auto again = f.collections->create(CallContext{}, spec);
  REQUIRE(again.ok());
  CHECK(again->existed);
  spec.dimension = 4;
  spec.metric = Metric::Dot;
  const auto other = f.collections->create(CallContext{}, spec);
  REQUIRE_FALSE(other.ok());
  CHECK(other.error().code == ErrorCode::AlreadyExists);
  CHECK(other.error().message ==
        "collection \"a\" exists with other settings: dimension is 3, asked for 4; "
        "metric is \"euclidean\", asked for \"dot\"");
  spec = first->spec();
  spec.name = "copies";
  spec.replication_factor = 2;
  CHECK(f.collections->create(CallContext{}, spec).error().code == ErrorCode::FailedPrecondition);
}

TEST_CASE("Collections: a dropped collection is gone, and a new one of that name is empty",
          "[cluster]") {
  Fixture f;
  auto old = f.make("a", 2);
  REQUIRE(old->upsert(CallContext{}, random_points(10)).ok());
  CallContext call;
  call.request_id = RequestId::random();
  CHECK(*f.collections->drop(call, "a") == 10);
  CHECK(old->count(CallContext{}, std::nullopt).error().code == ErrorCode::NotFound);
  CHECK(f.collections->find("a").error().code == ErrorCode::NotFound);
  CHECK(*f.collections->drop(call, "a") == 10);
  CHECK(f.collections->drop(CallContext{}, "a").error().code == ErrorCode::NotFound);
  CHECK(*f.make("a", 2)->count(CallContext{}, std::nullopt) == 0);
  f.restart();
  CHECK(*(*f.collections->find("a"))->count(CallContext{}, std::nullopt) == 0);
}

TEST_CASE("Collections: a drop that ends half-way is finished at the next start", "[cluster]") {
  Fixture f;
  auto a = f.make("a", 2);
  REQUIRE(a->upsert(CallContext{}, random_points(10)).ok());
  auto b = f.make("b", 1);
  REQUIRE(b->upsert(CallContext{}, random_points(10)).ok());
  const auto shards = f.dir.path() / "shards";
  const auto a_files = shards / a->spec().id;
  // Where the trash should be is a file: the drop ends after the catalogue has noted it.
  std::ofstream(shards / "trash") << "in the way";
  REQUIRE(f.collections->drop(CallContext{}, "a").ok());
  CHECK(f.collections->find("a").error().code == ErrorCode::NotFound);
  CHECK(std::filesystem::exists(a_files));
  // And another, before, ended after the rename.
  a.reset();
  b.reset();
  f.collections.reset();
  std::filesystem::remove(shards / "trash");
  const auto grave = shards / "trash" / std::string(32, 'd');
  std::filesystem::create_directories(grave / "0" / "rocksdb");
  std::ofstream(grave / "0" / "MANIFEST") << "{}";

  f.restart();
  CHECK(f.collections->list()->size() == 1);
  CHECK_FALSE(std::filesystem::exists(a_files));
  CHECK(eventually([&] { return std::filesystem::is_empty(shards / "trash"); }));
  CHECK(*(*f.collections->find("b"))->count(CallContext{}, std::nullopt) == 10);
  CHECK(*f.make("a", 2)->count(CallContext{}, std::nullopt) == 0);
}

TEST_CASE("Collections: one whose files are damaged can be dropped", "[cluster]") {
  Fixture f;
  auto a = f.make("a", 1);
  REQUIRE(a->upsert(CallContext{}, random_points(10)).ok());
  const auto files = f.dir.path() / "shards" / a->spec().id;
  a.reset();
  f.collections.reset();
  const auto copy = std::filesystem::directory_iterator(files)->path();
  REQUIRE(std::filesystem::exists(copy / "MANIFEST"));
  std::ofstream(copy / "MANIFEST") << "no manifest";
  f.restart();
  a = *f.collections->find("a");
  CHECK(a->count(CallContext{}, std::nullopt).error().code == ErrorCode::Corruption);
  REQUIRE(f.collections->drop(CallContext{}, "a").ok());
  CHECK(f.collections->find("a").error().code == ErrorCode::NotFound);
  CHECK_FALSE(std::filesystem::exists(files));
  CHECK(*f.make("a", 1)->count(CallContext{}, std::nullopt) == 0);
}

TEST_CASE("Collections: a catalogue that lost a collection is not taken for the truth",
          "[cluster]") {
  Fixture f;
  auto a = f.make("a", 1);
  REQUIRE(a->upsert(CallContext{}, random_points(10)).ok());
  const auto id = a->spec().id;
  a.reset();
  f.collections.reset();
  std::filesystem::remove_all(f.dir.path() / "meta");
  f.restart();
  // The second time, too: the database of the catalogue has been made anew by then.
  for (int i = 0; i < 2; ++i) {
    const auto listed = f.collections->list();
    REQUIRE_FALSE(listed.ok());
    CHECK(listed.error().code == ErrorCode::Corruption);
    CHECK(listed.error().message.find(id) != std::string::npos);
  }
  std::filesystem::remove_all(f.dir.path() / "shards" / id);
  CHECK(f.collections->list()->empty());
}

TEST_CASE("Collections: a shard whose files are gone is no empty one", "[cluster]") {
  Fixture f;
  auto a = f.make("a", 2);
  REQUIRE(a->upsert(CallContext{}, random_points(10)).ok());
  const auto files = f.dir.path() / "shards" / a->spec().id;
  a.reset();
  f.collections.reset();
  std::filesystem::remove_all(std::filesystem::directory_iterator(files)->path());
  f.restart();
  a = *f.collections->find("a");
  const auto counted = a->count(CallContext{}, std::nullopt);
  REQUIRE_FALSE(counted.ok());
  CHECK(counted.error().code == ErrorCode::Corruption);
  CHECK(counted.error().message.find("is not there") != std::string::npos);
  CHECK(f.collections->drop(CallContext{}, "a").ok());
}

TEST_CASE("Collections: many more shards than may be open keep all of their points", "[cluster]") {
  Fixture f;
  f.restart(3);
  constexpr int kCollections = 12;
  const auto name_of = [](int i) { return "c" + std::to_string(i); };
  for (int i = 0; i < kCollections; ++i) {
    auto points = random_points(static_cast<std::size_t>(i) + 1);
    REQUIRE(f.make(name_of(i), 1)->upsert(CallContext{}, points).ok());
  }
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < kCollections; ++i) {
      const auto found = *f.collections->find(name_of(i));
      CHECK(*found->count(CallContext{}, std::nullopt) == static_cast<std::uint64_t>(i) + 1);
    }
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (f.collections->open_shards() > 3 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  CHECK(f.collections->open_shards() <= 3);
}

TEST_CASE("Collections: calls in many threads while shards come and go", "[cluster]") {
  Fixture f;
  f.restart(1);
  for (int i = 0; i < 4; ++i) f.make("c" + std::to_string(i), 1);
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 30; ++i) {
        const auto found = f.collections->find("c" + std::to_string((static_cast<int>(i) + t) % 4));
        Point point;
        point.id = PointId(static_cast<std::uint64_t>(t) * 1000 + i);
        point.vector = {1.0F, 2.0F, 3.0F};
        if (!found.ok() || !(*found)->upsert(CallContext{}, {point}).ok()) ++failures;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(failures == 0);
  std::uint64_t points = 0;
  for (int i = 0; i < 4; ++i) {
    points += *(*f.collections->find("c" + std::to_string(i)))->count(CallContext{}, std::nullopt);
  }
  CHECK(points == 4 * 30);
}

TEST_CASE("Collections: what a crash left of one that was being made goes away", "[cluster]") {
  Fixture f;
  f.make("kept", 1);
  f.collections.reset();
  const std::string id(32, 'e');
  {
    const auto store = EmbeddedStore::open(f.dir.path() / "meta");
    REQUIRE(store.ok());
    const DroppingRecord record{"half", {*node_identity(f.dir.path())}};
    REQUIRE((*store)->txn(CallContext{}, {}, {{"creating/" + id, record.to_json().dump()}}).ok());
  }
  const auto files = f.dir.path() / "shards" / id;
  std::filesystem::create_directories(files / ("0." + std::string(32, 'f')));
  f.restart();
  CHECK(f.collections->list()->size() == 1);
  CHECK_FALSE(std::filesystem::exists(files));
  CHECK(f.make("half", 1)->stats(CallContext{})->points == 0);
}

TEST_CASE("Collections: an unknown name is answered with what is near", "[cluster]") {
  Fixture f;
  CHECK(f.collections->find("docs").error().message ==
        "collection \"docs\" not found. There are none yet: use collection_create or "
        "memory_store.");
  f.make("docs", 1);
  f.make("memory", 1);
  CHECK(f.collections->find("docz").error().message ==
        "collection \"docz\" not found. Did you mean \"docs\"? Collections: docs, memory.");
  for (char c = 'a'; c < 'a' + 20; ++c) f.make(std::string("x") + c, 1);
  const auto many = f.collections->find("zzzzzz").error().message;
  CHECK(many.find("Collections: docs, memory, xa, ") != std::string::npos);
  CHECK(many.find(", xr and 2 more (collection_list).") != std::string::npos);
}

TEST_CASE("Collections: a repeated drop is recognised for an hour", "[cluster]") {
  Fixture f;
  f.make("a", 1);
  CallContext first;
  first.request_id = RequestId::random();
  REQUIRE(*f.collections->drop(first, "a") == 0);
  const auto drop_another = [&] {
    f.make("b", 1);
    CallContext call;
    call.request_id = RequestId::random();
    REQUIRE(f.collections->drop(call, "b").ok());
  };
  f.clock.advance_ms(3'600'000);
  drop_another();
  CHECK(*f.collections->drop(first, "a") == 0);
  f.clock.advance_ms(1);
  drop_another();
  CHECK(f.collections->drop(first, "a").error().code == ErrorCode::NotFound);
}

TEST_CASE("Collections: expired points are purged from disk", "[cluster]") {
  Fixture f;
  auto collection = f.make("a", 2);
  auto points = random_points(10);
  for (std::size_t i = 0; i < 4; ++i) points[i].expires_at_ms = f.clock.wall_ms() + 1000;
  REQUIRE(collection->upsert(CallContext{}, points).ok());
  f.clock.advance_ms(999);
  CHECK(*collection->count(CallContext{}, std::nullopt) == 10);
  f.clock.advance_ms(1);
  CHECK(*collection->count(CallContext{}, std::nullopt) == 6);
  f.collections->purge_expired();
  f.clock.advance_ms(-1000);
  CHECK(*collection->count(CallContext{}, std::nullopt) == 6);
}

TEST_CASE("Collections: a backlog of expired points goes round by round", "[cluster]") {
  Fixture f;
  auto collection = f.make("a", 1);
  auto points = random_points(2500);
  for (auto& point : points) point.expires_at_ms = f.clock.wall_ms() + 1000;
  for (std::size_t i = 0; i < points.size(); i += 500) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(i);
    REQUIRE(collection->upsert(CallContext{}, {begin, begin + 500}).ok());
  }
  REQUIRE(collection->upsert(CallContext{}, {lasting_point()}).ok());
  f.clock.advance_ms(1000);
  // Whoever comes first, this or the background, goes on until nothing is left.
  CHECK(eventually([&] { return !f.collections->purge_expired(); }));
  f.clock.advance_ms(-1000);
  // The last of them may be on its way in the background.
  CHECK(eventually([&] { return *collection->count(CallContext{}, std::nullopt) == 1; }));
}

TEST_CASE("Collections: after a full disk writes go on when there is room", "[cluster]") {
  const TempDir dir;
  const auto disk = dir.path() / "disk";
  std::filesystem::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=24m") != 0) {
    WARN("no right to mount: skipped");
    return;
  }
  const ManualClock clock;
  {
    storage::Options options;
    options.write_buffer_bytes = 1 << 20;
    LocalCollections collections(disk / "data", options, clock);
    CollectionSpec spec;
    spec.name = "a";
    spec.dimension = 3;
    spec.shard_count = 2;
    auto collection = collections.create(CallContext{}, spec)->collection;
    std::ofstream(disk / "ballast") << std::string(14 << 20, 'x');
    std::uint64_t stored = 0;
    Result<MutationResult> written = MutationResult{};
    while (written.ok() && stored < 10'000) {
      written = collection->upsert(CallContext{}, {noisy_point(stored)});
      stored += written.ok() ? 1 : 0;
    }
    REQUIRE_FALSE(written.ok());
    CHECK(written.error().code == ErrorCode::ResourceExhausted);
    CHECK(traits(written.error().code).retryable);
    CHECK(*collection->count(CallContext{}, std::nullopt) == stored);
    // Without room, again and again, and reading goes on.
    for (int i = 0; i < 3; ++i) {
      CHECK_FALSE(collection->upsert(CallContext{}, {noisy_point(stored)}).ok());
      CHECK(*collection->count(CallContext{}, std::nullopt) == stored);
    }
    std::filesystem::remove(disk / "ballast");
    const auto again = collection->upsert(CallContext{}, {noisy_point(stored)});
    INFO((again.ok() ? "" : again.error().message));
    CHECK(again.ok());
    // The refused write may have reached the disk all the same: it is the same point.
    CHECK(*collection->count(CallContext{}, std::nullopt) == stored + 1);
  }
  (void)::umount2(disk.c_str(), MNT_DETACH);
}

TEST_CASE("Collections: fields over shards are summed", "[cluster]") {
  Fixture f;
  auto collection = f.make("a", 3);
  REQUIRE(collection->upsert(CallContext{}, random_points(30)).ok());
  const auto fields = collection->fields(CallContext{}, 10);
  REQUIRE(fields.ok());
  REQUIRE(fields->size() == 2);
  CHECK((*fields)[0].name == "even");
  CHECK((*fields)[0].points == 30);
  CHECK((*fields)[0].types == std::vector<std::string>{"boolean"});
}

TEST_CASE("Collections: after close calls are refused", "[cluster]") {
  Fixture f;
  f.make("a", 1);
  f.collections->close();
  CHECK(f.collections->find("a").error().code == ErrorCode::Unavailable);
}

}  // namespace
}  // namespace quiver::cluster
