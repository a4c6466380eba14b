#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "cluster/coordination/embedded_store.h"
#include "cluster/fan_out.h"
#include "cluster/placement/slots.h"
#include "cluster/upkeep/copy_poll.h"
#include "cluster/view/keys.h"
#include "cluster/view/view_source.h"
#include "core/collection_spec.h"
#include "tests/cluster/silent_node.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"

// Servers that answer for their copies as a test says, and a real store with their shard's record.
namespace quiver::cluster::testing {

/// Answers what is asked of copies that replicate, and nothing else.
class CopyServer : public SilentNode {
 public:
  void says(const CopyId& copy, const thrift::CopyPosition& position) {
    const std::lock_guard lock(mutex_);
    said_[copy] = position;
  }
  void be_silent(bool silent) {
    const std::lock_guard lock(mutex_);
    silent_ = silent;
  }
  std::vector<std::pair<ShardCall, thrift::PrimaryOrder>> orders() const {
    const std::lock_guard lock(mutex_);
    return orders_;
  }

  Reply<std::vector<thrift::CopyPosition>> copy_positions(
      const NodeCall& call, const std::vector<thrift::CopyName>& copies) override {
    const std::lock_guard lock(mutex_);
    if (silent_ || !call.context.deadline) return silence();
    std::vector<thrift::CopyPosition> out;
    for (const auto& one : copies) {
      thrift::CopyPosition absent;
      absent.condition = thrift::CopyCondition::Absent;
      const auto found = said_.find(one.copy);
      out.push_back(found == said_.end() ? absent : found->second);
    }
    return out;
  }
  Answered direct(const ShardCall& call, const thrift::PrimaryOrder& order) override {
    const std::lock_guard lock(mutex_);
    if (silent_) return silence();
    orders_.emplace_back(call, order);
    return Done{};
  }

 private:
  mutable std::mutex mutex_;
  bool silent_ = false;
  std::map<CopyId, thrift::CopyPosition> said_;
  std::vector<std::pair<ShardCall, thrift::PrimaryOrder>> orders_;
};

/// A store whose transactions a test may interfere with.
class HookedStore final : public CoordinationStore {
 public:
  enum class Fate { Honest, AnswerLost, RequestLost, Refused };
  explicit HookedStore(CoordinationStore& inner) : inner_(inner) {}

  /// Called in front of each transaction.
  std::function<Fate()> hook;

  Result<std::optional<Entry>> get(const CallContext& call, std::string_view key) override {
    return inner_.get(call, key);
  }
  Result<Listing> list(const CallContext& call, std::string_view prefix) override {
    return inner_.list(call, prefix);
  }
  Result<TxnResult> txn(const CallContext& call, const std::vector<Compare>& compares,
                        const std::vector<Put>& puts) override {
    // A hook may replace itself.
    const auto ask = hook;
    const auto fate = ask ? ask() : Fate::Honest;
    if (fate == Fate::Refused) return Error{ErrorCode::Unavailable, "no store"};
    if (fate == Fate::RequestLost) return TxnResult{};
    auto result = inner_.txn(call, compares, puts);
    if (fate == Fate::AnswerLost) return TxnResult{};
    return result;
  }
  Result<std::unique_ptr<Lease>> grant(const CallContext& call, std::chrono::seconds ttl,
                                       LeaseLost on_lost) override {
    return inner_.grant(call, ttl, std::move(on_lost));
  }
  Result<std::unique_ptr<Watch>> watch(std::string_view prefix, Revision after,
                                       WatchCallback callback) override {
    return inner_.watch(prefix, after, std::move(callback));
  }

 private:
  CoordinationStore& inner_;
};

using Fate = HookedStore::Fate;

/// One collection of one shard, on servers 0, 1, 2...; further servers have nothing.
class CopyServers {
 public:
  CopyServers(std::size_t count, std::vector<std::size_t> copies) {
    auto opened = EmbeddedStore::open(dir_.path() / "meta");
    REQUIRE(opened.ok());
    inner = std::move(*opened);
    store = std::make_unique<HookedStore>(*inner);
    SlotList slots;
    for (std::size_t i = 0; i < count; ++i) {
      NodeRecord record;
      record.id = node(i);
      record.label = "n" + std::to_string(i);
      record.state = NodeState::Active;
      write(keys::node(record.id), record.to_json());
      slots = with_slot(slots, record.id).value();
      servers[record.id] = std::make_shared<CopyServer>();
    }
    write(std::string(keys::kSlots), slots.to_json());
    spec.id = kCollection;
    spec.name = "docs";
    spec.dimension = 4;
    spec.shard_count = 1;
    spec.replication_factor = static_cast<std::uint32_t>(copies.size());
    write(keys::spec(spec.id), spec.to_json());
    write(keys::name(spec.name), Json(spec.id));
    ShardState state;
    state.primary = copy(copies.front());
    for (const auto server : copies) {
      state.copies[copy(server)] = {node(server), CopyState::Active};
      state.in_sync.push_back(copy(server));
      says(server, {});
    }
    std::sort(state.in_sync.begin(), state.in_sync.end());
    put(state);
    auto source = ViewSource::open(*store, {});
    REQUIRE(source.ok());
    views = std::move(*source);
  }

  static NodeId node(std::size_t number) { return {std::string(31, '0') + digit(number)}; }
  static CopyId copy(std::size_t number) { return {std::string(31, 'c') + digit(number)}; }
  CopyServer& server(std::size_t number) { return *servers.at(node(number)); }
  /// What a server says of its copy.
  void says(std::size_t number, const thrift::CopyPosition& position) {
    server(number).says(copy(number), position);
  }

  ReachNode reach() {
    return [this](const ClusterView&,
                  const NodeId& id) -> Result<std::shared_ptr<thrift::NodeHandler>> {
      if (away.contains(id)) return Error{ErrorCode::Unavailable, "no way there"};
      return std::shared_ptr<thrift::NodeHandler>(servers.at(id));
    };
  }

  ShardState state() {
    const auto entry = inner->get({}, key());
    REQUIRE(entry.ok());
    auto out = ShardState::from_json(Json::parse((*entry)->value));
    REQUIRE(out.ok());
    return *out;
  }
  void put(const ShardState& state) { write(key(), state.to_json()); }
  static std::string key() { return keys::shard(kCollection, ShardId{0}); }
  void write(const std::string& name, const Json& value) {
    const auto written =
        inner->txn({}, {}, {{name, value.is_string() ? value.get<std::string>() : value.dump()}});
    REQUIRE(written.ok());
    if (views) REQUIRE(views->await({}, written->revision).ok());
  }

  static inline const std::string kCollection = std::string(32, 'd');
  std::unique_ptr<EmbeddedStore> inner;
  std::unique_ptr<HookedStore> store;
  std::map<NodeId, std::shared_ptr<CopyServer>> servers;
  /// Servers without a way to them.
  std::set<NodeId> away;
  std::unique_ptr<ViewSource> views;
  CollectionSpec spec;
  ManualClock clock;
  FanOut fan_out{4};

 private:
  static char digit(std::size_t number) { return static_cast<char>('0' + number); }

  TempDir dir_;
};

}  // namespace quiver::cluster::testing
