#pragma once

// One collection whose shards have three copies, on servers a, b and c, as server `self` sees it:
// the records are real, the copies do what a test says and tell what they were asked.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "cluster/coordination/embedded_store.h"
#include "cluster/sharded_collection.h"
#include "cluster/view/keys.h"
#include "core/mutex.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster::test {

inline NodeId server(char letter) {
  return {std::string(32, letter)};
}
inline CopyId copy_on(char letter) {
  return {std::string(31, '0') + letter};
}

/// What a copy was asked.
struct Asked {
  /// Letter of the server that has the copy.
  char copy = ' ';
  std::string what;
  ReadTerms terms;
  RequestId request;
  std::uint32_t shard = 0;
  std::optional<WriteRequest> write = std::nullopt;
};

/// What a copy does: an error, or where a write stands (of a read that it was read).
using Behaviour = std::function<Result<Seq>(const Asked&, const CallContext&)>;

class RoutedCopies final : public Copies {
 public:
  RoutedCopies(NodeId self, const RouteOptions& options) : routes_(std::move(self), options) {}

  Result<std::unique_ptr<Replica>> reach(const ClusterView& /*view*/,
                                         const CollectionView& /*collection*/, ShardId shard,
                                         const CopyId& copy, const ReadTerms& terms) override {
    return std::unique_ptr<Replica>(
        std::make_unique<Asker>(*this, Asked{copy.text.back(), "", terms, {}, raw(shard)}));
  }
  CopyRoutes& routes() override { return routes_; }
  Status create(const CallContext&, const ClusterView&, const NodeId&, const CollectionSpec&,
                ShardId, const CopyId&) override {
    return Error{ErrorCode::Internal, "not asked for here"};
  }

  std::vector<Asked> asked() const {
    const MutexLock lock(mutex_);
    return asked_;
  }
  /// Letters of the copies that were asked, in order.
  std::string letters() const {
    std::string out;
    for (const auto& each : asked()) out += each.copy;
    return out;
  }
  void forget() {
    const MutexLock lock(mutex_);
    asked_.clear();
  }

  Behaviour behaviour = [](const Asked&, const CallContext&) -> Result<Seq> { return Seq{0}; };

 private:
  class Asker final : public Replica {
   public:
    Asker(RoutedCopies& owner, Asked asked) : owner_(owner), asked_(std::move(asked)) {}

    Result<Written> write(const CallContext& call, WriteRequest&& request) override {
      asked_.write = std::move(request);
      QV_TRY(const auto at, ask("write", call));
      return Written{{1, 1}, at};
    }
    Result<std::vector<ScoredPoint>> search(const CallContext& call,
                                            const storage::ShardQuery&) override {
      QV_TRY([[maybe_unused]] const auto at, ask("search", call));
      // The hit tells which copy, of which shard, found it.
      Point point;
      point.id =
          PointId::from_text(std::string(1, asked_.copy) + std::to_string(asked_.shard)).value();
      return std::vector<ScoredPoint>{{point, 1.0F}};
    }
    Result<std::vector<Point>> get(const CallContext& call, const std::vector<PointId>&,
                                   Projection) override {
      QV_TRY([[maybe_unused]] const auto at, ask("get", call));
      return std::vector<Point>{};
    }
    Result<std::vector<Point>> scroll(const CallContext& call,
                                      const storage::ScrollQuery&) override {
      QV_TRY([[maybe_unused]] const auto at, ask("scroll", call));
      return std::vector<Point>{};
    }
    Result<std::uint64_t> count(const CallContext& call, const std::optional<Filter>&) override {
      QV_TRY([[maybe_unused]] const auto at, ask("count", call));
      return std::uint64_t{5};
    }
    Result<std::vector<storage::FieldSummary>> fields(const CallContext& call,
                                                      std::size_t) override {
      QV_TRY([[maybe_unused]] const auto at, ask("fields", call));
      return std::vector<storage::FieldSummary>{};
    }
    Result<storage::ShardStats> stats(const CallContext& call) override {
      QV_TRY([[maybe_unused]] const auto at, ask("stats", call));
      return storage::ShardStats{};
    }

   private:
    Result<Seq> ask(const char* what, const CallContext& call) {
      asked_.what = what;
      asked_.request = call.request_id;
      {
        const MutexLock lock(owner_.mutex_);
        owner_.asked_.push_back(asked_);
      }
      return owner_.behaviour(asked_, call);
    }

    RoutedCopies& owner_;
    Asked asked_;
  };

  CopyRoutes routes_;
  mutable Mutex mutex_;
  std::vector<Asked> asked_ QV_GUARDED_BY(mutex_);
};

/// Pauses as short as they can be: what is tried again is so at once.
inline RouteOptions hasty() {
  RouteOptions options;
  options.hedge_min = std::chrono::hours{1};
  options.pause = std::chrono::milliseconds{1};
  options.pause_max = std::chrono::milliseconds{2};
  return options;
}

struct RoutedWorld {
  explicit RoutedWorld(char self = 'a', const RouteOptions& options = hasty(),
                       std::uint32_t shards = 1, std::optional<ReadLevel> level = std::nullopt,
                       std::uint32_t replicas = 3)
      : copies(server(self), options) {
    spec.id = std::string(32, '5');
    spec.name = "notes";
    spec.dimension = 2;
    spec.metric = Metric::Euclidean;
    spec.shard_count = shards;
    spec.replication_factor = replicas;
    spec.read_level = level;
    for (const char letter : {'a', 'b', 'c', 'd'}) {
      NodeRecord record;
      record.id = server(letter);
      record.label = std::string(1, letter);
      record.rpc_address = "127.0.0.1:7700";
      record.http_address = "127.0.0.1:7800";
      record.version = "1";
      record.state = NodeState::Active;
      put(keys::node(record.id), record.to_json());
      set_up(letter, true);
    }
    put(keys::spec(spec.id), spec.to_json());
    for (std::uint32_t shard = 0; shard < shards; ++shard) put_shard('a', "abc", shard);
    views = ViewSource::open(*store, CallContext{}).value();
    const auto* const found = views->current()->find_collection("notes");
    REQUIRE(found != nullptr);
    collection =
        std::make_unique<ShardedCollection>(std::make_shared<const CollectionView>(*found),
                                            ShardedCollection::Ways{*views, copies, fan_out, home});
  }

  void put(const std::string& key, const std::optional<Json>& value) {
    std::vector<Put> puts{{key, value ? std::optional(value->dump()) : std::nullopt, {}}};
    if (!value) puts.push_back({std::string(keys::kEpoch), "{}", {}});
    REQUIRE(store->txn(CallContext{}, {}, puts).value() == TxnOutcome::Done);
  }
  void set_up(char letter, bool up) {
    AliveRecord alive;
    alive.incarnation = std::string(32, '1');
    alive.rpc_address = "127.0.0.1:7700";
    put(keys::alive(server(letter)), up ? std::optional(alive.to_json()) : std::nullopt);
  }
  /// All three copies are there; `in_sync` names those that have every write.
  void put_shard(char primary, const std::string& in_sync, std::uint32_t shard = 0) {
    ShardState state;
    state.term = Term{++terms};
    state.epoch = terms;
    state.primary = copy_on(primary);
    for (const char letter : {'a', 'b', 'c'}) {
      state.copies.emplace(copy_on(letter), CopyPlace{server(letter), CopyState::Active});
    }
    for (const char letter : in_sync) state.in_sync.push_back(copy_on(letter));
    put(keys::shard(spec.id, ShardId{shard}), state.to_json());
  }
  /// Once the view has it.
  void await_shard(char primary) {
    REQUIRE(views->await(within(std::chrono::seconds{30}), [&](const ClusterView& view) {
      return view.collections.at("notes")->shards.at(0).primary == copy_on(primary);
    }));
  }
  static CallContext within(std::chrono::milliseconds time) {
    CallContext call;
    call.deadline = std::chrono::steady_clock::now() + time;
    return call;
  }
  static Point point(std::uint64_t id) {
    Point out;
    out.id = PointId(id);
    out.vector = {1.0F, 2.0F};
    return out;
  }
  static Query query() {
    Query out;
    out.vector = {1.0F, 2.0F};
    return out;
  }

  TempDir dir;
  std::unique_ptr<EmbeddedStore> store = EmbeddedStore::open(dir.path() / "store").value();
  CollectionSpec spec;
  std::uint64_t terms = 0;
  FanOut fan_out{4};
  RoutedCopies copies;
  std::unique_ptr<ViewSource> views;
  std::shared_ptr<const int> home = std::make_shared<const int>(1);
  std::unique_ptr<ShardedCollection> collection;
};

}  // namespace quiver::cluster::test
