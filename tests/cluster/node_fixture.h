#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "cluster/catalogue.h"
#include "cluster/cluster_copies.h"
#include "cluster/coordination/embedded_store.h"
#include "cluster/placement/slots.h"
#include "cluster/shard_service.h"
#include "cluster/view/keys.h"
#include "core/mutex.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temp_dir.h"
#include "thrift/server.h"

namespace quiver::cluster::test {

inline const std::string kToken = "a token of the tests";

/// Answers for one server's copies; all else it is not asked here.
class CopiesHandler final : public thrift::NodeHandler {
 public:
  explicit CopiesHandler(ShardService& shards) : shards_(shards) {}

  /// From here on it answers no shard until go_on(), as a process that stands still.
  void stand_still() {
    const MutexLock lock(mutex_);
    stands_still_ = true;
  }
  void go_on() {
    const MutexLock lock(mutex_);
    stands_still_ = false;
    moved_.notify_all();
  }
  /// Calls that arrived while it stood still.
  std::size_t waiting() {
    const MutexLock lock(mutex_);
    return waiting_;
  }

  thrift::Reply<std::vector<ScoredPoint>> search(const thrift::ShardCall& call,
                                                 const thrift::SearchCall& query) override {
    wait();
    return shards_.search(call, query);
  }
  thrift::Reply<std::vector<Point>> get(const thrift::ShardCall& call,
                                        const thrift::GetCall& wanted) override {
    return shards_.get(call, wanted);
  }
  thrift::Reply<std::vector<Point>> scroll(const thrift::ShardCall& call,
                                           const thrift::ScrollCall& query) override {
    return shards_.scroll(call, query);
  }
  thrift::Reply<std::uint64_t> count(const thrift::ShardCall& call,
                                     const std::optional<Filter>& filter) override {
    wait();
    return shards_.count(call, filter);
  }
  thrift::Reply<std::vector<thrift::FieldCount>> fields(const thrift::ShardCall& call,
                                                        std::size_t limit) override {
    return shards_.fields(call, limit);
  }
  thrift::Reply<thrift::ShardCounts> stats(const thrift::ShardCall& call) override {
    return shards_.stats(call);
  }
  thrift::Reply<MutationResult> write(const thrift::ShardCall& call,
                                      const WriteRequest& request) override {
    wait();
    return shards_.write(call, request);
  }
  thrift::Answered create_shard(const thrift::ShardCall& call,
                                const CollectionSpec& spec) override {
    return shards_.create_shard(call, spec);
  }
  thrift::Answered drop_shard(const thrift::ShardCall& call) override {
    return shards_.drop_shard(call);
  }
  thrift::Reply<thrift::Checkpoint> begin_checkpoint(const thrift::ShardCall&) override {
    return not_asked();
  }
  thrift::Reply<std::string> read_chunk(const thrift::ShardCall&,
                                        const thrift::ChunkCall&) override {
    return not_asked();
  }
  thrift::Answered end_checkpoint(const thrift::ShardCall&, const std::string&) override {
    return not_asked();
  }
  thrift::Reply<LogPosition> hold_writes(const thrift::ShardCall&,
                                         std::chrono::milliseconds) override {
    return not_asked();
  }
  thrift::Answered release_writes(const thrift::ShardCall&) override { return not_asked(); }
  thrift::Answered hand_over(const thrift::ShardCall&, const thrift::HandOverCall&) override {
    return not_asked();
  }
  thrift::Reply<thrift::Welcome> join(const thrift::NodeCall&, const thrift::JoinCall&) override {
    return not_asked();
  }
  thrift::Reply<thrift::HeartbeatEcho> ping(const thrift::NodeCall&,
                                            const thrift::Heartbeat&) override {
    return not_asked();
  }
  thrift::Reply<thrift::NodeStatus> status(const thrift::NodeCall&) override { return not_asked(); }

 private:
  static Error not_asked() { return {ErrorCode::Internal, "no test asks this"}; }

  void wait() {
    const MutexLock lock(mutex_);
    if (stands_still_) ++waiting_;
    while (stands_still_) moved_.wait(mutex_);
  }

  ShardService& shards_;
  Mutex mutex_;
  CondVar moved_;
  bool stands_still_ QV_GUARDED_BY(mutex_) = false;
  std::size_t waiting_ QV_GUARDED_BY(mutex_) = 0;
};

/// A server of a cluster whose servers share one coordination store in this process, and call each
/// other over loopback.
class TestNode {
 public:
  TestNode(CoordinationStore& store, const std::string& label, char digit)
      : id{std::string(32, digit)},
        shards_(dir_.path() / "shards", storage::Options{}, clock_),
        host(shards_, clock_, {}),
        views(open(store)),
        replicated_({store, *views, shards_, clock_, id, {}, dir_.path() / "snapshots"}, {}),
        service(*views, host, replicated_, id),
        handler(service),
        peers_(local(), security(), quick()),
        copies_(host, replicated_, peers_, calls, id),
        fan_out_(8) {
    start(0);
    join(store, label);
    home_ = std::make_shared<int>(0);
    const auto nobody = [](const ClusterView& /*view*/) { return Liveness{}; };
    collections = std::make_unique<Catalogue>(
        Catalogue::Parts{store, *views, copies_, fan_out_, clock_, nobody, home_});
  }

  void stop() { server_.reset(); }
  void start(std::uint16_t port) {
    thrift::ServerOptions options;
    options.port = port;
    auto started = thrift::NodeServer::start(local(), security(), options, handler, {});
    REQUIRE(started.ok());
    server_ = std::move(*started);
    port_ = server_->port();
  }
  /// Before its handler goes, which a call may still wait in.
  ~TestNode() { handler.go_on(); }
  void start_again() { start(port_); }
  /// Its part of deletions.
  void tidy() {
    collections->tidy(CallContext{}, id,
                      [this](const std::string& gone) { return host.drop_collection(gone); });
  }
  std::shared_ptr<Collection> find(const std::string& name) {
    auto found = collections->find(name);
    REQUIRE(found.ok());
    return *found;
  }

 private:
  TempDir dir_;
  ManualClock clock_;

 public:
  const NodeId id;

 private:
  static thrift::Security security() {
    auto made = thrift::Security::make({kToken, {}, {}, {}});
    REQUIRE(made.ok());
    return *made;
  }
  static thrift::ClientOptions quick() {
    thrift::ClientOptions options;
    options.attempts = 2;
    return options;
  }
  static std::unique_ptr<ViewSource> open(CoordinationStore& store) {
    auto opened = ViewSource::open(store, CallContext{});
    REQUIRE(opened.ok());
    return std::move(*opened);
  }
  thrift::LocalNode local() const { return {"tests", {id.text, 1, "0.0.0"}}; }
  void join(CoordinationStore& store, const std::string& label) {
    NodeRecord record;
    record.id = id;
    record.label = label;
    record.rpc_address = server_->address();
    record.version = "0.0.0";
    record.state = NodeState::Active;
    const auto slots = with_slot(views->current()->slots, id);
    REQUIRE(slots.ok());
    REQUIRE(store
                .txn(CallContext{}, {},
                     {{keys::node(id), record.to_json().dump()},
                      {std::string(keys::kSlots), slots->to_json().dump()}})
                .ok());
    REQUIRE(views->refresh(CallContext{}).ok());
  }

  storage::ShardStore shards_;

 public:
  ShardHost host;
  const std::unique_ptr<ViewSource> views;

 private:
  /// Never started: the shards of these tests have one copy each.
  replication::CopyHost replicated_;

 public:
  ShardService service;
  /// Nobody watches the other servers: a test says who is down.
  CallsUnderWay calls;
  CopiesHandler handler;

 private:
  Peers peers_;
  ClusterCopies copies_;
  FanOut fan_out_;
  std::uint16_t port_ = 0;
  std::unique_ptr<thrift::NodeServer> server_;
  std::shared_ptr<int> home_;

 public:
  std::unique_ptr<Catalogue> collections;
};

}  // namespace quiver::cluster::test
