// Collections over servers that call each other over loopback: the answers are those of a brute
// force over all points, from whichever server they are asked.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <random>
#include <thread>

#include <catch2/catch.hpp>

#include "cluster/shard_router.h"
#include "tests/cluster/node_fixture.h"

namespace quiver::cluster {
namespace {

using test::TestNode;

struct Fixture {
  Fixture() {
    auto opened = EmbeddedStore::open(dir.path() / "meta");
    REQUIRE(opened.ok());
    store = std::move(*opened);
    a = std::make_unique<TestNode>(*store, "a", 'a');
    b = std::make_unique<TestNode>(*store, "b", 'b');
    REQUIRE(a->views->refresh(CallContext{}).ok());
  }
  std::shared_ptr<Collection> make(std::uint32_t shards, std::uint32_t dimension = 2) {
    CollectionSpec spec;
    spec.name = "points";
    spec.dimension = dimension;
    spec.metric = Metric::Euclidean;
    spec.shard_count = shards;
    const auto created = a->collections->create(CallContext{}, spec);
    INFO((created.ok() ? "" : created.error().message));
    REQUIRE(created.ok());
    return created->collection;
  }
  /// The shards whose primary is on `node`.
  std::vector<std::uint32_t> shards_on(const TestNode& node) const {
    std::vector<std::uint32_t> out;
    const auto& shards = node.views->current()->find_collection("points")->shards;
    for (std::uint32_t i = 0; i < shards.size(); ++i) {
      if (*shards[i].primary_node() == node.id) out.push_back(i);
    }
    return out;
  }

  TempDir dir;
  std::unique_ptr<EmbeddedStore> store;
  std::unique_ptr<TestNode> a;
  std::unique_ptr<TestNode> b;
};

/// On a grid, so that many are equally near.
std::vector<Point> grid_points() {
  std::vector<Point> points;
  for (std::uint64_t i = 0; i < 200; ++i) {
    Point point;
    point.id = PointId(i * 7 % 200);
    point.vector = {static_cast<float>(i % 10), static_cast<float>(i / 40)};
    point.payload = {{"n", i}};
    points.push_back(std::move(point));
  }
  return points;
}

std::vector<PointId> nearest(std::vector<Point> points, const std::vector<float>& query,
                             std::size_t k) {
  const auto distance = [&](const Point& p) {
    return std::hypot(p.vector[0] - query[0], p.vector[1] - query[1]);
  };
  std::sort(points.begin(), points.end(), [&](const Point& x, const Point& y) {
    const float dx = distance(x);
    const float dy = distance(y);
    return dx != dy ? dx < dy : x.id < y.id;
  });
  std::vector<PointId> ids;
  for (std::size_t i = 0; i < std::min(k, points.size()); ++i) ids.push_back(points[i].id);
  return ids;
}

std::vector<PointId> ids_of(const std::vector<ScoredPoint>& hits) {
  std::vector<PointId> ids;
  for (const auto& hit : hits) ids.push_back(hit.point.id);
  return ids;
}

Query exact_query(std::vector<float> vector, std::size_t k) {
  Query query;
  query.vector = std::move(vector);
  query.k = k;
  query.exact = true;
  return query;
}

/// Waits until `condition` holds; false after twenty seconds.
bool eventually(const std::function<bool()>& condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

TEST_CASE("Servers: each answers for the points of both, ties included", "[cluster][remote]") {
  Fixture f;
  const auto made = f.make(4);
  REQUIRE_FALSE(f.shards_on(*f.a).empty());
  REQUIRE_FALSE(f.shards_on(*f.a).size() == 4);
  const auto points = grid_points();
  REQUIRE(made->upsert(CallContext{}, points)->created == 200);
  for (auto* node : {f.a.get(), f.b.get()}) {
    const auto collection = node->find("points");
    CHECK(*collection->count(CallContext{}, std::nullopt) == 200);
    for (const std::size_t k : {1U, 7U, 50U, 300U}) {
      const auto answer = collection->search(CallContext{}, exact_query({4.4F, 2.0F}, k));
      REQUIRE(answer.ok());
      CHECK(ids_of(answer->hits) == nearest(points, {4.4F, 2.0F}, k));
      CHECK(answer->hits.front().point.payload.contains("n"));
    }
    const auto page = collection->scroll(CallContext{}, std::nullopt, PointId(9), 5, {});
    REQUIRE(page.ok());
    CHECK(page->points.front().id == PointId(10));
    CHECK(page->next == PointId(14));
    CHECK(collection->get(CallContext{}, {PointId(3), PointId(999), PointId(4)}, {})->size() == 2);
    CHECK(collection->fields(CallContext{}, 10)->front().points == 200);
    CHECK(collection->stats(CallContext{})->points == 200);
  }
}

TEST_CASE("Servers: writes from one are read from the other", "[cluster][remote]") {
  Fixture f;
  f.make(4);
  const auto here = f.a->find("points");
  const auto there = f.b->find("points");
  REQUIRE(there->upsert(CallContext{}, grid_points()).ok());
  CHECK(here->erase(CallContext{}, {PointId(1), PointId(2)})->affected == 2);
  CHECK(there->erase_matching(CallContext{}, *Filter::parse({{"n", {{"$lt", 100}}}})).ok());
  UpdatePayload update;
  for (std::uint64_t i = 0; i < 200; ++i) update.ids.push_back(PointId(i));
  update.payload = {{"seen", true}};
  const auto updated = here->update_payload(CallContext{}, update);
  REQUIRE(updated.ok());
  const auto left = there->count(CallContext{}, std::nullopt);
  CHECK(updated->affected == *left);
  CHECK(*there->count(CallContext{}, *Filter::parse({{"seen", true}})) == *left);
}

TEST_CASE("Servers: one that is away is named, or left out if the caller allows",
          "[cluster][remote]") {
  Fixture f;
  const auto made = f.make(4);
  const auto points = grid_points();
  REQUIRE(made->upsert(CallContext{}, points).ok());
  const auto away = f.shards_on(*f.b);
  f.b->stop();
  const auto failed = made->search(CallContext{}, exact_query({1.0F, 1.0F}, 10));
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().code == ErrorCode::Unavailable);
  CHECK(failed.error().message.find("on server b") != std::string::npos);

  auto query = exact_query({1.0F, 1.0F}, 300);
  query.allow_partial = true;
  const auto partial = made->search(CallContext{}, query);
  REQUIRE(partial.ok());
  std::vector<std::uint32_t> missing;
  for (const auto& shard : partial->missing) missing.push_back(shard.shard);
  CHECK(missing == away);
  auto here = points;
  std::erase_if(here, [&](const Point& p) {
    return std::find(away.begin(), away.end(), raw(shard_of(p.id, 4))) != away.end();
  });
  CHECK(ids_of(partial->hits) == nearest(here, {1.0F, 1.0F}, 300));

  f.b->start_again();
  CHECK(made->search(CallContext{}, exact_query({1.0F, 1.0F}, 300))->hits.size() == 200);
}

TEST_CASE("Servers: one that is found to be down is not waited for", "[cluster][remote]") {
  Fixture f;
  const auto made = f.make(4);
  const auto points = grid_points();
  REQUIRE(made->upsert(CallContext{}, points).ok());
  const auto away = f.shards_on(*f.b);
  auto query = exact_query({1.0F, 1.0F}, 300);
  const std::string why = "it is down: nothing was heard of it";
  SECTION("no call begins") {
    f.b->handler.stand_still();
    f.a->calls.down(f.b->id, why);
    const auto failed = made->search(CallContext{}, query);
    CHECK(failed.error().code == ErrorCode::Unavailable);
    CHECK(failed.error().message ==
          "shard " + std::to_string(away.front()) + " on server b: " + why);
    CHECK(made->count(CallContext{}, std::nullopt).error().code == ErrorCode::Unavailable);
    CHECK(made->upsert(CallContext{}, points).error().code == ErrorCode::Unavailable);
    CHECK(f.b->handler.waiting() == 0);
  }
  SECTION("a search ends, without it where the caller allows") {
    query.allow_partial = GENERATE(false, true);
    f.b->handler.stand_still();
    bool all_wait = false;
    std::thread verdict([&] {
      all_wait = eventually([&] { return f.b->handler.waiting() == away.size(); });
      f.a->calls.down(f.b->id, why);
    });
    const auto answer = made->search(CallContext{}, query);
    verdict.join();
    CHECK(all_wait);
    REQUIRE(answer.ok() == query.allow_partial);
    if (answer.ok()) {
      REQUIRE(answer->missing.size() == away.size());
      for (std::size_t i = 0; i < away.size(); ++i) {
        CHECK(answer->missing[i].shard == away[i]);
        CHECK(answer->missing[i].why.find("on server b: " + why) != std::string::npos);
      }
    } else {
      CHECK(answer.error().code == ErrorCode::Unavailable);
      CHECK(answer.error().message.find("on server b: " + why) != std::string::npos);
    }
  }
  SECTION("a write ends, and may have taken effect") {
    f.b->handler.stand_still();
    bool all_wait = false;
    std::thread verdict([&] {
      all_wait = eventually([&] { return f.b->handler.waiting() == away.size(); });
      f.a->calls.down(f.b->id, why);
    });
    const auto written = made->upsert(CallContext{}, points);
    verdict.join();
    CHECK(all_wait);
    REQUIRE_FALSE(written.ok());
    CHECK(written.error().code == ErrorCode::DeadlineExceeded);
    CHECK(written.error().message.find("whether it took effect is not known") == 0);
    CHECK(written.error().message.find("on server b: " + why) != std::string::npos);
  }
  f.b->handler.go_on();
  f.a->calls.up(f.b->id);
  CHECK(made->search(CallContext{}, exact_query({1.0F, 1.0F}, 300))->hits.size() == 200);
}

TEST_CASE("Servers: one that does not answer in its share of the time may be missing",
          "[cluster][remote]") {
  Fixture f;
  const auto made = f.make(4);
  REQUIRE(made->upsert(CallContext{}, grid_points()).ok());
  const auto away = f.shards_on(*f.b);
  f.b->handler.stand_still();
  auto query = exact_query({1.0F, 1.0F}, 300);
  query.allow_partial = true;
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(4);
  const auto answer = made->search(call, query);
  REQUIRE(answer.ok());
  CHECK(answer->missing.size() == away.size());
  CHECK_FALSE(answer->hits.empty());
}

TEST_CASE("Servers: a collection can be deleted though one stands still", "[cluster][remote]") {
  Fixture f;
  REQUIRE(f.make(4)->upsert(CallContext{}, grid_points()).ok());
  CallContext call;
  call.request_id = RequestId::random();
  SECTION("known to be down") {
    f.b->handler.stand_still();
    f.a->calls.down(f.b->id, "it is down");
    const auto dropped = f.a->collections->drop(call, "points");
    REQUIRE(dropped.ok());
    CHECK_FALSE(dropped->has_value());
    const auto again = f.a->collections->drop(call, "points");
    REQUIRE(again.ok());
    CHECK_FALSE(again->has_value());
  }
  SECTION("not known to be down") {
    f.b->handler.stand_still();
    call.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(4);
    const auto dropped = f.a->collections->drop(call, "points");
    REQUIRE(dropped.ok());
    CHECK_FALSE(dropped->has_value());
  }
  SECTION("counted") {
    const auto dropped = f.a->collections->drop(call, "points");
    REQUIRE(dropped.ok());
    CHECK(dropped->value() == 200);
  }
  CHECK(f.a->collections->find("points").error().code == ErrorCode::NotFound);
}

TEST_CASE("CallsUnderWay: the caller can still cancel, and is told why a call ended",
          "[cluster][remote]") {
  CallsUnderWay calls;
  const NodeId node{std::string(32, 'c')};
  CallContext mine;
  mine.cancel = CancelToken::make();
  mine.request_id = RequestId::random();
  auto call = calls.begin(node, mine);
  REQUIRE(call.ok());
  CHECK(call->context().request_id == mine.request_id);
  mine.cancel.cancel();
  CHECK(call->context().cancel.cancelled());
  CHECK_FALSE(call->ended());

  const auto other = calls.begin(node, CallContext{});
  const auto elsewhere = calls.begin({std::string(32, 'd')}, CallContext{});
  REQUIRE(other.ok());
  CHECK_FALSE(other->context().cancel.cancelled());
  calls.down(node, "silent");
  CHECK(other->context().cancel.cancelled());
  CHECK(other->ended() == "silent");
  CHECK_FALSE(elsewhere->context().cancel.cancelled());
  CHECK(calls.begin(node, CallContext{}).error().message == "silent");
  calls.up(node);
  CHECK(calls.begin(node, CallContext{}).ok());
  CHECK(other->ended() == "silent");
}

TEST_CASE("Servers: a write that takes several calls takes effect once", "[cluster][remote]") {
  Fixture f;
  const auto made = f.make(2, 4096);
  std::vector<Point> points(600);
  for (std::uint64_t i = 0; i < points.size(); ++i) {
    points[i].id = PointId(i);
    points[i].vector.assign(4096, static_cast<float>(i + 1));
  }
  CallContext call;
  call.request_id = RequestId::random();
  const auto first = made->upsert(call, points);
  REQUIRE(first.ok());
  CHECK(first->created == 600);
  CHECK(made->erase(CallContext{}, {PointId(5), PointId(6)})->affected == 2);
  CHECK(*f.b->find("points")->upsert(call, points) == *first);
  CHECK(*made->count(CallContext{}, std::nullopt) == 598);
}

TEST_CASE("Servers: a copy that is not meant does not answer", "[cluster][remote]") {
  Fixture f;
  f.make(4);
  REQUIRE(f.b->views->refresh(CallContext{}).ok());
  const auto& collection = *f.a->views->current()->find_collection("points");
  const auto theirs = f.shards_on(*f.b).front();
  thrift::ShardCall call;
  call.collection = collection.spec.id;
  call.shard = ShardId{theirs};
  call.copy = collection.shards[theirs].primary;
  CHECK(f.b->service.count(call, std::nullopt).ok());

  const auto elsewhere = f.a->service.count(call, std::nullopt);
  CHECK(elsewhere.error().code == ErrorCode::WrongOwner);
  CHECK(elsewhere.info.primary == f.b->id.text);
  CHECK(elsewhere.info.epoch == f.a->views->current()->epoch);

  call.copy = {std::string(32, '0')};
  CHECK(f.b->service.count(call, std::nullopt).error().code == ErrorCode::WrongOwner);
  call.copy = {};
  call.shard = ShardId{99};
  CHECK(f.b->service.count(call, std::nullopt).error().code == ErrorCode::InvalidArgument);
  call.collection = std::string(32, '0');
  CHECK(f.b->service.count(call, std::nullopt).error().code == ErrorCode::WrongOwner);
}

TEST_CASE("Servers: a collection dropped on one is gone on the other", "[cluster][remote]") {
  Fixture f;
  f.make(4);
  const auto there = f.b->find("points");
  REQUIRE(f.a->collections->drop(CallContext{}, "points").ok());
  f.a->tidy();
  CHECK(there->count(CallContext{}, std::nullopt).error().code == ErrorCode::NotFound);
  REQUIRE(f.b->views->refresh(CallContext{}).ok());
  CHECK(f.b->views->current()->dropping.size() == 1);
  f.b->tidy();
  CHECK(f.b->views->current()->dropping.empty());
  CHECK(f.store->list(CallContext{}, "shards/")->entries.empty());
  f.make(3);
  CHECK(*f.b->find("points")->count(CallContext{}, std::nullopt) == 0);
}

}  // namespace
}  // namespace quiver::cluster
