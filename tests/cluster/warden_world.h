#pragma once

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cluster/admin/controller.h"
#include "cluster/admin/node_admin.h"
#include "tests/cluster/copy_servers.h"

// A cluster whose servers do at once what the rules of replication let them do, and whose records
// are in a real store. Time passes by rounds.
namespace quiver::cluster::testing {

using namespace std::chrono_literals;

inline CallContext soon() {
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + 20s;
  return call;
}

/// Has the copies that the records say, and carries out what its primaries are asked for.
class ActingServer final : public CopyServer {
 public:
  explicit ActingServer(CoordinationStore& store) : store_(store) {}

  Reply<std::vector<thrift::CopyPosition>> copy_positions(
      const NodeCall&, const std::vector<thrift::CopyName>& copies) override {
    if (silent) return Error{ErrorCode::Unavailable, "no answer"};
    ++asked;
    thrift::CopyPosition works;
    works.seen = Term{1};
    works.last = {Term{1}, Seq{10}};
    works.bytes_fetched = bytes_fetched;
    works.bytes_total = bytes_total;
    return std::vector<thrift::CopyPosition>(copies.size(), works);
  }
  Answered direct(const ShardCall& call, const thrift::PrimaryOrder& order) override {
    if (silent) return Error{ErrorCode::Unavailable, "no answer"};
    const auto key = keys::shard(call.collection, call.shard);
    const auto entry = store_.get({}, key).value();
    auto state = ShardState::from_json(Json::parse(entry->value)).value();
    if (state.primary != call.copy || state.term != call.term) return Done{};
    if (order.kind == thrift::PrimaryOrder::Kind::HandOff) {
      state.primary = order.copy;
      state.term = Term{raw(state.term) + 1};
    } else {
      std::erase(state.in_sync, order.copy);
      state.copies.erase(order.copy);
    }
    ++state.epoch;
    QV_CHECK(store_.txn({}, {{key, entry->revision}}, {{key, state.to_json().dump()}}));
    return Done{};
  }

  std::atomic<bool> silent{false};
  std::atomic<int> asked{0};
  std::atomic<std::uint64_t> bytes_fetched{0};
  std::atomic<std::uint64_t> bytes_total{0};

 private:
  CoordinationStore& store_;
};

/// Servers 0, 1... in order; the collection "docs", and for each of its shards the servers that
/// have a copy, the primary's first.
class WardenWorld {
 public:
  WardenWorld(std::size_t count, std::uint32_t copies,
              const std::vector<std::vector<std::size_t>>& shards)
      : copies_(copies) {
    inner = EmbeddedStore::open(dir_.path() / "meta").value();
    store = std::make_unique<HookedStore>(*inner);
    for (std::size_t i = 0; i < count; ++i) add_node();
    write(keys::kSlots, slots_.to_json());
    CollectionSpec spec;
    spec.id = kCollection;
    spec.name = "docs";
    spec.dimension = 4;
    spec.shard_count = static_cast<std::uint32_t>(shards.size());
    spec.replication_factor = copies;
    write(keys::spec(spec.id), spec.to_json());
    write(keys::name(spec.name), Json(spec.id));
    for (std::uint32_t i = 0; i < shards.size(); ++i) {
      ShardState state;
      for (const auto server : shards[i]) {
        const CopyId copy{RequestId::random().hex()};
        if (state.primary.empty()) state.primary = copy;
        state.copies[copy] = {node(server), CopyState::Active};
        state.in_sync.push_back(copy);
      }
      std::sort(state.in_sync.begin(), state.in_sync.end());
      put(i, state);
    }
    shard_count_ = static_cast<std::uint32_t>(shards.size());
    views = ViewSource::open(*store, {}).value();
    thrift::SecurityOptions security;
    security.token = "a token that is long enough";
    peers =
        std::make_unique<Peers>(thrift::LocalNode{"test", {node(0).text, 1, "0.1.0"}},
                                thrift::Security::make(security).value(), thrift::ClientOptions{});
    controller = make(0, {});
    admin =
        std::make_unique<NodeAdmin>(NodeAdmin::Parts{*store,
                                                     *views,
                                                     *peers,
                                                     fan_out,
                                                     *controller,
                                                     clock,
                                                     [this](const ClusterView&) { return seen(); },
                                                     reach(),
                                                     {}},
                                    NodeAdmin::Options{});
  }
  ~WardenWorld() {
    if (controller) controller->stop();
  }

  static NodeId node(std::size_t number) {
    return {std::string(31, '0') + static_cast<char>('a' + number)};
  }
  static std::string label(std::size_t number) { return "n" + std::to_string(number); }
  void add_node() {
    const auto number = servers.size();
    NodeRecord record;
    record.id = node(number);
    record.label = label(number);
    record.state = NodeState::Active;
    servers[record.id] = std::make_shared<ActingServer>(*inner);
    write(keys::node(record.id), record.to_json());
    slots_ = with_slot(slots_, record.id).value();
    if (views) write(keys::kSlots, slots_.to_json());
  }
  /// One more that looks after the cluster, at a server.
  std::unique_ptr<Controller> make(std::size_t at, Controller::Options options) {
    return std::make_unique<Controller>(
        Controller::Parts{*store, *views, clock, [this](const ClusterView&) { return seen(); },
                          fan_out, reach()},
        node(at), options);
  }
  ReachNode reach() {
    return [this](const ClusterView&,
                  const NodeId& id) -> Result<std::shared_ptr<thrift::NodeHandler>> {
      return std::shared_ptr<thrift::NodeHandler>(servers.at(id));
    };
  }
  Liveness seen() {
    ++looks;
    Liveness out;
    for (const auto& [id, server] : servers) {
      if (server->silent) out.down.insert(id);
    }
    return out;
  }
  void down(std::size_t number) { servers.at(node(number))->silent = true; }
  void up(std::size_t number) { servers.at(node(number))->silent = false; }

  ShardState state(std::uint32_t shard = 0) {
    const auto entry = inner->get({}, keys::shard(kCollection, ShardId{shard})).value();
    return ShardState::from_json(Json::parse(entry->value)).value();
  }
  void put(std::uint32_t shard, const ShardState& state) {
    write(keys::shard(kCollection, ShardId{shard}), state.to_json());
  }
  void write(std::string_view key, const Json& value) {
    const auto text = value.is_string() ? value.get<std::string>() : value.dump();
    const auto written = inner->txn({}, {}, {{std::string(key), text}}).value();
    if (views) REQUIRE(views->await(soon(), written.revision).ok());
  }
  void set_state(std::size_t number, NodeState state) {
    auto record = views->current()->nodes.at(node(number)).record;
    record.state = state;
    write(keys::node(record.id), record.to_json());
  }
  NodeState state_of(std::size_t number) {
    const auto entry = inner->get({}, keys::node(node(number))).value();
    return NodeRecord::from_json(Json::parse(entry->value)).value().state;
  }

  /// By shard: on which servers its copies are, the primary's first.
  std::vector<std::size_t> places(std::uint32_t shard = 0) {
    const auto now = state(shard);
    std::vector<std::size_t> out;
    for (const auto& [copy, place] : now.copies) {
      const auto number = static_cast<std::size_t>(place.node.text.back() - 'a');
      out.insert(copy == now.primary ? out.begin() : out.end(), number);
    }
    std::sort(out.begin() + 1, out.end());
    return out;
  }
  std::vector<std::size_t> held() {
    std::vector<std::size_t> out(servers.size(), 0);
    for (std::uint32_t i = 0; i < shard_count_; ++i) {
      for (const auto at : places(i)) ++out[at];
    }
    return out;
  }
  std::vector<std::size_t> led() {
    std::vector<std::size_t> out(servers.size(), 0);
    for (std::uint32_t i = 0; i < shard_count_; ++i) ++out[places(i).front()];
    return out;
  }
  bool is_whole(std::uint32_t shard) {
    const auto now = state(shard);
    return now.copies.size() == copies_ && now.in_sync.size() == copies_;
  }
  bool is_whole() {
    for (std::uint32_t i = 0; i < shard_count_; ++i) {
      if (!is_whole(i)) return false;
    }
    return true;
  }

  /// What primaries do by themselves: they take silent copies out of sync, and fill new ones.
  void act() {
    for (std::uint32_t i = 0; i < shard_count_; ++i) {
      auto now = state(i);
      const auto before = now;
      if (servers.at(*now.primary_node())->silent) continue;
      std::erase_if(now.in_sync, [&](const CopyId& copy) {
        return servers.at(now.copies.at(copy).node)->silent.load();
      });
      for (auto& [copy, place] : now.copies) {
        if (servers.at(place.node)->silent || !fills) continue;
        if (std::binary_search(now.in_sync.begin(), now.in_sync.end(), copy)) continue;
        place.state = CopyState::Active;
        now.in_sync.push_back(copy);
        std::sort(now.in_sync.begin(), now.in_sync.end());
        break;
      }
      if (now == before) continue;
      ++now.epoch;
      put(i, now);
    }
  }
  /// What must be at all times.
  void judge() {
    for (std::uint32_t i = 0; i < shard_count_; ++i) {
      const auto now = state(i);
      std::set<NodeId> nodes;
      for (const auto& [copy, place] : now.copies) nodes.insert(place.node);
      CHECK(nodes.size() == now.copies.size());
      fewest_in_sync = std::min(fewest_in_sync, now.in_sync.size());
      most_filled = std::max(most_filled, now.copies.size() - now.in_sync.size());
    }
  }
  /// A second.
  void round() {
    CHECK(controller->tick(soon()).ok());
    judge();
    act();
    judge();
    REQUIRE(views->refresh(soon()).ok());
    clock.advance_ms(1'000);
  }
  template <typename Condition>
  bool within_rounds(int most, Condition holds) {
    for (int i = 0; i < most; ++i) {
      if (holds()) return true;
      round();
    }
    return holds();
  }
  OperationReport report(const std::string& operation) {
    return admin->get_operation(soon(), operation).value();
  }
  bool has_ended(const std::string& operation) {
    return report(operation).state != OperationState::Running;
  }

  static inline const std::string kCollection = std::string(32, 'd');
  std::unique_ptr<EmbeddedStore> inner;
  std::unique_ptr<HookedStore> store;
  std::map<NodeId, std::shared_ptr<ActingServer>> servers;
  std::unique_ptr<ViewSource> views;
  std::unique_ptr<Peers> peers;
  ManualClock clock;
  FanOut fan_out{4};
  std::unique_ptr<Controller> controller;
  std::unique_ptr<NodeAdmin> admin;
  /// How often somebody asked who is down.
  std::atomic<int> looks{0};
  /// Whether primaries fill copies.
  bool fills = true;
  std::size_t fewest_in_sync = SIZE_MAX;
  std::size_t most_filled = 0;

 private:
  const std::uint32_t copies_;
  std::uint32_t shard_count_ = 0;
  SlotList slots_;
  TempDir dir_;
};

}  // namespace quiver::cluster::testing
