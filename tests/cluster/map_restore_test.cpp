// A coordination store that was restored from an older snapshot: what shows it, and what becomes of
// the map that is put in its place.

#include "cluster/map_restore.h"

#include <map>
#include <memory>
#include <optional>
#include <string>

#include <catch2/catch.hpp>

#include "cluster/coordination/embedded_store.h"
#include "cluster/view/keys.h"
#include "cluster/view/records.h"
#include "cluster/view/view_builder.h"
#include "core/collection_spec.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster {
namespace {

using Catch::Contains;

const NodeId kSelf{std::string(32, 'a')};
const NodeId kOther{std::string(32, 'b')};
const CopyId kFirst{std::string(32, '1')};
const CopyId kSecond{std::string(32, '2')};
const std::string kPond(32, 'd');
const std::string kLake(32, 'e');

ShardState shard_of(std::uint64_t term, std::uint64_t epoch, const CopyId& primary) {
  ShardState state;
  state.term = Term{term};
  state.epoch = epoch;
  state.primary = primary;
  state.in_sync = {kFirst, kSecond};
  state.copies = {{kFirst, {kSelf, CopyState::Active}}, {kSecond, {kOther, CopyState::Active}}};
  return state;
}

CollectionSpec spec_of(const std::string& id, const std::string& name) {
  CollectionSpec spec;
  spec.id = id;
  spec.name = name;
  spec.dimension = 4;
  spec.shard_count = 1;
  spec.replication_factor = 2;
  return spec;
}

/// A store with a server, and what is done to it.
struct Store {
  Store() {
    put(std::string(keys::kCluster), "{}");
    for (const auto& id : {kSelf, kOther}) {
      NodeRecord record;
      record.id = id;
      record.label = id.text.substr(0, 1);
      record.rpc_address = "10.0.0.1:7700";
      record.version = "1.0.0";
      record.state = NodeState::Active;
      put(keys::node(id), record.to_json().dump());
    }
  }
  void put(const std::string& key, const std::optional<std::string>& value) {
    const auto done = store->txn({}, {}, {{key, value}});
    REQUIRE(done.ok());
    REQUIRE(*done == TxnOutcome::Done);
  }
  void make(const std::string& id, const std::string& name, const ShardState& state) {
    put(keys::shard(id, ShardId{0}), state.to_json().dump());
    put(keys::name(name), id);
    put(keys::spec(id), spec_of(id, name).to_json().dump());
  }
  void change(const std::string& id, const ShardState& state) {
    put(keys::shard(id, ShardId{0}), state.to_json().dump());
  }
  Listing all() const { return store->list({}, "").value(); }
  /// As a server keeps it on its disk.
  Listing map() const {
    ViewBuilder builder;
    REQUIRE(builder.take(all()).ok());
    return builder.map();
  }
  std::optional<std::string> at(const std::string& key) const {
    auto entry = store->get({}, key).value();
    return entry ? std::optional<std::string>(entry->value) : std::nullopt;
  }
  ShardState shard(const std::string& id) const {
    return ShardState::from_json(Json::parse(at(keys::shard(id, ShardId{0})).value())).value();
  }

  TempDir dir;
  std::unique_ptr<EmbeddedStore> store = EmbeddedStore::open(dir.path()).value();
};

std::string refusal(const Status& status) {
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::Unavailable);
  return status.error().message;
}

/// A collection, and the snapshot of before and the map of after its shard got another primary.
struct Rollback {
  Rollback() {
    for (auto* const one : {&store, &snapshot}) one->make(kPond, "pond", shard_of(3, 5, kFirst));
    store.change(kPond, shard_of(4, 6, kSecond));
    known = store.map();
  }
  Store store;
  Store snapshot;
  Listing known;
};

}  // namespace

TEST_CASE("map_restore: a store that goes on from the map is taken", "[cluster][restore]") {
  Store store;
  store.make(kPond, "pond", shard_of(3, 5, kFirst));
  const auto known = store.map();
  CHECK(check_not_older(known, store.all()).ok());
  store.change(kPond, shard_of(4, 6, kSecond));
  CHECK(check_not_older(known, store.all()).ok());
  store.put(keys::shard(kPond, ShardId{0}), std::nullopt);
  store.put(keys::spec(kPond), std::nullopt);
  CHECK(check_not_older(known, store.all()).ok());
}

TEST_CASE("map_restore: the same map with fewer revisions is no loss", "[cluster][restore]") {
  Store store;
  Store copy;
  for (auto* const one : {&store, &copy}) one->make(kPond, "pond", shard_of(3, 5, kFirst));
  for (int i = 0; i < 9; ++i) store.put(std::string(keys::kMovesTurn), "{}");
  const auto known = store.map();
  REQUIRE(known.revision > copy.all().revision);
  CHECK(check_not_older(known, copy.all()).ok());
}

TEST_CASE("map_restore: what shows that a store is older", "[cluster][restore]") {
  Rollback world;
  SECTION("a shard of an earlier epoch") {
    const auto why = refusal(check_not_older(world.known, world.snapshot.all()));
    CHECK_THAT(why, Contains("pond/0 is at epoch 5 there, at 6 here"));
    CHECK_THAT(why, Contains("--restore-map"));
  }
  SECTION("also once it has been written to more often than the lost one") {
    for (int i = 0; i < 50; ++i) world.snapshot.put(std::string(keys::kMovesTurn), "{}");
    REQUIRE(world.snapshot.all().revision > world.known.revision);
    CHECK_THAT(refusal(check_not_older(world.known, world.snapshot.all())), Contains("epoch 5"));
  }
  SECTION("another change to the same epoch") {
    world.snapshot.change(kPond, shard_of(4, 6, kFirst));
    CHECK_THAT(refusal(check_not_older(world.known, world.snapshot.all())),
               Contains("another record of epoch 6"));
  }
  SECTION("a collection that is not there yet") {
    Store store;
    store.make(kPond, "pond", shard_of(3, 5, kFirst));
    const auto known = store.map();
    const Store before;
    CHECK_THAT(refusal(check_not_older(known, before.all())), Contains("its revision is"));
  }
}

TEST_CASE("map_restore: the map of the disk replaces that of the snapshot", "[cluster][restore]") {
  Rollback world;
  auto& snapshot = world.snapshot;
  world.store.make(kLake, "lake", shard_of(1, 1, kFirst));
  const auto known = world.store.map();
  const std::string gone(32, 'f');
  snapshot.make(gone, "gone", shard_of(9, 9, kFirst));
  snapshot.put(keys::move("m"), "{}");
  snapshot.put(keys::operation("o"), "{}");

  const auto restored = restore_map({}, known, kSelf, *snapshot.store);
  REQUIRE(restored.ok());
  // Higher than both, and otherwise what the newer map says.
  auto wanted = shard_of(4 + kRestoredTermStep, 6, kSecond);
  CHECK(snapshot.shard(kPond) == wanted);
  CHECK(snapshot.shard(kLake) == shard_of(1 + kRestoredTermStep, 1, kFirst));
  CHECK(snapshot.at(keys::name("lake")) == kLake);
  CHECK(snapshot.at(keys::name("pond")) == kPond);
  CHECK_FALSE(snapshot.at(keys::name("gone")));
  CHECK_FALSE(snapshot.at(keys::spec(gone)));
  CHECK_FALSE(snapshot.at(keys::shard(gone, ShardId{0})));
  CHECK_FALSE(snapshot.at(keys::move("m")));
  CHECK_FALSE(snapshot.at(keys::operation("o")));
  // Its files are still on disks.
  const auto dropping = snapshot.at(keys::join(keys::kDropping, gone));
  REQUIRE(dropping);
  CHECK(DroppingRecord::from_json(Json::parse(*dropping)).value() ==
        DroppingRecord{"gone", {kSelf, kOther}});

  CHECK(check_not_older(known, snapshot.all()).ok());
  // Of a server whose map was not the newest.
  CHECK(check_not_older(world.known, snapshot.all()).ok());
  // Goes on: the map of now is taken, and an older snapshot is known for one again.
  const auto now = snapshot.map();
  CHECK(check_not_older(now, snapshot.all()).ok());
  const Store before;
  CHECK_THAT(refusal(check_not_older(now, before.all())), Contains("restored once"));
}

TEST_CASE("map_restore: a server with a newer map than the restored one is not fooled",
          "[cluster][restore]") {
  Rollback world;
  auto older = world.known;
  world.store.make(kLake, "lake", shard_of(1, 1, kFirst));
  const auto newest = world.store.map();
  REQUIRE(restore_map({}, older, kSelf, *world.snapshot.store).ok());
  CHECK(check_not_older(older, world.snapshot.all()).ok());
  CHECK_THAT(refusal(check_not_older(newest, world.snapshot.all())),
             Contains("restored from the map of revision"));
}

TEST_CASE("map_restore: nothing is replaced under a server that lives", "[cluster][restore]") {
  Rollback world;
  world.snapshot.put(keys::alive(kOther), "{}");
  const auto before = world.snapshot.all().revision;
  const auto restored = restore_map({}, world.known, kSelf, *world.snapshot.store);
  REQUIRE_FALSE(restored.ok());
  CHECK(restored.error().code == ErrorCode::Unavailable);
  CHECK_THAT(restored.error().message, Contains(kOther.text));
  CHECK(world.snapshot.all().revision == before);
}

TEST_CASE("map_restore: a restoration that was cut off lets nobody in and is done again",
          "[cluster][restore]") {
  Rollback world;
  const Lineage begun{std::string(32, '9'), "", world.known.revision, kSelf.text, false};
  world.snapshot.put(std::string(keys::kLineage), begun.to_json().dump());
  // Half of it is there.
  world.snapshot.change(kPond, shard_of(4 + kRestoredTermStep, 6, kSecond));
  CHECK_THAT(refusal(check_not_older(world.known, world.snapshot.all())),
             Contains("not completed"));
  REQUIRE(restore_map({}, world.known, kSelf, *world.snapshot.store).ok());
  CHECK(check_not_older(world.known, world.snapshot.all()).ok());
  CHECK(world.snapshot.shard(kPond) == shard_of(4 + 2 * kRestoredTermStep, 6, kSecond));
}

TEST_CASE("map_restore: a map of many shards goes in parts", "[cluster][restore]") {
  Store store;
  auto spec = spec_of(kPond, "pond");
  spec.shard_count = 300;
  for (std::uint32_t i = 0; i < spec.shard_count; ++i) {
    store.put(keys::shard(kPond, ShardId{i}), shard_of(1, 2, kFirst).to_json().dump());
  }
  store.put(keys::spec(kPond), spec.to_json().dump());
  const auto known = store.map();
  Store empty;
  const auto restored = restore_map({}, known, kSelf, *empty.store);
  REQUIRE(restored.ok());
  CHECK(check_not_older(known, empty.all()).ok());
  for (std::uint32_t i = 0; i < spec.shard_count; ++i) {
    const auto there = empty.at(keys::shard(kPond, ShardId{i}));
    REQUIRE(there);
    CHECK(ShardState::from_json(Json::parse(*there)).value() ==
          shard_of(1 + kRestoredTermStep, 2, kFirst));
  }
}

}  // namespace quiver::cluster
