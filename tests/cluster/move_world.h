#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "cluster/catalogue.h"
#include "cluster/cluster_copies.h"
#include "cluster/coordination/embedded_store.h"
#include "cluster/migration/move_source.h"
#include "cluster/migration/mover.h"
#include "cluster/placement/slots.h"
#include "cluster/sharded_collection.h"
#include "cluster/view/keys.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"
#include "thrift/server.h"

namespace quiver::cluster::testing {

using namespace std::chrono_literals;

/// False if `holds` stays false for half a minute.
template <typename Condition>
bool eventually(Condition holds) {
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

inline CallContext within(std::chrono::milliseconds time) {
  CallContext call;
  call.deadline = std::chrono::steady_clock::now() + time;
  return call;
}

/// A store whose transactions a test lets go wrong.
class FaultyStore final : public CoordinationStore {
 public:
  enum class Fault { None, UnknownDone, UnknownLost, Refused };
  explicit FaultyStore(CoordinationStore& inner) : inner_(inner) {}

  /// What becomes of a transaction. Called for each.
  void inject(std::function<Fault(const std::vector<Put>&)> decide) {
    const std::lock_guard lock(mutex_);
    decide_ = std::move(decide);
  }

  /// Called in front of every list().
  void before_list(std::function<void(std::string_view prefix)> hook) {
    const std::lock_guard lock(mutex_);
    before_list_ = std::move(hook);
  }

  Result<std::optional<Entry>> get(const CallContext& call, std::string_view key) override {
    return inner_.get(call, key);
  }
  Result<Listing> list(const CallContext& call, std::string_view prefix) override {
    std::function<void(std::string_view)> hook;
    {
      const std::lock_guard lock(mutex_);
      hook = before_list_;
    }
    if (hook) hook(prefix);
    return inner_.list(call, prefix);
  }
  Result<TxnResult> txn(const CallContext& call, const std::vector<Compare>& compares,
                        const std::vector<Put>& puts) override {
    std::function<Fault(const std::vector<Put>&)> decide;
    {
      const std::lock_guard lock(mutex_);
      decide = decide_;
    }
    const auto fault = decide ? decide(puts) : Fault::None;
    if (fault == Fault::Refused) return Error{ErrorCode::Unavailable, "no store"};
    if (fault == Fault::UnknownLost) return TxnResult{};
    auto result = inner_.txn(call, compares, puts);
    if (fault == Fault::UnknownDone) return TxnResult{};
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
  std::mutex mutex_;
  std::function<Fault(const std::vector<Put>&)> decide_;
  std::function<void(std::string_view)> before_list_;
};

inline bool puts_shard(const std::vector<Put>& puts) {
  for (const auto& put : puts) {
    if (put.key.starts_with(keys::kShards)) return true;
  }
  return false;
}

/// One server of a cluster in this process, with a real server on loopback.
class Node final : public thrift::NodeHandler {
 public:
  template <typename T>
  using Reply = thrift::Reply<T>;
  using Answered = thrift::Answered;
  using ShardCall = thrift::ShardCall;

  /// Called first in every call for the source of a move; an error is the answer.
  using Before = std::function<Status(const std::string& method)>;

  Node(CoordinationStore& shared, const Clock& clock, int number, Mover::Options options)
      : id{std::string(31, '0') + static_cast<char>('a' + number)},
        store(shared),
        clock_(clock),
        number_(number),
        mover_options_(options) {
    start();
  }
  ~Node() override { kill(); }

  /// As a process starts.
  void start() {
    views = ViewSource::open(store, CallContext{}).value();
    shards =
        std::make_unique<storage::ShardStore>(dir.path() / "shards", storage::Options{}, clock_);
    host = std::make_unique<ShardHost>(*shards, clock_, ShardHost::Options{});
    replicated = std::make_unique<replication::CopyHost>(
        replication::CopyHost::Parts{store, *views, *shards, clock_, id, {}, dir.path() / "copies"},
        replication::CopyHost::Options{});
    service = std::make_unique<ShardService>(*views, *host, *replicated, id);
    source = MoveSource::open({store, *views, *host, *service, clock_,
                               [this](const CallContext& call, Revision revision) {
                                 return keep_map ? keep_map(call, revision) : Status(Done{});
                               }},
                              id, dir.path() / "outgoing", source_options)
                 .value();
    REQUIRE(source->fence(within(10s)).ok());
    thrift::ClientOptions client;
    client.connect_time = 1s;
    client.attempts = 2;
    peers = std::make_unique<Peers>(thrift::LocalNode{"test", {id.text, 1, "0.1.0"}}, security(),
                                    client);
    copies = std::make_unique<ClusterCopies>(*host, *replicated, *peers, calls, id);
    fan_out = std::make_shared<FanOut>(2);
    catalogue = std::make_unique<Catalogue>(
        Catalogue::Parts{store, *views, *copies, *fan_out, clock_,
                         [](const ClusterView&) { return Liveness{}; }, fan_out});
    server = thrift::NodeServer::start({"test", {id.text, 1, "0.1.0"}}, security(), {}, *this, {})
                 .value();
    join();
    const auto reach = [this](const ClusterView& view,
                              const NodeId& to) -> Result<std::shared_ptr<thrift::NodeHandler>> {
      QV_TRY(auto client_of, peers->client(view, to));
      return std::shared_ptr<thrift::NodeHandler>(std::move(client_of));
    };
    mover = std::make_unique<Mover>(Mover::Parts{store, *views, *host, *shards, clock_, reach}, id,
                                    mover_options_);
    REQUIRE(mover->start(within(10s)).ok());
  }
  /// Its part of deletions.
  void tidy(const CallContext& call) {
    catalogue->tidy(call, id,
                    [this](const std::string& gone) { return host->drop_collection(gone); });
  }
  /// As a process ends: nothing is said to anybody.
  void kill() {
    server.reset();
    if (mover) mover->stop();
    mover.reset();
    catalogue.reset();
    fan_out.reset();
    copies.reset();
    if (source) source->close();
    source.reset();
    service.reset();
    replicated.reset();
    if (host) host->close();
    host.reset();
    shards.reset();
    views.reset();
    peers.reset();
  }
  void restart() {
    kill();
    start();
  }
  void before(Before hook) {
    const std::lock_guard lock(mutex_);
    before_ = std::move(hook);
  }

  std::shared_ptr<Collection> collection(const std::string& name) const {
    return catalogue->find(name).value();
  }
  /// How many copies have files here.
  std::size_t copies_on_disk() const { return shards->copies().value().size(); }

  Reply<std::vector<ScoredPoint>> search(const ShardCall& call,
                                         const thrift::SearchCall& query) override {
    return service->search(call, query);
  }
  Reply<std::vector<Point>> get(const ShardCall& call, const thrift::GetCall& wanted) override {
    return service->get(call, wanted);
  }
  Reply<std::vector<Point>> scroll(const ShardCall& call,
                                   const thrift::ScrollCall& query) override {
    return service->scroll(call, query);
  }
  Reply<std::uint64_t> count(const ShardCall& call, const std::optional<Filter>& filter) override {
    return service->count(call, filter);
  }
  Reply<std::vector<thrift::FieldCount>> fields(const ShardCall& call, std::size_t limit) override {
    return service->fields(call, limit);
  }
  Reply<thrift::ShardCounts> stats(const ShardCall& call) override { return service->stats(call); }
  Reply<MutationResult> write(const ShardCall& call, const WriteRequest& request) override {
    return service->write(call, request);
  }
  Answered create_shard(const ShardCall& call, const CollectionSpec& spec) override {
    return service->create_shard(call, spec);
  }
  Answered drop_shard(const ShardCall& call) override { return service->drop_shard(call); }

  Reply<thrift::Checkpoint> begin_checkpoint(const ShardCall& call) override {
    QV_CHECK(enter("begin_checkpoint"));
    return source->begin_checkpoint(call);
  }
  Reply<std::string> read_chunk(const ShardCall& call, const thrift::ChunkCall& chunk) override {
    QV_CHECK(enter("read_chunk"));
    return source->read_chunk(call, chunk);
  }
  Answered end_checkpoint(const ShardCall& call, const std::string& checkpoint) override {
    return source->end_checkpoint(call, checkpoint);
  }
  Reply<LogPosition> hold_writes(const ShardCall& call, std::chrono::milliseconds hold) override {
    QV_CHECK(enter("hold_writes"));
    return source->hold_writes(call, hold);
  }
  Answered release_writes(const ShardCall& call) override {
    QV_CHECK(enter("release_writes"));
    return source->release_writes(call);
  }
  Answered hand_over(const ShardCall& call, const thrift::HandOverCall& wanted) override {
    QV_CHECK(enter("hand_over"));
    auto answer = source->hand_over(call, wanted);
    QV_CHECK(enter("handed_over"));
    return answer;
  }
  Reply<thrift::Welcome> join(const thrift::NodeCall&, const thrift::JoinCall&) override {
    return Error{ErrorCode::FailedPrecondition, "no joining in this test"};
  }
  Reply<thrift::HeartbeatEcho> ping(const thrift::NodeCall&, const thrift::Heartbeat&) override {
    return Error{ErrorCode::FailedPrecondition, "no heartbeats in this test"};
  }
  Reply<thrift::NodeStatus> status(const thrift::NodeCall&) override {
    QV_CHECK(enter("status"));
    thrift::NodeStatus out;
    out.node = {id.text, 1, "0.1.0"};
    out.state = "active";
    out.load = 0.25;
    out.disk_bytes_total = 1000;
    out.disk_bytes_free = 400;
    return out;
  }

  static thrift::Security security() {
    thrift::SecurityOptions options;
    options.token = "a token that is long enough";
    return thrift::Security::make(options).value();
  }

  const NodeId id;
  FaultyStore store;
  TempDir dir;
  MoveSource::Options source_options;
  /// As MoveSource::Parts has it.
  std::function<Status(const CallContext&, Revision)> keep_map;
  std::unique_ptr<ViewSource> views;
  std::unique_ptr<storage::ShardStore> shards;
  std::unique_ptr<ShardHost> host;
  /// Never started: the shards of these tests have one copy each.
  std::unique_ptr<replication::CopyHost> replicated;
  std::unique_ptr<ShardService> service;
  std::unique_ptr<MoveSource> source;
  std::unique_ptr<Peers> peers;
  CallsUnderWay calls;
  std::unique_ptr<ClusterCopies> copies;
  std::shared_ptr<FanOut> fan_out;
  std::unique_ptr<Catalogue> catalogue;
  std::unique_ptr<Mover> mover;
  std::unique_ptr<thrift::NodeServer> server;

 private:
  Status enter(const std::string& method) {
    Before hook;
    {
      const std::lock_guard lock(mutex_);
      hook = before_;
    }
    return hook ? hook(method) : Status(Done{});
  }
  /// Active, with the address of now.
  void join() {
    const auto key = keys::node(id);
    NodeRecord record;
    if (const auto there = store.get(CallContext{}, key).value()) {
      record = NodeRecord::from_json(Json::parse(there->value)).value();
    } else {
      record.id = id;
      record.label = std::string("node-") + static_cast<char>('a' + number_);
      record.version = "0.1.0";
      record.state = NodeState::Active;
      const auto slots = store.get(CallContext{}, keys::kSlots).value();
      SlotList list;
      if (slots) list = SlotList::from_json(Json::parse(slots->value)).value();
      const auto more = with_slot(list, id).value();
      REQUIRE(
          store.txn(CallContext{}, {}, {{std::string(keys::kSlots), more.to_json().dump()}}).ok());
    }
    record.rpc_address = server->address();
    const auto put = store.txn(CallContext{}, {}, {{key, record.to_json().dump()}});
    REQUIRE(put->outcome == TxnOutcome::Done);
    REQUIRE(views->await(within(10s), put->revision).ok());
  }

  const Clock& clock_;
  const int number_;
  const Mover::Options mover_options_;
  std::mutex mutex_;
  Before before_;
};

/// Servers that share a store.
class MoveWorld {
 public:
  explicit MoveWorld(int count, Mover::Options options = quick()) : options_(options) {
    for (int i = 0; i < count; ++i) add_node();
  }
  ~MoveWorld() {
    for (auto& node : nodes) node->kill();
  }

  static Mover::Options quick() {
    Mover::Options options;
    options.backoff = 5ms;
    options.backoff_max = 20ms;
    options.attempts = 3;
    options.receive.call_time = 5s;
    return options;
  }
  Node& add_node() {
    nodes.push_back(
        std::make_unique<Node>(*store, clock, static_cast<int>(nodes.size()), options_));
    settle();
    return *nodes.back();
  }
  /// All servers know all that is written.
  void settle() {
    for (auto& node : nodes) {
      if (node->views) REQUIRE(node->views->refresh(CallContext{}).ok());
    }
  }
  std::shared_ptr<Collection> make(const std::string& name, std::uint32_t shard_count) {
    CollectionSpec spec;
    spec.name = name;
    spec.dimension = 3;
    spec.metric = Metric::Euclidean;
    spec.shard_count = shard_count;
    const auto created = nodes.front()->catalogue->create(within(20s), spec);
    REQUIRE(created.ok());
    settle();
    return created->collection;
  }
  ShardState state(const std::string& collection, std::uint32_t shard = 0) {
    const auto id = id_of(collection);
    const auto entry = store->get(CallContext{}, keys::shard(id, ShardId{shard})).value();
    REQUIRE(entry);
    return ShardState::from_json(Json::parse(entry->value)).value();
  }
  std::string id_of(const std::string& collection) {
    return store->get(CallContext{}, keys::name(collection)).value()->value;
  }
  Node& owner(const std::string& collection, std::uint32_t shard = 0) {
    const auto record = state(collection, shard);
    for (auto& node : nodes) {
      if (node->id == *record.primary_node()) return *node;
    }
    throw std::runtime_error("no owner");
  }
  Node& other(const Node& than) {
    for (auto& node : nodes) {
      if (node->id != than.id) return *node;
    }
    throw std::runtime_error("no other");
  }

  /// Writes the record of a move; its id.
  std::string plan(const std::string& collection, std::uint32_t shard, const Node& to) {
    const auto now = state(collection, shard);
    MoveRecord record;
    record.move = {collection, id_of(collection), ShardId{shard}, now.primary, *now.primary_node(),
                   to.id,      MoveReason::Manual};
    record.to_copy = CopyId{RequestId::random().hex()};
    record.operation = RequestId::random().hex();
    record.started_ms = record.updated_ms = clock.wall_ms();
    const auto id = RequestId::random().hex();
    REQUIRE(store->txn(CallContext{}, {}, {{keys::move(id), record.to_json().dump()}}).ok());
    return id;
  }
  MoveRecord move(const std::string& id) {
    return MoveRecord::parse(store->get(CallContext{}, keys::move(id)).value()->value).value();
  }
  MovePhase ended(const std::string& id) {
    CHECK(eventually([&] { return move(id).finished(); }));
    const auto record = move(id);
    INFO(record.error);
    return record.phase;
  }

  ManualClock clock;
  TempDir dir;
  std::unique_ptr<EmbeddedStore> store = EmbeddedStore::open(dir.path() / "store").value();
  std::vector<std::unique_ptr<Node>> nodes;

 private:
  const Mover::Options options_;
};

inline Point point(std::uint64_t number) {
  Point out;
  out.id = PointId(number);
  out.vector = {static_cast<float>(number), 1.0F, 0.0F};
  out.payload = {{"n", number}};
  return out;
}

inline std::vector<Point> points(std::uint64_t count) {
  std::vector<Point> out;
  for (std::uint64_t i = 0; i < count; ++i) out.push_back(point(i));
  return out;
}

}  // namespace quiver::cluster::testing
