// A server's work while the coordination store cannot be reached from its start on: it reads by the
// map on its disk, writes nothing, and takes its place once the store answers.

#include "cluster/cluster_home.h"

#include <chrono>
#include <thread>

#include <catch2/catch.hpp>

#include "cluster/coordination/embedded_store.h"
#include "cluster/known_map.h"
#include "cluster/placement/slots.h"
#include "cluster/view/keys.h"
#include "tests/cluster/away_store.h"
#include "tests/cluster/pond.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster {
namespace {

using Catch::Contains;

const std::string kCluster(32, 'c');
const NodeId kSelf{std::string(32, 'a')};
const NodeId kOther{std::string(32, 'b')};

template <typename Condition>
bool eventually(const Condition& holds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

Error error_of(Result<MutationResult> result) {
  REQUIRE_FALSE(result.ok());
  return result.error();
}

/// The only server that answers in its cluster, and its store.
struct World {
  World()
      : inner(EmbeddedStore::open(meta.path()).value()),
        store(std::make_shared<AwayStore>(*inner)) {
    put(keys::node(kSelf), record.to_json());
    put(std::string(keys::kSlots), with_slot({}, kSelf)->to_json());
  }
  void put(const std::string& key, const Json& value) {
    REQUIRE(*inner->txn(CallContext{}, {}, {{key, value.dump()}}) == TxnOutcome::Done);
  }
  static NodeRecord own_record() {
    NodeRecord out;
    out.id = kSelf;
    out.label = "first";
    out.rpc_address = "127.0.0.1:1";
    out.version = "0.1.0";
    out.state = NodeState::Active;
    return out;
  }
  std::shared_ptr<ClusterHome> open(const Listing& kept) {
    const thrift::NodeIdentity self{kSelf.text, 1, "0.1.0"};
    auto security = thrift::Security::make({"a token of the tests", {}, {}, {}});
    auto peers = std::make_shared<Peers>(thrift::LocalNode{"tests", self}, *security,
                                         thrift::ClientOptions{});
    ClusterHome::Parts parts;
    parts.store = store;
    parts.peers = peers;
    parts.self = self;
    parts.facts = {kCluster, {}, dir.path(), {}};
    auto home = ClusterHome::open(std::move(parts), kept, clock);
    REQUIRE(home.ok());
    return *home;
  }
  /// As a process that finds its store.
  std::shared_ptr<ClusterHome> start() {
    auto home = open({});
    REQUIRE(home->enter(CallContext{}).ok());
    REQUIRE(home->start_moves(CallContext{}).ok());
    return home;
  }
  /// As one that does not.
  std::shared_ptr<ClusterHome> start_without_store() {
    store->leave();
    const auto map = known_map(dir.path(), kCluster, record);
    INFO((map.ok() ? "" : map.error().message));
    REQUIRE(map.ok());
    return open(map->map);
  }
  std::shared_ptr<Collection> pond(ClusterHome& home) {
    auto found = home.catalogue().find("pond");
    REQUIRE(found.ok());
    return *found;
  }
  /// Names a copy of the first shard that is being filled elsewhere.
  void begin_move(ClusterHome& home) {
    const auto view = home.views().current();
    const auto& collection = *view->find_collection("pond");
    auto state = collection.shards[0];
    state.copies.emplace(CopyId{std::string(32, '9')}, CopyPlace{kOther, CopyState::New});
    ++state.epoch;
    put(keys::shard(collection.spec.id, ShardId{0}), state.to_json());
    REQUIRE(home.views().refresh(CallContext{}).ok());
  }
  static bool is_kept(ClusterHome& home) {
    return home.keeper().kept_epoch() == home.views().current()->epoch;
  }

  const TempDir meta;
  const TempDir dir;
  const SystemClock clock;
  const NodeRecord record = own_record();
  const std::unique_ptr<EmbeddedStore> inner;
  const std::shared_ptr<AwayStore> store;
};

}  // namespace

TEST_CASE("ClusterHome: reads before the store answers, and writes behind", "[cluster][home]") {
  World world;
  const auto points = random_points(80, 11);
  {
    const auto home = world.start();
    REQUIRE(home->catalogue().create(CallContext{}, spec_of("pond", 3)).ok());
    REQUIRE(world.pond(*home)->upsert(CallContext{}, points)->created == 80);
    REQUIRE(eventually([&] { return World::is_kept(*home); }));
    home->close();
  }
  const auto home = world.start_without_store();
  CHECK(home->check_readable().ok());
  const auto pond = world.pond(*home);
  for (std::size_t q = 0; q < 10; ++q) {
    const auto answer = pond->search(CallContext{}, query_of(points[q].vector, 7));
    REQUIRE(answer.ok());
    CHECK(ids_of(*answer) == nearest(points, points[q].vector, 7));
  }
  CHECK(*pond->count(CallContext{}, std::nullopt) == 80);
  CHECK(pond->get(CallContext{}, {PointId(3)}, {})->size() == 1);
  CHECK(home->member_service().own_state() == "active");

  const auto check_no_writes = [&] {
    CHECK(home->check_writable().error().code == ErrorCode::Unavailable);
    const auto upsert = error_of(pond->upsert(CallContext{}, random_points(9, 12)));
    CHECK(upsert.code == ErrorCode::Unavailable);
    CHECK_THAT(upsert.message, Contains("refuses writes until it has reached it"));
    CHECK(error_of(pond->erase(CallContext{}, {PointId(1)})).code == ErrorCode::Unavailable);
    const auto& spec = pond->spec();
    const auto copy = home->views().current()->find_collection("pond")->shards[0].primary;
    thrift::ShardCall call;
    call.collection = spec.id;
    call.copy = copy;
    CHECK(home->shard_service().search(call, {points[0].vector, 3, 0, true, {}, {}}).ok());
    const auto remote = home->shard_service().write(call, Mutation(ErasePoints{{PointId(1)}, 0}));
    CHECK(remote.error().code == ErrorCode::Unavailable);
    CHECK(home->host().create(spec, ShardId{0}, CopyId{std::string(32, '8')}).error().code ==
          ErrorCode::Unavailable);
    CHECK(home->host().drop({spec.id, ShardId{0}, copy}).error().code == ErrorCode::Unavailable);
    CHECK(home->host().drop_collection(spec.id).error().code == ErrorCode::Unavailable);
    CHECK_FALSE(home->host().purge_expired());
    CHECK_THAT(home->admin().own_state()->reads_only, Contains("refuses writes"));
    CHECK(*pond->count(CallContext{}, std::nullopt) == 80);
  };
  check_no_writes();
  // A caller that knows more is not answered from what is known here.
  thrift::ShardCall newer;
  newer.collection = pond->spec().id;
  newer.epoch = home->views().current()->epoch + 1;
  CHECK(home->shard_service().count(newer, std::nullopt).error().code == ErrorCode::Unavailable);

  CHECK(home->enter(CallContext{}).error().code == ErrorCode::Unavailable);
  check_no_writes();
  // It answers, and goes away again before this process has fenced off earlier ones.
  world.store->leave_after(1);
  CHECK(home->enter(CallContext{}).error().code == ErrorCode::Unavailable);
  CHECK(home->views().is_attached());
  check_no_writes();

  world.store->return_again();
  REQUIRE(home->enter(CallContext{}).ok());
  REQUIRE(home->start_moves(CallContext{}).ok());
  CHECK(home->check_writable().ok());
  CHECK(home->admin().own_state()->reads_only.empty());
  CHECK(pond->erase(CallContext{}, {PointId(1)})->affected == 1);
  CHECK(*pond->count(CallContext{}, std::nullopt) == 79);
  REQUIRE(home->catalogue().create(CallContext{}, spec_of("late", 1)).ok());
  CHECK(eventually([&] { return World::is_kept(*home); }));
}

TEST_CASE("ClusterHome: what changed without this server is found when the store answers",
          "[cluster][home]") {
  World world;
  {
    const auto home = world.start();
    REQUIRE(home->catalogue().create(CallContext{}, spec_of("pond", 1)).ok());
    REQUIRE(eventually([&] { return World::is_kept(*home); }));
    home->close();
  }
  const auto home = world.start_without_store();
  const auto pond = world.pond(*home);
  CHECK(*pond->count(CallContext{}, std::nullopt) == 0);
  SECTION("the collection is deleted") {
    REQUIRE(*world.inner->txn(CallContext{}, {},
                              {{keys::spec(pond->spec().id), std::nullopt},
                               {keys::name("pond"), std::nullopt},
                               {std::string(keys::kEpoch), "{}"}}) == TxnOutcome::Done);
    world.store->return_again();
    REQUIRE(home->enter(CallContext{}).ok());
    CHECK(home->catalogue().find("pond").error().code == ErrorCode::NotFound);
    CHECK(pond->count(CallContext{}, std::nullopt).error().code == ErrorCode::NotFound);
  }
  SECTION("this server is removed") {
    auto removed = world.record;
    removed.state = NodeState::Removed;
    world.put(keys::node(kSelf), removed.to_json());
    world.store->return_again();
    REQUIRE(home->enter(CallContext{}).ok());
    CHECK(home->check_readable().error().code == ErrorCode::FailedPrecondition);
    // And does not serve by the map on the disk a second time.
    REQUIRE(eventually([&] { return World::is_kept(*home); }));
    home->close();
    CHECK_THAT(known_map(world.dir.path(), kCluster, world.record).error().message,
               Contains("removed"));
  }
}

TEST_CASE("ClusterHome: a shard that was being moved is not read before the store answers",
          "[cluster][home]") {
  World world;
  const auto points = random_points(40, 13);
  {
    const auto home = world.start();
    REQUIRE(home->catalogue().create(CallContext{}, spec_of("pond", 2)).ok());
    REQUIRE(world.pond(*home)->upsert(CallContext{}, points).ok());
    world.begin_move(*home);
    REQUIRE(eventually([&] { return World::is_kept(*home); }));
    home->close();
  }
  const auto home = world.start_without_store();
  const auto pond = world.pond(*home);
  const auto all = pond->count(CallContext{}, std::nullopt);
  REQUIRE_FALSE(all.ok());
  CHECK(all.error().code == ErrorCode::Unavailable);
  CHECK_THAT(all.error().message, Contains("shard 0 was being moved"));
  auto query = query_of(points[0].vector, 40);
  query.allow_partial = true;
  const auto part = pond->search(CallContext{}, query);
  REQUIRE(part.ok());
  REQUIRE(part->missing.size() == 1);
  CHECK(part->missing[0].shard == 0);
  CHECK_FALSE(part->hits.empty());

  world.store->return_again();
  REQUIRE(home->enter(CallContext{}).ok());
  CHECK(*pond->count(CallContext{}, std::nullopt) == 40);
  // An order to hand it over that an earlier process sent can take effect no more.
  CHECK(home->views().current()->find_collection("pond")->shards[0].epoch == 3);
}

TEST_CASE("ClusterHome: without a map it knows nothing", "[cluster][home]") {
  World world;
  world.store->leave();
  const auto home = world.open({});
  CHECK(home->views().current()->nodes.empty());
  CHECK(home->catalogue().find("pond").error().code == ErrorCode::NotFound);
  CHECK_FALSE(home->check_writable().ok());
}

}  // namespace quiver::cluster
