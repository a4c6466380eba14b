// Servers of one cluster against a real etcd: what they let in, what they answer, and what happens
// when one of them or the etcd goes.

#include <algorithm>
#include <filesystem>

#include <catch2/catch.hpp>

#include "cluster/coordination/etcd_store.h"
#include "cluster/founding.h"
#include "cluster/local_collections.h"
#include "cluster/node_identity.h"
#include "cluster/view/keys.h"
#include "tests/cluster/node_cluster.h"
#include "tests/cluster/pond.h"

namespace quiver::cluster {
namespace {

namespace fs = std::filesystem;

/// Of which no transaction comes through after the first ones.
class DyingStore final : public CoordinationStore {
 public:
  DyingStore(CoordinationStore& store, int txns) : store_(store), left_(txns) {}

  Result<std::optional<Entry>> get(const CallContext& call, std::string_view key) override {
    return store_.get(call, key);
  }
  Result<Listing> list(const CallContext& call, std::string_view prefix) override {
    return store_.list(call, prefix);
  }
  Result<TxnResult> txn(const CallContext& call, const std::vector<Compare>& compares,
                        const std::vector<Put>& puts) override {
    if (left_-- > 0) return store_.txn(call, compares, puts);
    return Error{ErrorCode::Unavailable, "it has died"};
  }
  Result<std::unique_ptr<Lease>> grant(const CallContext& call, std::chrono::seconds ttl,
                                       LeaseLost on_lost) override {
    return store_.grant(call, ttl, std::move(on_lost));
  }
  Result<std::unique_ptr<Watch>> watch(std::string_view prefix, Revision after,
                                       WatchCallback callback) override {
    return store_.watch(prefix, after, std::move(callback));
  }

 private:
  CoordinationStore& store_;
  int left_;
};

}  // namespace

TEST_CASE("ClusterNode: three servers are one", "[cluster][node]") {
  NodeCluster cluster(3);
  cluster.start_all();
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(cluster.view(i)->slots.slots.size() == 3);
  }
  const auto points = random_points(300, 5);
  REQUIRE(cluster.node(0).create(CallContext{}, spec_of("pond", 6)).ok());
  const auto by_second = cluster.node(1).find("pond");
  REQUIRE(by_second.ok());
  REQUIRE((*by_second)->upsert(CallContext{}, points)->created == 300);
  std::set<NodeId> owners;
  for (const auto& shard : cluster.view(2)->find_collection("pond")->shards) {
    owners.insert(*shard.primary_node());
  }
  CHECK(owners.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto collection = cluster.node(i).find("pond");
    REQUIRE(collection.ok());
    for (std::size_t q = 0; q < 20; ++q) {
      const auto answer = (*collection)->search(CallContext{}, query_of(points[q].vector, 9));
      REQUIRE(answer.ok());
      CHECK(ids_of(*answer) == nearest(points, points[q].vector, 9));
    }
    CHECK(*(*collection)->count(CallContext{}, std::nullopt) == 300);
  }
  const auto epoch = cluster.view(0)->epoch;
  CHECK(eventually([&] { return cluster.view(1)->epoch == epoch; }));
  CHECK(eventually([&] { return cluster.view(2)->epoch == epoch; }));

  // Its files go everywhere, and then the record of it.
  REQUIRE(cluster.node(2).drop(CallContext{}, "pond").value() == 300);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(eventually([&] {
      return cluster.view(i)->dropping.empty() && cluster.home(i)->shard_store().copies()->empty();
    }));
  }
}

TEST_CASE("ClusterNode: a server that goes is down in time, and serves again when it returns",
          "[cluster][node]") {
  NodeCluster cluster(3);
  cluster.start_all();
  const auto points = random_points(120, 6);
  REQUIRE(cluster.node(0).create(CallContext{}, spec_of("pond", 6)).ok());
  REQUIRE((*cluster.node(0).find("pond"))->upsert(CallContext{}, points).ok());
  const auto gone = cluster.id(2);
  REQUIRE(eventually([&] {
    const auto condition = cluster.home(0)->detector().condition(gone);
    return condition && condition->state == "active";
  }));
  CHECK_FALSE(cluster.is_down(0, gone));
  CHECK(cluster.home(0)->detector().liveness(*cluster.view(0)).down.empty());
  cluster.stop(2);
  for (std::size_t i = 0; i < 2; ++i) {
    REQUIRE(eventually([&] { return cluster.is_down(i, gone); }));
    CHECK(cluster.home(i)->detector().liveness(*cluster.view(i)).down == std::set<NodeId>{gone});
    CHECK(eventually([&] { return !cluster.view(i)->find_node(gone)->alive; }));
  }
  const auto collection = *cluster.node(0).find("pond");
  auto query = query_of(points[0].vector, 10);
  const auto whole = collection->search(CallContext{}, query);
  REQUIRE_FALSE(whole.ok());
  CHECK(whole.error().code == ErrorCode::Unavailable);
  CHECK(contains(whole.error(), cluster.address(2)));
  CHECK(contains(whole.error(), "it is down"));
  query.allow_partial = true;
  const auto part = collection->search(CallContext{}, query);
  REQUIRE(part.ok());
  std::set<std::uint32_t> missing;
  for (const auto& shard : part->missing) missing.insert(shard.shard);
  std::set<std::uint32_t> owned;
  const auto& shards = cluster.view(0)->find_collection("pond")->shards;
  for (std::uint32_t i = 0; i < shards.size(); ++i) {
    if (*shards[i].primary_node() == gone) owned.insert(i);
  }
  CHECK(missing == owned);
  CHECK_FALSE(part->hits.empty());
  // It gets nothing new meanwhile.
  REQUIRE(cluster.node(0).create(CallContext{}, spec_of("other", 4)).ok());
  for (const auto& shard : cluster.view(0)->find_collection("other")->shards) {
    CHECK(*shard.primary_node() != gone);
  }

  cluster.start(2);
  CHECK(cluster.id(2) == gone);
  REQUIRE(eventually([&] { return !cluster.is_down(0, gone) && !cluster.is_down(1, gone); }));
  for (std::size_t i = 0; i < 3; ++i) {
    const auto answer =
        (*cluster.node(i).find("pond"))->search(CallContext{}, query_of(points[0].vector, 10));
    REQUIRE(answer.ok());
    CHECK(ids_of(*answer) == nearest(points, points[0].vector, 10));
  }
}

TEST_CASE("ClusterNode: reads and writes go on without etcd", "[cluster][node]") {
  NodeCluster cluster(2);
  cluster.start_all();
  const auto points = random_points(50, 7);
  REQUIRE(cluster.node(0).create(CallContext{}, spec_of("pond", 4)).ok());
  REQUIRE(eventually([&] { return cluster.view(1)->find_collection("pond") != nullptr; }));
  SECTION("stopped") {
    cluster.etcd().pause(0);
  }
  SECTION("killed") {
    cluster.etcd().kill(0);
  }
  const auto collection = *cluster.node(1).find("pond");
  REQUIRE(collection->upsert(CallContext{}, points)->created == 50);
  CHECK(*(*cluster.node(0).find("pond"))->count(CallContext{}, std::nullopt) == 50);
  CallContext brief;
  brief.deadline = std::chrono::steady_clock::now() + std::chrono::seconds(3);
  const auto made = cluster.node(0).create(brief, spec_of("other", 1));
  REQUIRE_FALSE(made.ok());
  CHECK((made.error().code == ErrorCode::Unavailable ||
         made.error().code == ErrorCode::DeadlineExceeded));
  // Nobody is down: it is the store that is away.
  CHECK_FALSE(cluster.is_down(0, cluster.id(1)));
  cluster.etcd().kill(0);
  cluster.etcd().start(0);
  REQUIRE(
      eventually([&] { return cluster.node(1).create(CallContext{}, spec_of("late", 2)).ok(); }));
  CHECK(eventually([&] { return cluster.view(0)->find_collection("late") != nullptr; }));
  // The signs of life are there again.
  CHECK(eventually([&] {
    const auto view = cluster.view(0);
    return std::all_of(view->nodes.begin(), view->nodes.end(),
                       [](const auto& node) { return node.second.alive.has_value(); });
  }));
}

TEST_CASE("ClusterNode: before etcd is there it waits, and says so", "[cluster][node]") {
  NodeCluster cluster(1);
  cluster.etcd().kill(0);
  REQUIRE(cluster.begin(0).ok());
  REQUIRE(eventually([&] {
    const auto home = cluster.node(0).home();
    return !home.ok() && contains(home.error(), cluster.etcd().endpoint(0).substr(7));
  }));
  const auto listed = cluster.node(0).list();
  REQUIRE_FALSE(listed.ok());
  CHECK(listed.error().code == ErrorCode::Unavailable);
  CHECK_FALSE(cluster.refusal(0));
  cluster.etcd().start(0);
  CHECK(eventually([&] { return cluster.joined(0); }));
}

TEST_CASE("ClusterNode: a server that does not belong is refused and changes nothing",
          "[cluster][node]") {
  NodeCluster cluster(2);
  cluster.start(0);
  auto& options = cluster.settings(1).cluster;
  options.nodes = {cluster.address(0)};
  SECTION("another token") {
    options.token = "another token of the same length";
    const auto error = cluster.refused(1);
    CHECK(error.code == ErrorCode::PermissionDenied);
    CHECK(contains(error, "token"));
  }
  SECTION("another token, and nobody named to ask") {
    options.token = "another token of the same length";
    options.nodes.clear();
    CHECK(cluster.refused(1).code == ErrorCode::PermissionDenied);
  }
  SECTION("another cluster") {
    options.name = "lake";
    const auto error = cluster.refused(1);
    CHECK(error.code == ErrorCode::FailedPrecondition);
    CHECK(contains(error, "another cluster"));
  }
  SECTION("the label of another") {
    options.label = cluster.address(0);
    const auto error = cluster.refused(1);
    CHECK(error.code == ErrorCode::FailedPrecondition);
    CHECK(contains(error, "cluster.label"));
  }
  REQUIRE(cluster.home(0)->views().refresh(CallContext{}).ok());
  CHECK(cluster.view(0)->nodes.size() == 1);
  CHECK(cluster.view(0)->slots.slots.size() == 1);
  CHECK_FALSE(fs::exists(cluster.settings(1).data_dir / "CLUSTER"));
}

TEST_CASE("ClusterNode: a copied directory is no second server", "[cluster][node]") {
  NodeCluster cluster(2);
  cluster.start(0);
  fs::copy(cluster.settings(0).data_dir / "NODE", cluster.settings(1).data_dir / "NODE");
  fs::copy(cluster.settings(0).data_dir / "CLUSTER", cluster.settings(1).data_dir / "CLUSTER");
  const auto error = cluster.refused(1);
  CHECK(error.code == ErrorCode::FailedPrecondition);
  CHECK(contains(error, "another process is this server"));
  CHECK(contains(error, cluster.address(0)));
  REQUIRE(cluster.home(0)->views().refresh(CallContext{}).ok());
  CHECK(cluster.view(0)->find_node(cluster.id(0))->record.rpc_address == cluster.address(0));
}

TEST_CASE("ClusterNode: a wiped disk is no server of before", "[cluster][node]") {
  NodeCluster cluster(2);
  cluster.start_all();
  const auto before = cluster.id(1);
  cluster.stop(1);
  fs::remove(cluster.settings(1).data_dir / "NODE");
  fs::remove(cluster.settings(1).data_dir / "CLUSTER");
  const auto error = cluster.refused(1);
  CHECK(error.code == ErrorCode::FailedPrecondition);
  CHECK(contains(error, before.text));
  CHECK(contains(error, cluster.address(1)));
  // Once that one is removed, the address is free.
  auto record = cluster.view(0)->find_node(before)->record;
  record.state = NodeState::Removed;
  write_node(cluster, record);
  cluster.stop(1);
  cluster.start(1);
  CHECK(cluster.id(1) != before);
}

TEST_CASE("ClusterNode: a server that was removed does not come back", "[cluster][node]") {
  NodeCluster cluster(2);
  cluster.start_all();
  auto record = cluster.view(0)->find_node(cluster.id(1))->record;
  cluster.stop(1);
  record.state = NodeState::Removed;
  write_node(cluster, record);
  REQUIRE(eventually(
      [&] { return cluster.view(0)->find_node(record.id)->record.state == NodeState::Removed; }));
  const auto error = cluster.refused(1);
  CHECK(contains(error, "removed"));
  CHECK(eventually([&] { return !cluster.home(0)->detector().condition(record.id); }));
}

TEST_CASE("ClusterNode: a server that is removed while it runs serves no more", "[cluster][node]") {
  NodeCluster cluster(2);
  cluster.start_all();
  const auto first = cluster.home(0);
  const auto second = cluster.home(1);
  const auto to_first = *second->peers().client(*second->views().current(), cluster.id(0));
  const auto to_second = *first->peers().client(*first->views().current(), cluster.id(1));
  REQUIRE(to_first->status({}).ok());
  REQUIRE(to_second->status({}).ok());
  auto record = cluster.view(0)->find_node(cluster.id(1))->record;
  record.state = NodeState::Removed;
  write_node(cluster, record);
  // It finds out by itself, and those who run it are told.
  REQUIRE(eventually([&] { return cluster.refusal(1).has_value(); }));
  CHECK(cluster.refusal(1)->code == ErrorCode::FailedPrecondition);
  CHECK(contains(*cluster.refusal(1), "was removed from the cluster"));
  const auto listed = cluster.node(1).list();
  REQUIRE_FALSE(listed.ok());
  CHECK(listed.error().code == ErrorCode::FailedPrecondition);
  CHECK(contains(listed.error(), "was removed from the cluster"));
  CHECK_FALSE(cluster.node(1).create(CallContext{}, spec_of("pond", 2)).ok());
  REQUIRE(eventually([&] { return !first->member_service().admit(record.id.text).ok(); }));
  const auto asked = to_first->status({});
  REQUIRE_FALSE(asked.ok());
  CHECK(asked.error().code == ErrorCode::PermissionDenied);
  const auto told = to_second->status({});
  REQUIRE_FALSE(told.ok());
  CHECK(told.error().code == ErrorCode::FailedPrecondition);
  const auto way = first->peers().client(*first->views().current(), record.id);
  REQUIRE_FALSE(way.ok());
  CHECK(contains(way.error(), "was removed"));
}

TEST_CASE("ClusterNode: a server must be where it says it is", "[cluster][node]") {
  NodeCluster cluster(3);
  cluster.start(0);
  auto& options = cluster.settings(1).cluster;
  options.advertise_host = "127.0.0.2";
  // Of those who are asked before, or of those that the store names.
  if (GENERATE(true, false)) options.nodes = {cluster.address(0)};
  SECTION("nobody answers there") {
    const auto error = cluster.refused(1);
    CHECK(error.code == ErrorCode::FailedPrecondition);
    CHECK(contains(error, "cluster.advertise_host"));
    CHECK(contains(error, options.rpc_address()));
  }
  SECTION("another server answers there") {
    auto& other = cluster.settings(2).cluster;
    other.host = "127.0.0.2";
    other.port = options.port;
    other.endpoints = {"http://127.0.0.1:1"};
    REQUIRE(cluster.begin(2).ok());
    const auto error = cluster.refused(1);
    CHECK(error.code == ErrorCode::FailedPrecondition);
    CHECK(contains(error, "cluster.advertise_host"));
    CHECK(contains(error, "the server " + cluster.id(2).text + " answers there"));
  }
  REQUIRE(cluster.home(0)->views().refresh(CallContext{}).ok());
  CHECK(cluster.view(0)->nodes.size() == 1);
}

TEST_CASE("ClusterNode: its address, label, zone and weight may change", "[cluster][node]") {
  NodeCluster cluster(2);
  cluster.start_all();
  const auto id = cluster.id(1);
  cluster.stop(1);
  auto& options = cluster.settings(1).cluster;
  options.port = static_cast<std::uint16_t>(free_ports(1).front());
  options.label = "two";
  options.zone = "b";
  options.weight = 3;
  cluster.start(1);
  REQUIRE(eventually(
      [&] { return cluster.view(0)->find_node(id)->record.rpc_address == cluster.address(1); }));
  const auto record = cluster.view(0)->find_node(id)->record;
  CHECK(record.label == "two");
  CHECK(record.zone == "b");
  CHECK(record.weight == 3.0);
  CHECK(record.state == NodeState::Active);
  CHECK(cluster.view(0)->slots.slots.size() == 2);
  CHECK(eventually([&] { return !cluster.is_down(0, id); }));
}

TEST_CASE("ClusterNode: a directory is of one cluster, or of none", "[cluster][node]") {
  NodeCluster cluster(1);
  SECTION("the store has forgotten the cluster") {
    cluster.start(0);
    cluster.stop(0);
    EtcdCluster other({});
    cluster.settings(0).cluster.endpoints = other.endpoints();
    const auto error = cluster.refused(0);
    CHECK(error.code == ErrorCode::FailedPrecondition);
    CHECK(contains(error, "snapshot"));
  }
  SECTION("another name") {
    cluster.start(0);
    cluster.stop(0);
    cluster.settings(0).cluster.name = "lake";
    CHECK(contains(cluster.refused(0), "belongs to the cluster pond"));
  }
  SECTION("a server that was alone") {
    {
      const SystemClock clock;
      LocalCollections alone(cluster.settings(0).data_dir, {}, clock);
      REQUIRE(alone.create(CallContext{}, spec_of("pond", 1)).ok());
    }
    CHECK(contains(cluster.refused(0), "quiver cluster init"));
  }
  SECTION("a server of a cluster is not alone") {
    cluster.start(0);
    cluster.stop(0);
    const SystemClock clock;
    LocalCollections alone(cluster.settings(0).data_dir, {}, clock);
    const auto listed = alone.list();
    REQUIRE_FALSE(listed.ok());
    CHECK(listed.error().code == ErrorCode::FailedPrecondition);
  }
}

TEST_CASE("ClusterNode: the servers run their own etcd, and others learn of it from them",
          "[cluster][node]") {
  NodeCluster cluster(2);
  cluster.etcd().kill(0);
  std::vector<int> ports = free_ports(2);
  auto& first = cluster.settings(0).cluster;
  first.coordination = "managed";
  first.endpoints.clear();
  first.nodes = {first.rpc_address()};
  first.etcd_client_port = static_cast<std::uint16_t>(ports[0]);
  first.etcd_peer_port = static_cast<std::uint16_t>(ports[1]);
  auto& second = cluster.settings(1).cluster;
  second.coordination = "managed";
  second.endpoints.clear();
  SECTION("by a list") {
    second.nodes = {first.rpc_address()};
  }
  SECTION("by a name") {
    second.discovery = "dns";
    second.dns_name = "localhost:" + std::to_string(first.port);
  }
  // It waits for the one that it is to ask.
  REQUIRE(cluster.begin(1).ok());
  CHECK(cluster.node(1).etcd_pid() == -1);
  cluster.start(0);
  CHECK(cluster.node(0).etcd_pid() > 0);
  REQUIRE(eventually([&] { return cluster.joined(1); }));
  CHECK(eventually([&] { return cluster.view(0)->nodes.size() == 2; }));
  cluster.stop(1);
}

TEST_CASE("ClusterNode: a server that was alone moves in with its data", "[cluster][node]") {
  NodeCluster cluster(1);
  const auto points = random_points(60, 9);
  const SystemClock clock;
  const auto& dir = cluster.settings(0).data_dir;
  {
    LocalCollections alone(dir, {}, clock);
    const auto made = alone.create(CallContext{}, spec_of("pond", 3));
    REQUIRE(made.ok());
    REQUIRE(made->collection->upsert(CallContext{}, points).ok());
    REQUIRE(alone.create(CallContext{}, spec_of("other", 120)).ok());
  }
  EtcdOptions options = cluster.etcd().store_options();
  options.prefix = "/quiver/pond/";
  const auto store = std::move(EtcdStore::make(cluster.etcd().http(), options)).value();
  const bool crashes = GENERATE(false, true);
  if (crashes) {
    // Founds the cluster, copies a part, and ends.
    DyingStore dying(*store, 2);
    REQUIRE_FALSE(move_in(CallContext{}, dir, dying, clock, "pond").ok());
    CHECK((*MembershipFile::read(dir))->is_moving_in);
    LocalCollections alone(dir, {}, clock);
    CHECK_FALSE(alone.list().ok());
    CHECK(contains(cluster.refused(0), "quiver cluster init"));
  }
  if (crashes) CHECK_FALSE(move_in(CallContext{}, dir, *store, clock, "lake").ok());
  const auto moved = move_in(CallContext{}, dir, *store, clock, "pond");
  INFO((moved.ok() ? "" : moved.error().message));
  REQUIRE(moved.ok());
  // Each collection, its name, and its shards.
  CHECK(moved->copied + moved->present == 2 * 2 + 123);
  CHECK((moved->present > 0) == crashes);
  CHECK(move_in(CallContext{}, dir, *store, clock, "pond")->copied == 0);
  cluster.start(0);
  const auto collection = cluster.node(0).find("pond");
  REQUIRE(collection.ok());
  const auto answer = (*collection)->search(CallContext{}, query_of(points[0].vector, 10));
  REQUIRE(answer.ok());
  CHECK(ids_of(*answer) == nearest(points, points[0].vector, 10));
  CHECK(cluster.node(0).list()->size() == 2);
}

TEST_CASE("ClusterNode: no more copies stay open than were allowed", "[cluster][node]") {
  NodeCluster cluster(1);
  cluster.settings(0).storage.open_shards = 2;
  cluster.start(0);
  REQUIRE(cluster.node(0).create(CallContext{}, spec_of("pond", 6)).ok());
  const auto collection = *cluster.node(0).find("pond");
  REQUIRE(collection->upsert(CallContext{}, random_points(60, 4)).ok());
  auto& host = cluster.home(0)->host();
  REQUIRE(eventually([&] { return host.open_copies() <= 2; }));
  const auto points_of = [&](const thrift::NodeStatus& status) {
    std::uint64_t points = 0;
    for (const auto& shard : status.shards) points += shard.counts.points;
    return points;
  };
  const auto remembered = cluster.home(0)->member_service().status({});
  REQUIRE(remembered.ok());
  CHECK(points_of(*remembered.result) == 60);
  CHECK(host.open_copies() <= 2);
  cluster.stop(0);
  cluster.start(0);
  const auto unknown = cluster.home(0)->member_service().status({});
  REQUIRE(unknown.ok());
  REQUIRE(unknown.result->shards.size() == 6);
  for (const auto& shard : unknown.result->shards) CHECK(shard.state == "unknown");
  CHECK(cluster.home(0)->host().open_copies() == 0);
  CHECK(*(*cluster.node(0).find("pond"))->count(CallContext{}, std::nullopt) == 60);
  const auto counted = cluster.home(0)->member_service().status({});
  for (const auto& shard : counted.result->shards) CHECK(shard.state == "active");
  CHECK(points_of(*counted.result) == 60);
}

TEST_CASE("ClusterNode: what a server says of itself", "[cluster][node]") {
  NodeCluster cluster(2);
  cluster.start_all();
  REQUIRE(cluster.node(0).create(CallContext{}, spec_of("pond", 4)).ok());
  REQUIRE((*cluster.node(0).find("pond"))->upsert(CallContext{}, random_points(40, 3)).ok());
  REQUIRE(eventually([&] { return cluster.view(0)->nodes.size() == 2; }));
  const auto client = cluster.home(0)->peers().client(*cluster.view(0), cluster.id(1));
  REQUIRE(client.ok());
  auto status = (*client)->status({});
  REQUIRE(status.ok());
  CHECK(status->node == cluster.node(1).self());
  CHECK(status->state == "active");
  CHECK(status->memory_bytes > 0);
  CHECK(status->disk_bytes_total >= status->disk_bytes_free);
  std::uint64_t points = 0;
  for (const auto& shard : status->shards) points += shard.counts.points;
  CHECK(status->shards.size() == 2);
  const auto own = cluster.home(0)->member_service().status({});
  REQUIRE(own.ok());
  for (const auto& shard : own.result->shards) points += shard.counts.points;
  CHECK(points == 40);
  // What there is nothing for yet is refused in words.
  auto move = (*client)->begin_checkpoint({});
  REQUIRE_FALSE(move.ok());
}

}  // namespace quiver::cluster
