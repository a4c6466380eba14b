// Copies on three servers of one process that call each other over loopback.

#include "cluster/replication/copy_exchange.h"

#include <fstream>
#include <mutex>
#include <thread>

#include "cluster/replication/message_codec.h"
#include "tests/cluster/copies_world.h"
#include "tests/cluster/silent_node.h"
#include "thrift/client_pool.h"
#include "thrift/server.h"

namespace quiver::cluster::replication::test {
namespace {

/// Gives the calls of copies to the exchange.
class CopyCalls final : public cluster::testing::SilentNode {
 public:
  std::atomic<CopyExchange*> exchange{nullptr};
  std::atomic<bool> refuses_chunks{false};
  /// Calls for chunks get no answer for as long.
  std::atomic<bool> stalls_chunks{false};
  std::atomic<int> stalled{0};
  /// Chunks that are still given out; below 0: all are.
  std::atomic<int> chunks_left{-1};
  std::atomic<std::uint64_t> bytes_given{0};

  std::mutex mutex;
  /// That were taken, in order.
  std::vector<thrift::Checkpoint> offers;
  std::vector<thrift::Checkpoint> offered() {
    const std::lock_guard lock(mutex);
    return offers;
  }

  Reply<std::vector<thrift::RefusedParcel>> deliver(
      const NodeCall& call, std::vector<thrift::CopyParcel> parcels) override {
    return exchange.load()->deliver(call, std::move(parcels));
  }
  Answered offer_snapshot(const ShardCall& call, const thrift::SnapshotOffer& offer) override {
    auto answer = exchange.load()->offer_snapshot(call, offer);
    const std::lock_guard lock(mutex);
    if (answer.ok()) offers.push_back(offer.checkpoint);
    return answer;
  }
  Reply<std::string> read_chunk(const ShardCall& call, const thrift::ChunkCall& chunk) override {
    if (refuses_chunks) return silence();
    if (stalls_chunks) {
      ++stalled;
      stalls_chunks.wait(true);
    }
    if (chunks_left == 0) return silence();
    if (chunks_left > 0) --chunks_left;
    auto bytes = exchange.load()->read_chunk(call, chunk);
    if (bytes.ok()) bytes_given += bytes->size();
    return bytes;
  }
  Answered end_checkpoint(const ShardCall& call, const std::string& checkpoint) override {
    return exchange.load()->end_checkpoint(call, checkpoint);
  }
};

thrift::Security with_token() {
  thrift::SecurityOptions options;
  options.token = "a token of the cluster, long enough";
  return thrift::Security::make(options).value();
}

thrift::LocalNode local(std::size_t i) {
  return {"blue", {"node" + std::to_string(i), 1, "0.1.0"}};
}

/// What a server has beside its copy.
struct CallNode {
  std::unique_ptr<thrift::ClientPool> clients;
  std::unique_ptr<CopyExchange> exchange;
  CopyCalls calls;
  std::unique_ptr<thrift::NodeServer> server;
};

class CallWorld final : public CopiesWorld {
 public:
  explicit CallWorld(const WorldOptions& options = {}, const CopyExchange::Options& how = {})
      : CopiesWorld(options) {
    for (std::size_t i = 0; i < 3; ++i) {
      auto& node = nodes_[i];
      node.clients =
          std::make_unique<thrift::ClientPool>(local(i), with_token(), thrift::ClientOptions{});
      how_ = how;
      open(i);
      auto server = thrift::NodeServer::start(local(i), with_token(), {}, node.calls, {});
      INFO(error_of(server));
      REQUIRE(server.ok());
      node.server = std::move(*server);
    }
  }
  ~CallWorld() override {
    for (auto& node : nodes_) node.server->stop(0ms);
    for (auto& node : nodes_) node.exchange->close();
    end();
  }

  /// As a server that starts again; without its copy.
  void open(std::size_t i) {
    auto& node = nodes_[i];
    if (node.exchange) node.exchange->close();
    auto opened = CopyExchange::open(
        {[this, i](const NodeId& to) { return peer(i, to); }, *site(i).store,
         NodeId{local(i).node.id}, dir().path() / ("outgoing" + std::to_string(i))},
        how_);
    INFO(error_of(opened));
    REQUIRE(opened.ok());
    node.calls.exchange = opened->get();
    node.exchange = std::move(*opened);
  }
  CopyExchange& exchange(std::size_t i) { return *nodes_[i].exchange; }
  CopyCalls& calls(std::size_t i) { return nodes_[i].calls; }
  Result<std::shared_ptr<thrift::NodeHandler>> peer(std::size_t from, const NodeId& to) {
    for (std::size_t i = 0; i < 3; ++i) {
      if (local(i).node.id != to.text) continue;
      const thrift::PeerAddress address{"127.0.0.1", nodes_[i].server->port(), to.text};
      return std::shared_ptr<thrift::NodeHandler>(nodes_[from].clients->client(address));
    }
    return Error{ErrorCode::Unavailable, "there is no server " + to.text};
  }

 protected:
  Outbox& outbox(std::size_t i) override { return *nodes_[i].exchange; }
  void started(std::size_t i, const std::shared_ptr<ReplicatedCopy>& copy) override {
    nodes_[i].exchange->add(copy);
  }
  void stopping(std::size_t i) override { nodes_[i].exchange->remove(id_of(i)); }

 private:
  CopyExchange::Options how_;
  std::array<CallNode, 3> nodes_;
};

void check_equal(CallWorld& world, const CopiesWorld::Model& model) {
  REQUIRE(CopiesWorld::eventually([&] { return world.settled(); }));
  for (std::size_t i = 0; i < 3; ++i) {
    INFO("copy " << i);
    if (world.copy(i) != nullptr) CHECK(world.content(i) == model);
  }
}

TEST_CASE("exchange: writes, a restart and a failover over real calls", "[replication]") {
  CallWorld world;
  world.start();
  CopiesWorld::Model model;
  std::uint64_t id = 0;
  const auto write_some = [&](int count) {
    for (int i = 0; i < count; ++i, ++id) {
      world.write(put(id, static_cast<double>(id)));
      model[id] = static_cast<double>(id);
    }
  };
  write_some(20);
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
  world.stop(1);
  write_some(5);
  world.start(1);
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
  world.stop(0);
  REQUIRE(world.fail_over());
  write_some(5);
  world.start(0);
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
  check_equal(world, model);
  const auto figures = world.exchange(0).figures({"node2"});
  CHECK(figures.entries >= 20);
  CHECK(figures.calls > 0);
}

TEST_CASE("exchange: writers at once share calls, and large entries pass", "[replication]") {
  WorldOptions options;
  options.copy.message_bytes = 64 << 10;
  CallWorld world(options);
  world.start();
  world.write(put(0, 0));
  std::vector<std::thread> writers;
  for (std::uint64_t w = 0; w < 8; ++w) {
    writers.emplace_back([&world, w] {
      for (std::uint64_t i = 0; i < 20; ++i) {
        const auto id = 1 + w * 20 + i;
        CallContext call;
        call.request_id = RequestId::random();
        for (;;) {
          const auto copy = world.copy(world.primary());
          if (copy && copy->write_at(call, put(id, static_cast<double>(id))).ok()) break;
        }
      }
    });
  }
  for (auto& writer : writers) writer.join();
  CopiesWorld::Model model;
  for (std::uint64_t id = 0; id <= 160; ++id) model[id] = static_cast<double>(id);

  UpsertPoints large;
  for (std::uint64_t i = 0; i < 12; ++i) {
    auto point = at(1000 + i, 1.0);
    point.payload["text"] = std::string(20'000, 'x');
    large.points.push_back(point);
    model[1000 + i] = 1.0;
  }
  world.write(Mutation{large});
  check_equal(world, model);
}

TEST_CASE("exchange: a copy is filled by chunks of a snapshot", "[replication]") {
  WorldOptions options;
  options.storage.log_entries_kept = 10;
  options.storage.log_bytes_pinned = 1;
  CopyExchange::Options how;
  how.snapshot_idle = 100ms;
  CallWorld world(options, how);
  world.start();
  CopiesWorld::Model model;
  const auto write_some = [&](std::uint64_t from, std::uint64_t count) {
    for (auto i = from; i < from + count; ++i) {
      world.write(put(i, static_cast<double>(i)));
      model[i] = static_cast<double>(i);
    }
  };
  write_some(0, 5);
  world.stop(2);
  write_some(5, 60);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto shard = std::const_pointer_cast<storage::Shard>(world.copy(i)->shard());
    REQUIRE(shard->flush_index(CallContext{}).ok());
  }
  write_some(65, 2);
  REQUIRE(world.copy(0)->status().log_first > Seq{6});
  // A transfer that fails is begun anew.
  world.calls(0).refuses_chunks = true;
  world.start(2);
  REQUIRE(CopiesWorld::eventually([&] { return world.exchange(0).snapshots_outgoing() > 0; }));
  REQUIRE(CopiesWorld::eventually([&] {
    world.exchange(0).tick();
    return world.exchange(0).snapshots_outgoing() == 0;
  }));
  CHECK_FALSE(world.in_sync(2));
  world.calls(0).refuses_chunks = false;
  write_some(100, 5);
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
  check_equal(world, model);
  CHECK(CopiesWorld::eventually([&] { return world.exchange(0).snapshots_outgoing() == 0; }));
  world.stop(2);
  world.start(2);
  write_some(200, 5);
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
  check_equal(world, model);
}

/// A copy on server 2 that needs a snapshot, which breaks off behind three chunks.
struct BrokenOff {
  static WorldOptions small_log() {
    WorldOptions options;
    options.storage.log_entries_kept = 10;
    options.storage.log_bytes_pinned = 1;
    return options;
  }
  static CopyExchange::Options patient(std::chrono::milliseconds idle) {
    CopyExchange::Options how;
    how.snapshot_idle = idle;
    how.fetch_pause = 1ms;
    return how;
  }
  explicit BrokenOff(std::chrono::milliseconds idle) : world(small_log(), patient(idle)) {
    world.start();
    write_some(0, 5);
    REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
    world.stop(2);
    write_some(5, 60);
    flush();
    write_some(65, 2);
    REQUIRE(world.copy(0)->status().log_first > Seq{6});
    world.calls(0).chunks_left = 3;
    world.start(2);
    REQUIRE(CopiesWorld::eventually([&] { return world.calls(0).chunks_left == 0; }));
  }
  void write_some(std::uint64_t from, std::uint64_t count) {
    for (auto i = from; i < from + count; ++i) {
      world.write(put(i, static_cast<double>(i)));
      model[i] = static_cast<double>(i);
    }
  }
  void flush() {
    for (std::size_t i = 0; i < 2; ++i) {
      const auto shard = std::const_pointer_cast<storage::Shard>(world.copy(i)->shard());
      REQUIRE(shard->flush_index(CallContext{}).ok());
    }
  }
  std::uint64_t given() { return world.calls(0).bytes_given; }
  std::vector<thrift::Checkpoint> offered() { return world.calls(2).offered(); }
  static std::uint64_t bytes_of(const thrift::Checkpoint& checkpoint) {
    std::uint64_t out = 0;
    for (const auto& file : checkpoint.files) out += file.bytes;
    return out;
  }
  /// The world's ticker does not know the exchanges.
  bool eventually(const std::function<bool()>& holds) {
    return CopiesWorld::eventually([&] {
      for (std::size_t i = 0; i < 3; ++i) world.exchange(i).tick();
      return holds();
    });
  }
  void ends_well() {
    world.calls(0).chunks_left = -1;
    REQUIRE(eventually([&] { return world.all_in_sync(); }));
    check_equal(world, model);
    CHECK(eventually([&] { return world.exchange(0).snapshots_outgoing() == 0; }));
    write_some(500, 3);
    check_equal(world, model);
  }

  CallWorld world;
  CopiesWorld::Model model;
};

TEST_CASE("exchange: a snapshot whose connection breaks goes on with the next chunk",
          "[replication]") {
  BrokenOff broken(20s);
  CHECK(broken.given() > 0);
  broken.ends_well();
  const auto offers = broken.offered();
  REQUIRE(offers.size() == 1);
  const auto fetched = broken.world.exchange(2).fetched(CopiesWorld::id_of(2));
  CHECK(fetched.bytes_done == broken.given());
  CHECK(fetched.bytes_total == broken.given());
  CHECK(broken.world.exchange(0).fetched(CopiesWorld::id_of(2)).bytes_total == 0);
  // Not one byte twice.
  CHECK(broken.given() == BrokenOff::bytes_of(offers[0]));
}

TEST_CASE("exchange: a snapshot goes on where it was after a restart of who receives it",
          "[replication]") {
  BrokenOff broken(100ms);
  REQUIRE(broken.eventually([&] { return broken.world.exchange(0).snapshots_outgoing() == 0; }));
  const auto before = broken.given();
  broken.world.stop(2);
  broken.world.open(2);
  const auto kept = broken.world.site(2).store->resumable_incoming();
  REQUIRE(kept.ok());
  CHECK(*kept == std::vector<CopyId>{CopiesWorld::id_of(2)});
  // What a crash leaves of others goes, and this does not.
  REQUIRE(broken.world.site(2).store->discard_all_incoming().ok());
  broken.world.calls(0).chunks_left = -1;
  broken.world.start(2);
  broken.ends_well();
  const auto offers = broken.offered();
  REQUIRE(offers.size() >= 2);
  for (const auto& offer : offers) CHECK(offer.id == offers[0].id);
  CHECK(before > 0);
  CHECK(broken.given() == BrokenOff::bytes_of(offers[0]));
  CHECK(broken.world.site(2).store->resumable_incoming()->empty());
}

TEST_CASE("exchange: a snapshot that is gone, or whose log is, begins anew", "[replication]") {
  SECTION("its files are gone at the source") {
    BrokenOff broken(20s);
    const auto offers = broken.offered();
    REQUIRE(offers.size() == 1);
    thrift::ShardCall call;
    call.collection = line_spec().id;
    REQUIRE((*broken.world.peer(2, {"node0"}))->end_checkpoint(call, offers[0].id).ok());
    const auto before = broken.given();
    broken.ends_well();
    const auto now = broken.offered();
    REQUIRE(now.size() == 2);
    CHECK(now[1].id != now[0].id);
    CHECK(broken.given() == before + BrokenOff::bytes_of(now[1]));
  }
  SECTION("the log does not reach back to it any more") {
    BrokenOff broken(100ms);
    REQUIRE(broken.eventually([&] { return broken.world.exchange(0).snapshots_outgoing() == 0; }));
    const auto first = broken.offered()[0].id;
    // Nobody reads: more than the log keeps is written, and is in the state on disk.
    broken.world.stop(2);
    broken.write_some(100, 60);
    broken.flush();
    broken.write_some(200, 2);
    broken.world.start(2);
    broken.ends_well();
    const auto offers = broken.offered();
    CHECK(offers.back().id != first);
  }
}

TEST_CASE("exchange: files that were kept for a snapshot are kept for a bounded time",
          "[replication]") {
  auto how = BrokenOff::patient(100ms);
  how.snapshot_keep = 300ms;
  CallWorld world({}, how);
  const auto incoming = world.site(2).store->prepare_incoming(CopiesWorld::id_of(2));
  REQUIRE(incoming.ok());
  std::ofstream(*incoming / storage::ShardStore::kTransferFile) << "{}";
  world.open(2);
  world.exchange(2).tick();
  CHECK(world.site(2).store->resumable_incoming()->size() == 1);
  CHECK(CopiesWorld::eventually([&] {
    world.exchange(2).tick();
    return world.site(2).store->resumable_incoming()->empty();
  }));
}

TEST_CASE("exchange: a snapshot that comes in and stalls holds up none that goes out",
          "[replication]") {
  WorldOptions options;
  options.storage.log_entries_kept = 10;
  options.storage.log_bytes_pinned = 1;
  CopyExchange::Options how;
  how.bulk_threads = 1;
  CallWorld world(options, how);
  world.start();
  CopiesWorld::Model model;
  const auto write_some = [&](std::uint64_t from, std::uint64_t count) {
    for (auto i = from; i < from + count; ++i) {
      world.write(put(i, static_cast<double>(i)));
      model[i] = static_cast<double>(i);
    }
  };
  write_some(0, 5);
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
  world.stop(2);
  write_some(5, 60);
  for (std::size_t i = 0; i < 2; ++i) {
    const auto shard = std::const_pointer_cast<storage::Shard>(world.copy(i)->shard());
    REQUIRE(shard->flush_index(CallContext{}).ok());
  }
  write_some(65, 2);
  // Server 0 is offered files of server 1, which does not get on with them.
  world.calls(1).stalls_chunks = true;
  thrift::ShardCall call;
  call.collection = line_spec().id;
  call.copy = CopiesWorld::id_of(0);
  thrift::SnapshotOffer offer{{"some", {{"MANIFEST", 5}}, {}}, CopiesWorld::id_of(1), ""};
  offer.message = encode_snapshot({{}, Term{1}, History({{Term{1}, Seq{1}}}, Seq{1}), {}});
  REQUIRE((*world.peer(1, {"node0"}))->offer_snapshot(call, offer).ok());
  REQUIRE(CopiesWorld::eventually([&] { return world.calls(1).stalled > 0; }));
  // It still makes those that others need.
  world.start(2);
  CHECK(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
  CHECK(world.calls(1).stalls_chunks);
  world.calls(1).stalls_chunks = false;
  world.calls(1).stalls_chunks.notify_all();
  check_equal(world, model);
}

TEST_CASE("exchange: the way to a server that nothing is sent to is taken down", "[replication]") {
  CopyExchange::Options how;
  how.link_idle = 1s;
  CallWorld world({}, how);
  world.start();
  world.write(put(1, 1));
  REQUIRE(CopiesWorld::eventually([&] { return world.all_in_sync(); }));
  REQUIRE(world.exchange(0).links() == 2);
  // As to a server that is removed a moment later.
  world.exchange(0).send({line_spec().id,
                          ShardId{0},
                          CopiesWorld::id_of(0),
                          CopiesWorld::id_of(2),
                          NodeId{"node7"},
                          Stale{Term{1}},
                          {}});
  CHECK(world.exchange(0).links() == 3);
  world.exchange(0).tick();
  CHECK(world.exchange(0).links() == 3);
  CHECK(CopiesWorld::eventually([&] {
    world.exchange(0).tick();
    return world.exchange(0).links() == 2;
  }));
  // Those that signs of life go by stay.
  CHECK(world.exchange(0).figures({"node1"}).calls > 0);
  CHECK(world.exchange(0).figures({"node2"}).calls > 0);
  world.write(put(2, 2));
  check_equal(world, {{1, 1.0}, {2, 2.0}});
}

TEST_CASE("exchange: parcels for nobody, from strangers, or without sense are answered",
          "[replication]") {
  CallWorld world;
  world.start();
  world.write(put(1, 1));
  REQUIRE(CopiesWorld::eventually([&] { return world.settled() && world.all_in_sync(); }));
  const auto peer = world.peer(1, {"node2"});
  REQUIRE(peer.ok());
  const auto good = encode_message(Stale{Term{1}});
  thrift::CopyParcel parcel{line_spec().id,        ShardId{0}, CopiesWorld::id_of(1),
                            CopiesWorld::id_of(2), good,       {}};
  std::vector<thrift::CopyParcel> parcels(6, parcel);
  parcels[0].to = CopyId{std::string(32, '0')};
  parcels[1].shard = ShardId{1};
  parcels[2].collection = std::string(32, 'f');
  parcels[3].message = "x";
  parcels[4].from = CopiesWorld::id_of(0);
  const auto answered = (*peer)->deliver({}, parcels);
  REQUIRE(answered.ok());
  const auto& refused = answered.result.value();
  REQUIRE(refused.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) CHECK(refused[i].index == i);
  CHECK(refused[0].why.code == ErrorCode::NotFound);
  CHECK(refused[1].why.code == ErrorCode::NotFound);
  CHECK(refused[2].why.code == ErrorCode::NotFound);
  CHECK(refused[3].why.code == ErrorCode::FailedPrecondition);
  CHECK(refused[4].why.code == ErrorCode::PermissionDenied);

  // Snapshots: for nobody, and of nobody.
  thrift::ShardCall call;
  call.collection = line_spec().id;
  call.copy = CopyId{std::string(32, '0')};
  thrift::SnapshotOffer offer{{"some", {{"MANIFEST", 5}}, {}}, CopiesWorld::id_of(1), "x"};
  CHECK_FALSE((*peer)->offer_snapshot(call, offer).ok());
  offer.message = encode_snapshot({{}, Term{1}, History({{Term{1}, Seq{1}}}, Seq{1}), {}});
  CHECK((*peer)->offer_snapshot(call, offer).error().code == ErrorCode::NotFound);
  CHECK((*peer)->read_chunk(call, {"some", "MANIFEST", 0, 5}).error().code == ErrorCode::NotFound);
  CHECK((*peer)->end_checkpoint(call, "some").ok());
  // One whose files cannot be fetched leaves the copy as it is.
  call.copy = CopiesWorld::id_of(2);
  REQUIRE((*peer)->offer_snapshot(call, offer).ok());
  world.write(put(2, 2));
  check_equal(world, {{1, 1.0}, {2, 2.0}});
}

TEST_CASE("link: what is superseded or finds no room is dropped, and a lost peer holds nobody up",
          "[replication]") {
  struct Peer final : cluster::testing::SilentNode {
    std::mutex mutex;
    std::condition_variable changed;
    std::atomic<bool> entered{false};
    bool open = false;
    bool lost = false;
    std::vector<thrift::CopyParcel> got;

    thrift::Reply<std::vector<thrift::RefusedParcel>> deliver(
        const thrift::NodeCall&, std::vector<thrift::CopyParcel> parcels) override {
      std::unique_lock lock(mutex);
      entered = true;
      changed.wait(lock, [&] { return open; });
      if (lost) return Error{ErrorCode::Unavailable, "gone"};
      for (auto& parcel : parcels) got.push_back(std::move(parcel));
      return std::vector<thrift::RefusedParcel>{{0, {ErrorCode::NotFound, "no"}}};
    }
  };
  const auto peer = std::make_shared<Peer>();
  std::atomic<int> refused{0};
  PeerLink::Options options;
  options.queue_bytes = 10'000;
  options.pause = 1ms;
  PeerLink link([peer] { return Result<std::shared_ptr<thrift::NodeHandler>>(peer); },
                [&](const Parcel&, const Error&) { ++refused; }, options);
  const auto ack = [](std::uint64_t matched, char to = 'b') {
    return Parcel{line_spec().id,
                  ShardId{0},
                  CopyId{std::string(32, 'a')},
                  CopyId{std::string(32, to)},
                  NodeId{"n"},
                  Ack{Term{1}, Seq{matched}, {}},
                  {}};
  };
  // The first is under way; of the others of its kind the newest alone is left.
  link.send(ack(1));
  REQUIRE(CopiesWorld::eventually([&] { return peer->entered.load(); }));
  for (std::uint64_t i = 2; i <= 100; ++i) link.send(ack(i));
  // No room: ever new targets.
  for (int i = 0; i < 100; ++i) {
    auto parcel = ack(1);
    parcel.to = CopyId{std::to_string(100 + i) + std::string(29, 'e')};
    link.send(parcel);
  }
  {
    const std::lock_guard lock(peer->mutex);
    peer->open = true;
  }
  peer->changed.notify_all();
  REQUIRE(CopiesWorld::eventually([&] { return link.figures().parcels > 30; }));
  {
    const std::lock_guard lock(peer->mutex);
    std::uint64_t last = 0;
    for (const auto& parcel : peer->got) {
      if (parcel.to.text != std::string(32, 'b')) continue;
      const auto message = decode_message(parcel.message);
      last = std::max(last, raw(std::get<Ack>(*message).matched));
    }
    CHECK(last == 100);
    CHECK(peer->got.size() < 60);
    peer->lost = true;
  }
  CHECK(link.figures().dropped > 100);
  CHECK(refused > 0);
  const auto before = link.figures();
  link.send(ack(7, 'c'));
  REQUIRE(CopiesWorld::eventually([&] { return link.figures().dropped > before.dropped; }));
  {
    const std::lock_guard lock(peer->mutex);
    peer->lost = false;
  }
  REQUIRE(CopiesWorld::eventually([&] {
    link.send(ack(8, 'c'));
    return link.figures().parcels > before.parcels;
  }));
}

}  // namespace
}  // namespace quiver::cluster::replication::test
