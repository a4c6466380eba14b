// What begins and ends moves, beside others that do the same and in spite of faults.

#include "tests/cluster/admin_world.h"

namespace quiver::cluster {
namespace {

using namespace testing;

TEST_CASE("Controller: rounds at the same time begin each move of a drain once",
          "[cluster][admin]") {
  Cluster c(3);
  c.world.make("notes", 6);
  for (const auto& node : c.world.nodes) node->mover->stop();
  auto& second = *c.world.nodes[1];
  Controller other(
      {second.store, *second.views, c.world.clock, [](const ClusterView&) { return Liveness{}; },
       *second.fan_out, Cluster::reach(second)},
      second.id, {});
  // The other one's round is between what this one has read and what it writes.
  std::atomic<bool> raced{false};
  c.world.nodes[0]->store.inject([&](const std::vector<Put>& puts) {
    for (const auto& put : puts) {
      if (!put.key.starts_with(keys::kOperations) || !put.value) continue;
      const auto record = OperationRecord::from_json(Json::parse(*put.value)).value();
      if (record.made == record.moves.size() || raced.exchange(true)) continue;
      CHECK(other.tick(within(20s)).ok());
    }
    return FaultyStore::Fault::None;
  });
  const auto removal = c.admin->remove_node(within(20s), "node-c");
  REQUIRE(removal.ok());
  CHECK(raced);
  CHECK(c.admin->get_operation(within(20s), *removal->operation)->moves.size() == 2);
  CHECK(c.controller->tick(within(20s)).ok());
  CHECK(c.world.store->list(CallContext{}, keys::kMoves)->entries.size() == 2);
}

TEST_CASE("Controller: a drain does not begin the move that a person begins", "[cluster][admin]") {
  Cluster c(3);
  c.world.make("notes", 3);
  for (const auto& node : c.world.nodes) node->mover->stop();
  auto& leaving = *c.world.nodes[2];
  std::uint32_t shard = 0;
  while (c.world.owner("notes", shard).id != leaving.id) ++shard;
  std::atomic<bool> raced{false};
  c.world.nodes[0]->store.inject([&](const std::vector<Put>& puts) {
    for (const auto& put : puts) {
      if (!put.key.starts_with(keys::kOperations) || !put.value) continue;
      const auto record = OperationRecord::from_json(Json::parse(*put.value)).value();
      if (record.made == record.moves.size() || raced.exchange(true)) continue;
      CHECK(c.admin->move_shard(within(20s), {"notes", ShardId{shard}, "", "node-a"}).ok());
    }
    return FaultyStore::Fault::None;
  });
  REQUIRE(c.admin->remove_node(within(20s), "node-c").ok());
  REQUIRE(raced);
  CHECK(c.controller->tick(within(20s)).ok());
  CHECK(c.world.store->list(CallContext{}, keys::kMoves)->entries.size() == 1);
}

TEST_CASE("Controller: a transaction whose outcome is not known begins no move twice",
          "[cluster][admin]") {
  using Fault = FaultyStore::Fault;
  Cluster c(2);
  c.world.make("notes", 4);
  c.world.nodes[0]->mover->stop();
  const auto fault = GENERATE(Fault::UnknownDone, Fault::UnknownLost);
  std::atomic<int> times{0};
  c.world.nodes[0]->store.inject([&](const std::vector<Put>& puts) {
    const bool moves = std::any_of(puts.begin(), puts.end(), [](const Put& put) {
      return put.key.starts_with(keys::kOperations);
    });
    return moves && times++ < 4 ? fault : Fault::None;
  });
  const auto id = c.admin->remove_node(within(20s), "node-b").value().operation.value();
  CHECK(c.controller->tick(within(20s)).ok());
  CHECK(c.controller->tick(within(20s)).ok());
  CHECK(c.admin->get_operation(within(20s), id)->moves.size() == 2);
  CHECK(c.world.store->list(CallContext{}, keys::kMoves)->entries.size() == 2);
}

TEST_CASE("Controller: what cannot be done for one node is done for the others",
          "[cluster][admin]") {
  Cluster c(3);
  c.world.make("notes", 3);
  const auto bad = keys::operation(c.world.nodes[1]->id.text);
  c.world.nodes[0]->store.inject([&](const std::vector<Put>& puts) {
    const bool hit =
        std::any_of(puts.begin(), puts.end(), [&](const Put& put) { return put.key == bad; });
    return hit ? FaultyStore::Fault::Refused : FaultyStore::Fault::None;
  });
  c.set_state(*c.world.nodes[1], NodeState::Draining);
  c.set_state(*c.world.nodes[2], NodeState::Draining);
  CHECK(eventually([&] {
    CHECK_FALSE(c.controller->tick(within(20s)).ok());
    c.world.settle();
    return c.state_of(*c.world.nodes[2]) == NodeState::Removed;
  }));
  CHECK(c.state_of(*c.world.nodes[1]) == NodeState::Draining);
}

TEST_CASE("Controller: goes on with what the server that was asked has left", "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 2);
  auto& to = c.world.other(c.world.owner("notes", 0));
  // An operation whose moves were never begun.
  Operations operations(*c.world.store, c.world.clock);
  const auto state = c.world.state("notes", 0);
  auto record = operations.record_of(OperationKind::MoveShard,
                                     {{"notes", c.world.id_of("notes"), ShardId{0}, state.primary,
                                       *state.primary_node(), to.id, MoveReason::Manual}});
  REQUIRE(
      c.world.store->txn(CallContext{}, {}, {{keys::operation("left"), record.to_json().dump()}})
          .ok());
  CHECK(c.ended("left").state == OperationState::Done);
  CHECK(*c.world.state("notes", 0).primary_node() == to.id);
}

TEST_CASE("Controller: ends moves to servers that are gone", "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 1);
  auto& from = c.world.owner("notes");
  auto& to = c.world.other(from);
  to.mover->stop();
  const auto id = c.world.plan("notes", 0, to);
  auto state = c.world.state("notes");
  state.copies.emplace(c.world.move(id).to_copy, CopyPlace{to.id, CopyState::New});
  REQUIRE(c.world.store
              ->txn(CallContext{}, {},
                    {{keys::shard(c.world.id_of("notes"), ShardId{0}), state.to_json().dump()}})
              .ok());
  SECTION("down for long") {
    c.liveness.down.insert(to.id);
    CHECK(c.controller->tick(within(20s)).ok());
    CHECK_FALSE(c.world.move(id).finished());
    c.world.clock.advance_ms(120'001);
  }
  SECTION("dead") {
    c.liveness.dead.insert(to.id);
  }
  CHECK(c.controller->tick(within(20s)).ok());
  CHECK(c.world.state("notes").copies.size() == 1);
  CHECK(c.world.state("notes").primary == state.primary);
}

TEST_CASE("Controller: a draining server is emptied in spite of failures", "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 2);
  auto& from = *c.world.nodes[1];
  std::atomic<bool> fails{true};
  from.before([&](const std::string& method) -> Status {
    if (method != "read_chunk" || !fails) return Done{};
    return Error{ErrorCode::Unavailable, "not now"};
  });
  const auto removal = c.admin->remove_node(within(20s), "node-b");
  REQUIRE(removal.ok());
  CHECK(eventually([&] {
    const auto report = c.admin->get_operation(within(20s), *removal->operation);
    return report->moves.size() == 1 && report->moves[0].phase == MovePhase::Failed;
  }));
  // Not again at once.
  CHECK(c.controller->tick(within(20s)).ok());
  CHECK(c.admin->get_operation(within(20s), *removal->operation)->moves.size() == 1);
  fails = false;
  c.world.clock.advance_ms(30'001);
  const auto report = c.ended(*removal->operation);
  CHECK(report.state == OperationState::Done);
  CHECK(report.moves.size() == 2);
  CHECK(*c.world.state("notes", 0).primary_node() == c.world.nodes[0]->id);
  CHECK(*c.world.state("notes", 1).primary_node() == c.world.nodes[0]->id);
}

TEST_CASE("Controller: deleted collections do not wait for removed servers", "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 2);
  REQUIRE(c.world.nodes[0]->catalogue->drop(within(20s), "notes").ok());
  c.world.settle();
  auto& first = *c.world.nodes[0];
  first.tidy(within(20s));
  CHECK(first.views->current()->dropping.size() == 1);
  c.set_state(*c.world.nodes[1], NodeState::Removed);
  CHECK(c.controller->tick(within(20s)).ok());
  c.world.settle();
  first.tidy(within(20s));
  c.world.settle();
  CHECK(first.views->current()->dropping.empty());
}

TEST_CASE(
    "Controller: a server that is gone is removed, though it has files of deleted collections",
    "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 2);
  auto& first = *c.world.nodes[0];
  REQUIRE(first.catalogue->drop(within(20s), "notes").ok());
  c.world.settle();
  first.tidy(within(20s));
  SECTION("while it is there it has to remove them first") {
    const auto removal = c.admin->remove_node(within(20s), "node-b");
    REQUIRE(removal.ok());
    CHECK(c.controller->tick(within(20s)).ok());
    const auto report = c.admin->get_operation(within(20s), *removal->operation);
    CHECK(report->state == OperationState::Running);
    auto& second = *c.world.nodes[1];
    second.tidy(within(20s));
    CHECK(c.ended(*removal->operation).state == OperationState::Done);
  }
  SECTION("down") {
    c.liveness.down.insert(c.world.nodes[1]->id);
    const auto removal = c.admin->remove_node(within(20s), "node-b");
    REQUIRE(removal.ok());
    CHECK(c.ended(*removal->operation).state == OperationState::Done);
    c.world.settle();
    first.tidy(within(20s));
    c.world.settle();
    CHECK(first.views->current()->dropping.empty());
  }
}

TEST_CASE("Controller: forgets operations that ended long ago, and their moves",
          "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 1);
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    auto& to = c.world.other(c.world.owner("notes"));
    const auto id = c.admin->move_shard(within(20s), {"notes", ShardId{0}, "", to.id.text});
    REQUIRE(id.ok());
    CHECK(c.ended(*id).state == OperationState::Done);
    ids.push_back(*id);
    c.world.clock.advance_ms(1'000);
  }
  CHECK(c.controller->tick(within(20s)).ok());
  CHECK(c.admin->get_operation(within(20s), ids[0]).error().code == ErrorCode::NotFound);
  CHECK(c.admin->get_operation(within(20s), ids[2]).ok());
  CHECK(c.controller->tick(within(20s)).ok());
  CHECK(c.world.store->list(CallContext{}, keys::kMoves)->entries.size() == 2);
}

TEST_CASE("Controller: one leads at a time, and works without being asked", "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 2);
  auto& second = *c.world.nodes[1];
  Controller other(
      {second.store, *second.views, c.world.clock, [](const ClusterView&) { return Liveness{}; },
       *second.fan_out, Cluster::reach(second)},
      second.id, {});
  CHECK(c.controller->lead(within(20s)));
  CHECK(c.controller->lead(within(20s)));
  CHECK_FALSE(other.lead(within(20s)));
  c.controller->start();
  const auto removal = c.admin->remove_node(within(20s), "node-b");
  REQUIRE(removal.ok());
  CHECK(eventually([&] {
    return c.admin->get_operation(within(20s), *removal->operation)->state == OperationState::Done;
  }));
  c.controller->stop();
  CHECK(eventually([&] { return other.lead(within(20s)); }));
}

}  // namespace
}  // namespace quiver::cluster
