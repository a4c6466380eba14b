// Two hosts of copies in one process, on a real store of records and real storage: what they open,
// make, remove and give up as the records change, disks fail and callers hold on.

#include "cluster/replication/copy_host.h"

#include <future>

#include "cluster/coordination/embedded_store.h"
#include "cluster/view/keys.h"
#include "tests/cluster/copies_world.h"
#include "tests/cluster/failing_shard.h"
#include "tests/cluster/silent_node.h"

namespace quiver::cluster::replication::test {
namespace {

constexpr std::size_t kServers = 2;

CollectionSpec twin_spec() {
  auto spec = line_spec();
  spec.name = "twins";
  spec.shard_count = 1;
  spec.replication_factor = kServers;
  return spec;
}

NodeId node_of(std::size_t i) {
  return {std::string(31, '0') + static_cast<char>('1' + i)};
}
CopyId copy_of(std::size_t i) {
  return {std::string(32, static_cast<char>('b' + i))};
}
storage::ShardPlace place_of(std::size_t i) {
  return {twin_spec().id, ShardId{0}, copy_of(i)};
}
thrift::CopyName name_of(std::size_t i) {
  return {twin_spec().id, ShardId{0}, copy_of(i)};
}

/// The calls of one server to the host of another.
class HostCalls final : public cluster::testing::SilentNode {
 public:
  HostCalls(CopyHost& host, NodeId caller) : host_(host), caller_(std::move(caller)) {}

  Reply<std::vector<thrift::RefusedParcel>> deliver(
      const NodeCall& call, std::vector<thrift::CopyParcel> parcels) override {
    const auto exchange = host_.exchange();
    if (exchange == nullptr) return silence();
    auto from = call;
    from.caller = caller_.text;
    return exchange->deliver(from, std::move(parcels));
  }

 private:
  CopyHost& host_;
  const NodeId caller_;
};

struct Server {
  DiskOrders disk;
  std::unique_ptr<storage::ShardStore> shards;
  std::unique_ptr<CopyHost> host;
};

class Hosts {
  TempDir dir_;
  ManualClock clock_;
  std::unique_ptr<EmbeddedStore> store_;

 public:
  Hosts() {
    auto opened = EmbeddedStore::open(dir_.path() / "meta");
    REQUIRE(opened.ok());
    store_ = std::move(*opened);
    for (std::size_t i = 0; i < kServers; ++i) {
      NodeRecord record;
      record.id = node_of(i);
      record.label = "n" + std::to_string(i);
      record.state = NodeState::Active;
      put(keys::node(record.id), record.to_json());
      put(keys::alive(record.id), AliveRecord{std::string(32, 'e'), 1, "127.0.0.1:1"}.to_json());
    }
    auto source = ViewSource::open(*store_, {});
    REQUIRE(source.ok());
    views = std::move(*source);
    for (std::size_t i = 0; i < kServers; ++i) open(i);
    views->on_change([this] {
      for (auto& server : servers) server.host->changed();
    });
  }
  ~Hosts() {
    views->on_change({});
    for (auto& server : servers) server.host->close();
  }

  CopyHost& host(std::size_t i) { return *servers.at(i).host; }
  void start() {
    for (auto& server : servers) REQUIRE(server.host->start().ok());
  }
  /// As the catalogue does: the copies first, then the records.
  void found() {
    make();
    name(both());
  }
  void make() {
    for (std::size_t i = 0; i < kServers; ++i) {
      const auto made = host(i).make(twin_spec(), ShardId{0}, copy_of(i));
      INFO(error_of(made));
      REQUIRE(made.ok());
    }
  }
  void name(const ShardState& state) {
    put(state);
    put(keys::spec(twin_spec().id), twin_spec().to_json());
    put(keys::name(twin_spec().name), Json(twin_spec().id));
  }
  static ShardState both() {
    ShardState state;
    state.primary = copy_of(0);
    for (std::size_t i = 0; i < kServers; ++i) {
      state.copies[copy_of(i)] = {node_of(i), CopyState::Active};
      state.in_sync.push_back(copy_of(i));
    }
    return state;
  }
  void put(const ShardState& state) {
    put(keys::shard(twin_spec().id, ShardId{0}), state.to_json());
  }
  ShardState record() {
    const auto entry = store_->get({}, keys::shard(twin_spec().id, ShardId{0}));
    REQUIRE(entry.ok());
    return ShardState::from_json(Json::parse((*entry)->value)).value();
  }
  void put(const std::string& key, const Json& value) {
    const auto written =
        store_->txn({}, {}, {{key, value.is_string() ? value.get<std::string>() : value.dump()}});
    REQUIRE(written.ok());
    if (views) REQUIRE(views->await({}, written->revision).ok());
  }

  void remove(const std::string& key) {
    const auto gone = store_->txn({}, {}, {{key, std::nullopt}});
    REQUIRE(gone.ok());
    REQUIRE(views->await({}, gone->revision).ok());
  }

  bool is_open(std::size_t i) { return host(i).find(place_of(i)).ok(); }
  bool serves(std::size_t i) {
    const auto copy = host(i).find(place_of(i));
    return copy.ok() && (*copy)->status().serving;
  }
  Result<Written> write(std::size_t i, std::uint64_t id) {
    QV_TRY(const auto copy, host(i).find(place_of(i)));
    CallContext call;
    call.request_id = RequestId::random();
    call.deadline = std::chrono::steady_clock::now() + 20s;
    return copy->write_at(call, test::put(id, static_cast<double>(id)));
  }
  std::filesystem::path directory(std::size_t i) const {
    return shards_of(i) / twin_spec().id / ("0." + copy_of(i).text);
  }
  thrift::CopyPosition position(std::size_t i) {
    const auto known = host(i).positions(std::vector{name_of(i)});
    INFO(error_of(known));
    REQUIRE(known.ok());
    REQUIRE(known->size() == 1);
    return known->front();
  }
  bool is_absent(std::size_t i) {
    const auto known = host(i).positions(std::vector{name_of(i)});
    return known.ok() && known->front().condition == thrift::CopyCondition::Absent;
  }
  template <typename Condition>
  static bool eventually(Condition condition) {
    return CopiesWorld::eventually(condition);
  }

  std::unique_ptr<ViewSource> views;
  std::array<Server, kServers> servers;

 private:
  std::filesystem::path shards_of(std::size_t i) const {
    return dir_.path() / ("shards" + std::to_string(i));
  }
  void open(std::size_t i) {
    auto& server = servers.at(i);
    server.shards = std::make_unique<storage::ShardStore>(shards_of(i), storage::Options{}, clock_);
    CopyHost::Options options;
    options.copy = quick();
    options.reopen_after = 50ms;
    const auto peer = [this, i](const NodeId& to) -> Result<std::shared_ptr<thrift::NodeHandler>> {
      for (std::size_t other = 0; other < kServers; ++other) {
        if (node_of(other) != to) continue;
        return std::shared_ptr<thrift::NodeHandler>(
            std::make_shared<HostCalls>(host(other), node_of(i)));
      }
      return Error{ErrorCode::Unavailable, "there is no such server"};
    };
    server.host = std::make_unique<CopyHost>(
        CopyHost::Parts{*store_, *views, *server.shards, clock_, node_of(i), peer,
                        dir_.path() / ("outgoing" + std::to_string(i)), obeying(server.disk)},
        options);
  }
};

TEST_CASE("copy host: opens what the records name, and what is written reaches the other",
          "[replication]") {
  Hosts hosts;
  CHECK(hosts.host(0).make(twin_spec(), ShardId{0}, copy_of(0)).error().code ==
        ErrorCode::Unavailable);
  CHECK(hosts.host(0).positions(std::vector{name_of(0)}).error().code == ErrorCode::Unavailable);
  hosts.start();
  hosts.found();
  REQUIRE(hosts.eventually([&] { return hosts.serves(0) && hosts.is_open(1); }));
  CHECK(hosts.write(0, 7).ok());
  CHECK(hosts.write(1, 8).error().code == ErrorCode::WrongOwner);
  REQUIRE(hosts.eventually([&] { return raw(hosts.position(1).applied) == 1; }));
  const auto known = hosts.host(1).known(place_of(1));
  REQUIRE(known);
  CHECK(known->stats.points == 1);
  CHECK(hosts.position(0).serves);
  CHECK(hosts.position(1).hears);
  // Of one that is open, and a second time, nothing.
  CHECK(hosts.host(0).make(twin_spec(), ShardId{0}, copy_of(0)).ok());
  CHECK(hosts.host(0).start().ok());
  CHECK(hosts.is_open(0));
  // Of a copy that is elsewhere it says so.
  CHECK(hosts.host(0).find(place_of(1)).error().code == ErrorCode::WrongOwner);
  const auto elsewhere = hosts.host(0).positions(std::vector{name_of(1)});
  REQUIRE(elsewhere.ok());
  CHECK(elsewhere->front().condition == thrift::CopyCondition::Absent);
}

TEST_CASE("copy host: a copy that the record no longer names goes with its files",
          "[replication]") {
  Hosts hosts;
  hosts.start();
  hosts.found();
  REQUIRE(hosts.eventually([&] { return hosts.serves(0) && hosts.is_open(1); }));
  auto alone = hosts.record();
  alone.copies.erase(copy_of(1));
  alone.in_sync = {copy_of(0)};
  ++alone.epoch;
  hosts.put(alone);
  REQUIRE(hosts.eventually([&] { return hosts.is_absent(1); }));
  CHECK(hosts.host(1).find(place_of(1)).error().code == ErrorCode::WrongOwner);
  CHECK_FALSE(std::filesystem::exists(hosts.directory(1)));
  CHECK(std::filesystem::exists(hosts.directory(0)));
}

TEST_CASE("copy host: a new copy is made; of one that others count on no empty one is",
          "[replication]") {
  Hosts hosts;
  hosts.start();
  REQUIRE(hosts.host(0).make(twin_spec(), ShardId{0}, copy_of(0)).ok());
  auto state = Hosts::both();
  SECTION("new") {
    state.in_sync = {copy_of(0)};
    state.copies[copy_of(1)].state = CopyState::New;
  }
  SECTION("in sync") {}
  const bool fresh = state.in_sync.size() == 1;
  hosts.name(state);
  REQUIRE(hosts.eventually([&] { return hosts.is_open(0); }));
  if (fresh) {
    // Made, opened, filled and let in.
    CHECK(hosts.eventually([&] { return hosts.record().in_sync.size() == 2; }));
    CHECK(hosts.is_open(1));
    return;
  }
  CHECK(hosts.eventually([&] { return hosts.is_absent(1); }));
  CHECK_FALSE(std::filesystem::exists(hosts.directory(1)));
}

TEST_CASE("copy host: a copy whose disk failed is opened anew", "[replication]") {
  Hosts hosts;
  hosts.start();
  hosts.found();
  REQUIRE(hosts.eventually([&] { return hosts.serves(0) && hosts.is_open(1); }));
  REQUIRE(hosts.write(0, 1).ok());
  const auto before = hosts.host(1).find(place_of(1)).value()->status().durable;
  REQUIRE(hosts.eventually([&] { return hosts.record().in_sync.size() == 2; }));
  hosts.servers[1].disk.fails_to_append = true;
  const auto written = hosts.write(0, 2);
  INFO(error_of(written));
  CHECK(written.ok());
  CHECK(hosts.record().in_sync == std::vector{copy_of(0)});
  hosts.servers[1].disk.fails_to_append = false;
  CHECK(hosts.eventually([&] { return hosts.record().in_sync.size() == 2; }));
  CHECK(hosts.host(1).find(place_of(1)).value()->status().durable.seq > before.seq);
}

TEST_CASE("copy host: what could not be opened is tried again, and says why meanwhile",
          "[replication]") {
  Hosts hosts;
  hosts.start();
  hosts.make();
  const auto file = hosts.directory(1) / "REPLICA";
  const auto aside = hosts.directory(1).parent_path().parent_path() / "aside";
  std::filesystem::rename(file, aside);
  hosts.name(Hosts::both());
  REQUIRE(hosts.eventually([&] {
    const auto found = hosts.host(1).find(place_of(1));
    return error_of(found).find("REPLICA is missing") != std::string::npos;
  }));
  CHECK(hosts.host(1).find(place_of(1)).error().code == ErrorCode::Unavailable);
  CHECK(hosts.position(1).condition == thrift::CopyCondition::Failed);
  CHECK_FALSE(hosts.host(1).known(place_of(1)));
  // It is in the record: what is left of it stays.
  CHECK(std::filesystem::exists(hosts.directory(1)));
  std::filesystem::rename(aside, file);
  CHECK(hosts.eventually([&] { return hosts.is_open(1); }));
}

TEST_CASE("copy host: who resigns leaves the role to a copy in sync whose server is up",
          "[replication]") {
  Hosts hosts;
  hosts.start();
  hosts.found();
  REQUIRE(hosts.eventually([&] { return hosts.serves(0) && hosts.is_open(1); }));
  REQUIRE(hosts.write(0, 1).ok());
  SECTION("there is one") {
    hosts.host(0).resign(20s);
    CHECK(hosts.record().primary == copy_of(1));
    CHECK(hosts.eventually([&] { return hosts.serves(1); }));
    CHECK(hosts.write(1, 2).ok());
    // It leads nothing any more.
    hosts.host(0).resign(20s);
    CHECK(hosts.record().primary == copy_of(1));
  }
  SECTION("it is down") {
    hosts.remove(keys::alive(node_of(1)));
    hosts.host(0).resign(std::chrono::hours(1));
    CHECK(hosts.record().primary == copy_of(0));
    CHECK(hosts.write(0, 2).ok());
  }
}

TEST_CASE("copy host: waits for those who hold a copy when it ends", "[replication]") {
  Hosts hosts;
  hosts.start();
  hosts.found();
  REQUIRE(hosts.eventually([&] { return hosts.serves(0) && hosts.is_open(1); }));
  auto held = hosts.host(0).find(place_of(0)).value();
  std::atomic<bool> over{false};
  std::promise<void> writing;
  // Nobody else answers it any more: it waits until its host ends.
  hosts.host(1).close();
  std::thread writer([&] {
    CallContext call;
    call.request_id = RequestId::random();
    writing.set_value();
    auto mine = hosts.host(0).find(place_of(0));
    while (mine.ok() && (*mine)->write_at(call, put(1, 1)).ok()) mine = hosts.host(0).find({});
  });
  writing.get_future().wait();
  std::thread closer([&] {
    hosts.host(0).close();
    over = true;
  });
  REQUIRE(hosts.eventually([&] { return !hosts.host(0).find(place_of(0)).ok(); }));
  CHECK(hosts.host(0).find(place_of(0)).error().code == ErrorCode::Unavailable);
  CHECK(hosts.eventually([&] { return !held->status().serving; }));
  CHECK_FALSE(over);
  held.reset();
  closer.join();
  writer.join();
  CHECK(hosts.host(0).make(twin_spec(), ShardId{0}, copy_of(0)).error().code ==
        ErrorCode::Unavailable);
  CHECK(hosts.host(0).start().ok());
}

TEST_CASE("copy host: of a collection that is forgotten nothing stays open or is opened",
          "[replication]") {
  Hosts hosts;
  hosts.start();
  hosts.found();
  REQUIRE(hosts.eventually([&] { return hosts.serves(0) && hosts.is_open(1); }));
  hosts.host(1).forget_collection(twin_spec().id);
  CHECK(hosts.host(1).find(place_of(1)).error().code == ErrorCode::WrongOwner);
  // Its files may be removed, though the view still has it.
  CHECK(hosts.servers[1].shards->bury_collection(twin_spec().id).ok());
  hosts.host(1).changed();
  REQUIRE(hosts.write(0, 1).ok());
  CHECK_FALSE(hosts.is_open(1));
  CHECK(hosts.position(1).condition == thrift::CopyCondition::Absent);
  CHECK(hosts.host(1).make(twin_spec(), ShardId{0}, copy_of(1)).error().code ==
        ErrorCode::Unavailable);
}

TEST_CASE("copy host: passes orders to the copies that are here", "[replication]") {
  Hosts hosts;
  hosts.start();
  hosts.found();
  REQUIRE(hosts.eventually([&] { return hosts.serves(0) && hosts.is_open(1); }));
  using Kind = thrift::PrimaryOrder::Kind;
  CHECK(hosts.host(0).direct(name_of(1), {Kind::Drop, copy_of(0)}).error().code ==
        ErrorCode::NotFound);
  REQUIRE(hosts.host(0).direct(name_of(0), {Kind::HandOff, copy_of(1)}).ok());
  REQUIRE(hosts.eventually([&] { return hosts.serves(1); }));
  REQUIRE(hosts.host(1).direct(name_of(1), {Kind::Drop, copy_of(0)}).ok());
  CHECK(hosts.eventually([&] { return !std::filesystem::exists(hosts.directory(0)); }));
}

}  // namespace
}  // namespace quiver::cluster::replication::test
