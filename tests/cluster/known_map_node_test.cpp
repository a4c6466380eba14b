// Servers that start while a real etcd is away: what they serve by the map on their disks, what
// they refuse, and how they get together again.

#include <filesystem>

#include <catch2/catch.hpp>

#include "cluster/view/view_file.h"
#include "tests/cluster/node_cluster.h"
#include "tests/cluster/pond.h"

namespace quiver::cluster {
namespace {

namespace fs = std::filesystem;

bool is_kept(NodeCluster& cluster, std::size_t i) {
  const auto home = cluster.home(i);
  return home->keeper().kept_epoch() == home->views().current()->epoch;
}

bool takes_writes(NodeCluster& cluster, std::size_t i) {
  return cluster.node(i).home_to_write().ok();
}

std::string why_not(NodeCluster& cluster, std::size_t i) {
  const auto home = cluster.node(i).home();
  return home.ok() ? "" : home.error().message;
}

/// Two servers with a collection, and its points.
struct Pond {
  Pond() {
    cluster.start_all();
    REQUIRE(cluster.node(0).create(CallContext{}, spec_of("pond", 4)).ok());
    REQUIRE((*cluster.node(1).find("pond"))->upsert(CallContext{}, points).ok());
    REQUIRE(eventually([&] { return is_kept(cluster, 0) && is_kept(cluster, 1); }));
  }
  bool is_whole(std::size_t i) {
    const auto pond = cluster.node(i).find("pond");
    if (!pond.ok()) return false;
    const auto answer = (*pond)->search(CallContext{}, query_of(points[5].vector, 10));
    return answer.ok() && ids_of(*answer) == nearest(points, points[5].vector, 10);
  }

  NodeCluster cluster{2};
  const std::vector<Point> points = random_points(100, 8);
};

}  // namespace

TEST_CASE("ClusterNode: a server that starts without etcd reads, and writes once it is back",
          "[cluster][node]") {
  Pond pond;
  auto& cluster = pond.cluster;
  const bool all = GENERATE(false, true);
  cluster.etcd().kill(0);
  if (all) cluster.stop(0);
  cluster.stop(1);
  if (all) REQUIRE(cluster.begin(0).ok());
  REQUIRE(cluster.begin(1).ok());
  for (const std::size_t i : {0U, 1U}) {
    REQUIRE(eventually([&] { return cluster.joined(i); }));
    CHECK(eventually([&] { return pond.is_whole(i); }));
  }
  CHECK(takes_writes(cluster, 0) == !all);
  CHECK_FALSE(takes_writes(cluster, 1));
  const auto by_itself = (*cluster.node(1).find("pond"))->upsert(CallContext{}, pond.points);
  REQUIRE_FALSE(by_itself.ok());
  CHECK(by_itself.error().code == ErrorCode::Unavailable);
  CHECK(contains(by_itself.error(), "refuses writes"));
  const auto by_other = (*cluster.node(0).find("pond"))->upsert(CallContext{}, pond.points);
  REQUIRE_FALSE(by_other.ok());
  CHECK(by_other.error().code == ErrorCode::Unavailable);
  CHECK(contains(by_other.error(), "refuses writes"));
  CHECK_FALSE(cluster.node(1).create(CallContext{}, spec_of("late", 1)).ok());
  CHECK_FALSE(cluster.node(1).drop(CallContext{}, "pond").ok());
  CHECK(cluster.node(1).admin().shard_distribution(CallContext{}, {"pond"}).ok());
  CHECK(
      contains(cluster.node(1).admin().remove_node(CallContext{}, "x").error(), "refuses writes"));
  // Nobody joins through it, and no shard is moved.
  const auto peer = cluster.home(0)->peers().client(*cluster.view(0), cluster.id(1)).value();
  CHECK(peer->ping({}, {"active"}).ok());
  const auto asks_to_join = [&] {
    thrift::NodeCall call;
    call.caller = cluster.id(0).text;
    return peer->join(call, {cluster.node(0).self(), cluster.address(0), "127.0.0.1:1", {}, 1.0});
  };
  const auto joined = asks_to_join();
  REQUIRE_FALSE(joined.ok());
  CHECK(joined.error().code == ErrorCode::Unavailable);
  thrift::ShardCall shard;
  shard.caller = cluster.id(0).text;
  shard.collection = cluster.view(0)->find_collection("pond")->spec.id;
  shard.copy = CopyId{std::string(32, '1')};
  const auto checkpoint = peer->begin_checkpoint(shard);
  REQUIRE_FALSE(checkpoint.ok());
  CHECK(checkpoint.error().code == ErrorCode::Unavailable);
  CHECK_FALSE(cluster.refusal(1));

  cluster.etcd().start(0);
  for (const std::size_t i : {0U, 1U}) {
    REQUIRE(eventually([&] { return takes_writes(cluster, i); }));
  }
  REQUIRE((*cluster.node(1).find("pond"))->upsert(CallContext{}, pond.points).ok());
  REQUIRE(
      eventually([&] { return cluster.node(1).create(CallContext{}, spec_of("late", 2)).ok(); }));
  CHECK(eventually([&] {
    return cluster.view(0)->find_collection("late") != nullptr &&
           cluster.view(0)->epoch == cluster.view(1)->epoch;
  }));
  CHECK(eventually([&] { return asks_to_join().ok(); }));
}

TEST_CASE("ClusterNode: a map that another server has a newer one of is not served by",
          "[cluster][node]") {
  Pond pond;
  auto& cluster = pond.cluster;
  const auto id = cluster.id(1);
  cluster.stop(1);
  bool removed = false;
  SECTION("something was made meanwhile") {
    REQUIRE(eventually([&] { return cluster.is_down(0, id); }));
    REQUIRE(cluster.node(0).create(CallContext{}, spec_of("late", 1)).ok());
  }
  SECTION("it was removed meanwhile") {
    auto record = cluster.view(0)->find_node(id)->record;
    record.state = NodeState::Removed;
    write_node(cluster, record);
    REQUIRE(eventually(
        [&] { return cluster.view(0)->find_node(id)->record.state == NodeState::Removed; }));
    removed = true;
  }
  cluster.etcd().kill(0);
  REQUIRE(cluster.begin(1).ok());
  const std::string words = removed ? "does not let this server in" : "has a newer map";
  REQUIRE(eventually([&] { return why_not(cluster, 1).find(words) != std::string::npos; }));
  CHECK_FALSE(cluster.node(1).find("pond").ok());
  CHECK_FALSE(cluster.refusal(1));
  cluster.etcd().start(0);
  if (removed) {
    REQUIRE(eventually([&] { return cluster.refusal(1).has_value(); }));
    CHECK(contains(*cluster.refusal(1), "removed"));
    CHECK(eventually([&] { return !cluster.node(1).home().ok(); }));
  } else {
    REQUIRE(eventually([&] { return takes_writes(cluster, 1); }));
    CHECK(pond.is_whole(1));
  }
}

TEST_CASE("ClusterNode: without a map that fits it waits for etcd", "[cluster][node]") {
  Pond pond;
  auto& cluster = pond.cluster;
  cluster.stop(1);
  const auto file = cluster.settings(1).data_dir / "VIEW";
  REQUIRE(fs::exists(file));
  SECTION("none") {
    fs::remove(file);
  }
  SECTION("damaged") {
    fs::resize_file(file, fs::file_size(file) - 1);
  }
  SECTION("of another server") {
    fs::copy_file(cluster.settings(0).data_dir / "VIEW", file,
                  fs::copy_options::overwrite_existing);
  }
  cluster.etcd().kill(0);
  REQUIRE(cluster.begin(1).ok());
  REQUIRE(eventually([&] {
    return why_not(cluster, 1).find(cluster.etcd().endpoint(0).substr(7)) != std::string::npos;
  }));
  CHECK_FALSE(cluster.joined(1));
  cluster.etcd().start(0);
  REQUIRE(eventually([&] { return takes_writes(cluster, 1); }));
  CHECK(pond.is_whole(1));
  CHECK(eventually([&] { return ViewFile::read(cluster.settings(1).data_dir).ok(); }));
}

TEST_CASE("ClusterNode: a server that learned of etcd from others remembers where it is",
          "[cluster][node]") {
  Pond pond;
  auto& cluster = pond.cluster;
  for (const std::size_t i : {0U, 1U}) cluster.stop(i);
  // One that runs no etcd, and those who could tell are not there.
  auto& options = cluster.settings(1).cluster;
  options.coordination = "managed";
  options.endpoints.clear();
  options.nodes = {cluster.address(0)};
  cluster.etcd().kill(0);
  REQUIRE(cluster.begin(1).ok());
  REQUIRE(eventually([&] { return cluster.joined(1); }));
  auto query = query_of(pond.points[0].vector, 100);
  query.allow_partial = true;
  const auto part = (*cluster.node(1).find("pond"))->search(CallContext{}, query);
  REQUIRE(part.ok());
  CHECK(part->missing.size() == 2);
  CHECK_FALSE(takes_writes(cluster, 1));
  cluster.etcd().start(0);
  // Those who can tell are asked before anything is written.
  cluster.start(0);
  REQUIRE(eventually([&] { return takes_writes(cluster, 1); }));
  CHECK(eventually([&] { return pond.is_whole(1); }));
}

}  // namespace quiver::cluster
