#pragma once

// Two hosts of copies in one process, on a real store of records and real storage.

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/coordination/embedded_store.h"
#include "cluster/replication/copy_host.h"
#include "cluster/view/keys.h"
#include "tests/cluster/copies_world.h"
#include "tests/cluster/failing_shard.h"
#include "tests/cluster/silent_node.h"

namespace quiver::cluster::replication::test {

inline constexpr std::size_t kServers = 2;

inline CollectionSpec twin_spec() {
  auto spec = line_spec();
  spec.name = "twins";
  spec.shard_count = 1;
  spec.replication_factor = kServers;
  return spec;
}

inline NodeId node_of(std::size_t i) {
  return {std::string(31, '0') + static_cast<char>('1' + i)};
}
inline CopyId copy_of(std::size_t i) {
  return {std::string(32, static_cast<char>('b' + i))};
}
inline storage::ShardPlace place_of(std::size_t i) {
  return {twin_spec().id, ShardId{0}, copy_of(i)};
}
inline thrift::CopyName name_of(std::size_t i) {
  return {twin_spec().id, ShardId{0}, copy_of(i)};
}

/// The calls of one server to the host of another.
class HostCalls final : public cluster::testing::SilentNode {
 public:
  HostCalls(CopyHost& host, NodeId caller, const std::atomic<bool>& keeps_quiet)
      : host_(host), caller_(std::move(caller)), keeps_quiet_(keeps_quiet) {}

  Reply<std::vector<thrift::RefusedParcel>> deliver(
      const NodeCall& call, std::vector<thrift::CopyParcel> parcels) override {
    const auto exchange = host_.exchange();
    if (exchange == nullptr) return silence();
    auto from = call;
    from.caller = caller_.text;
    return exchange->deliver(from, std::move(parcels));
  }
  Reply<ContentSums> content_sums(const ShardCall& call) override {
    if (keeps_quiet_) return silence();
    return host_.content_sums(call.context, {call.collection, call.shard, call.copy});
  }

 private:
  CopyHost& host_;
  const NodeId caller_;
  /// About what it holds.
  const std::atomic<bool>& keeps_quiet_;
};

struct Server {
  DiskOrders disk;
  std::atomic<bool> keeps_quiet{false};
  std::unique_ptr<storage::ShardStore> shards;
  std::unique_ptr<CopyHost> host;
};

class Hosts {
  TempDir dir_;
  ManualClock clock_;
  std::unique_ptr<EmbeddedStore> store_;
  const CopyAudit::Options audit_;

 public:
  explicit Hosts(const CopyAudit::Options& audit = {}) : audit_(audit) {
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
    options.audit = audit_;
    const auto peer = [this, i](const NodeId& to) -> Result<std::shared_ptr<thrift::NodeHandler>> {
      for (std::size_t other = 0; other < kServers; ++other) {
        if (node_of(other) != to) continue;
        return std::shared_ptr<thrift::NodeHandler>(
            std::make_shared<HostCalls>(host(other), node_of(i), servers.at(other).keeps_quiet));
      }
      return Error{ErrorCode::Unavailable, "there is no such server"};
    };
    server.host = std::make_unique<CopyHost>(
        CopyHost::Parts{*store_, *views, *server.shards, clock_, node_of(i), peer,
                        dir_.path() / ("outgoing" + std::to_string(i)), obeying(server.disk)},
        options);
  }
};

}  // namespace quiver::cluster::replication::test
