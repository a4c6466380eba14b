// What carries out the moves of shards with one copy keeps its hands off those with several, which
// look the same in between: a shard with a copy that is being filled.

#include "tests/cluster/move_world.h"

namespace quiver::cluster {
namespace {

using namespace testing;

/// A collection of one copy whose record says that it wants two.
struct Several {
  Several() : world(3) {
    world.make("docs", 1);
    collection = world.id_of("docs");
    auto spec = world.nodes[0]->views->current()->find_collection("docs")->spec;
    spec.replication_factor = 2;
    put(keys::spec(collection), spec.to_json().dump());
  }
  void put(const std::string& key, const std::optional<std::string>& value) {
    REQUIRE(world.store->txn(CallContext{}, {}, {{key, value}}).ok());
    world.settle();
  }
  void put(const ShardState& state) {
    put(keys::shard(collection, ShardId{0}), state.to_json().dump());
  }
  /// The same with one copy more, which is being filled at a server.
  ShardState filled_at(const Node& node) {
    auto state = world.state("docs");
    state.copies[CopyId{std::string(32, 'e')}] = {node.id, CopyState::New};
    ++state.epoch;
    put(state);
    return state;
  }

  MoveWorld world;
  std::string collection;
};

TEST_CASE("Mover: a move of a shard with several copies is not for it", "[cluster][move]") {
  Several several;
  auto& world = several.world;
  world.make("plain", 1);
  auto* to = world.nodes.front().get();
  for (const auto& node : world.nodes) {
    if (node->id == world.owner("docs").id || node->id == world.owner("plain").id) continue;
    to = node.get();
  }
  // In front of all others.
  const std::string first(32, '0');
  const auto drawn = world.plan("docs", 0, *to);
  const auto record = world.move(drawn);
  several.put(keys::move(drawn), std::nullopt);
  several.put(keys::move(first), record.to_json().dump());
  const auto before = world.state("docs");
  CHECK(world.ended(world.plan("plain", 0, *to)) == MovePhase::Done);
  CHECK(world.move(first) == record);
  CHECK(world.state("docs") == before);
  // Nor when it begins to work.
  to->restart();
  auto& back = world.other(*to);
  CHECK(world.ended(world.plan("plain", 0, back)) == MovePhase::Done);
  CHECK(world.ended(world.plan("plain", 0, *to)) == MovePhase::Done);
  CHECK(world.move(first) == record);
  CHECK(world.state("docs") == before);
  // What was deleted is deleted, whatever it wanted.
  several.put(keys::name("docs"), std::nullopt);
  several.put(keys::spec(several.collection), std::nullopt);
  to->restart();
  CHECK(world.ended(first) == MovePhase::Aborted);
}

TEST_CASE("MoveSource: holds back no writes of a shard with several copies", "[cluster][move]") {
  Several several;
  auto& owner = several.world.owner("docs");
  auto& other = several.world.other(owner);
  const auto state = several.filled_at(other);
  thrift::ShardCall call;
  call.context = within(10s);
  call.caller = other.id.text;
  call.collection = several.collection;
  call.copy = state.primary;
  const auto held = owner.source->hold_writes(call, 1s);
  REQUIRE_FALSE(held.ok());
  CHECK(held.error().code == ErrorCode::FailedPrecondition);
  CHECK_THAT(held.error().message, Catch::Contains("several copies"));
  // A start fences what may have been handed over, and there is none of that.
  owner.restart();
  CHECK(several.world.state("docs") == state);
}

TEST_CASE("Strays: what a copy that replicates leaves is for it to remove", "[cluster][move]") {
  Several several;
  auto& world = several.world;
  auto& owner = world.owner("docs");
  auto& other = world.other(owner);
  const auto before = world.state("docs");
  MoveRecord moved;
  moved.move = {"docs",   several.collection, ShardId{0},        before.primary,
                owner.id, other.id,           MoveReason::Manual};
  moved.to_copy = CopyId{std::string(32, 'e')};
  moved.phase = MovePhase::Done;
  moved.operation = std::string(32, 'f');
  auto after = before;
  after.copies = {{moved.to_copy, {other.id, CopyState::Active}}};
  after.primary = moved.to_copy;
  after.in_sync = {moved.to_copy};
  after.term = Term{2};
  ++after.epoch;
  several.put(after);
  several.put(keys::move(std::string(32, '0')), moved.to_json().dump());
  REQUIRE(owner.copies_on_disk() == 1);
  owner.restart();
  CHECK(owner.copies_on_disk() == 1);
  // A shard of one copy would be tidied up.
  auto spec = world.nodes[0]->views->current()->collection_of(several.collection)->spec;
  spec.replication_factor = 1;
  several.put(keys::spec(several.collection), spec.to_json().dump());
  owner.restart();
  CHECK(owner.copies_on_disk() == 0);
}

}  // namespace
}  // namespace quiver::cluster
