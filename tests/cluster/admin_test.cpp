// What people ask of a cluster, on servers that run in this process: from the plan to the shards'
// new places. How few moves are enough is counted by hand for each case.

#include "cluster/admin/controller.h"
#include "cluster/admin/lone_admin.h"
#include "cluster/admin/node_admin.h"
#include "cluster/local_collections.h"
#include "tests/cluster/move_world.h"

namespace quiver::cluster {
namespace {

using namespace testing;

/// Servers, and the administration on the first of them.
struct Cluster {
  explicit Cluster(int nodes) : world(nodes) {
    auto& node = *world.nodes.front();
    const auto judge = [this](const ClusterView&) { return liveness; };
    Controller::Options often;
    often.every = 10ms;
    often.operations_kept = 2;
    controller = std::make_unique<Controller>(
        Controller::Parts{node.store, *node.views, world.clock, judge}, node.id, often);
    admin = std::make_unique<NodeAdmin>(
        NodeAdmin::Parts{node.store, *node.views, *node.peers, *node.fan_out, *controller,
                         world.clock, judge},
        NodeAdmin::Options{5s, 50ms});
  }
  OperationReport ended(const std::string& operation) {
    OperationReport report;
    CHECK(eventually([&] {
      world.settle();
      CHECK(controller->tick(within(20s)).ok());
      report = admin->get_operation(within(20s), operation).value();
      return report.state != OperationState::Running;
    }));
    return report;
  }
  /// Carries out what the planner wants; how many shards have moved.
  std::size_t rebalance() {
    world.settle();
    const auto planned = admin->rebalance(within(20s), std::nullopt);
    REQUIRE(planned.ok());
    CHECK_FALSE(planned->operation);
    if (planned->plan.empty()) return 0;
    const auto begun = admin->rebalance(within(20s), planned->plan.plan_id());
    REQUIRE(begun.ok());
    REQUIRE(begun->operation);
    const auto report = ended(*begun->operation);
    CHECK(report.state == OperationState::Done);
    return report.moves.size();
  }
  double unevenness() {
    world.settle();
    return admin->shard_distribution(within(20s), "")->nodes.max_over_mean;
  }
  void set_state(const Node& node, NodeState state) {
    auto record = world.nodes.front()->views->current()->nodes.at(node.id).record;
    record.state = state;
    REQUIRE(
        world.store->txn(CallContext{}, {}, {{keys::node(node.id), record.to_json().dump()}}).ok());
    world.settle();
  }

  NodeState state_of(const Node& node) {
    return world.nodes.front()->views->current()->nodes.at(node.id).record.state;
  }

  MoveWorld world;
  Liveness liveness;
  std::unique_ptr<Controller> controller;
  std::unique_ptr<NodeAdmin> admin;
};

std::string message_of(const Error& error, ErrorCode code) {
  CHECK(error.code == code);
  return error.message;
}

TEST_CASE("ClusterAdmin: growing and shrinking moves no more shards than it must",
          "[cluster][admin]") {
  Cluster c(3);
  auto collection = c.world.make("notes", 12);
  REQUIRE(collection->upsert(CallContext{}, points(120)).ok());
  CHECK(c.rebalance() == 0);
  // 12 shards: 4 each on 3 servers, 3 each on 4, so that 3 move; then 2 or 3 each on 5: 2 move.
  c.world.add_node();
  CHECK(c.rebalance() == 3);
  CHECK(c.unevenness() <= 1.1);
  c.world.add_node();
  CHECK(c.rebalance() == 2);
  CHECK(c.rebalance() == 0);
  // Only what the server holds moves when it leaves.
  auto& leaving = *c.world.nodes[1];
  const auto held = leaving.copies_on_disk();
  const auto planned = c.admin->plan_removal(within(20s), "node-b");
  REQUIRE(planned.ok());
  CHECK(planned->moves == held);
  CHECK_FALSE(planned->operation);
  CHECK(planned->node.state == NodeState::Active);
  const auto removal = c.admin->remove_node(within(20s), "node-b");
  REQUIRE(removal.ok());
  CHECK_FALSE(removal->already);
  CHECK(removal->node.state == NodeState::Draining);
  const auto again = c.admin->remove_node(within(20s), leaving.id.text);
  if (again.ok()) CHECK(again->already);
  const auto report = c.ended(*removal->operation);
  CHECK(report.state == OperationState::Done);
  CHECK(report.record.node == leaving.id);
  CHECK(report.moves.size() == held);
  CHECK(c.rebalance() == 0);
  CHECK(c.unevenness() <= 1.1);
  const auto view = c.world.nodes.front()->views->current();
  CHECK(view->nodes.at(leaving.id).record.state == NodeState::Removed);
  REQUIRE(view->slots.slots.size() == 5);
  CHECK_FALSE(view->slots.slots[1]);
  CHECK(eventually([&] { return leaving.copies_on_disk() == 0; }));
  CHECK(collection->count(within(20s), std::nullopt).value() == 120);
  CHECK_THAT(
      message_of(c.admin->remove_node(within(20s), leaving.id.text).error(), ErrorCode::NotFound),
      Catch::Contains("was removed"));
}

TEST_CASE("ClusterAdmin: a plan is carried out as it was shown, or not at all",
          "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 4);
  c.world.add_node();
  const auto planned = c.admin->rebalance(within(20s), std::nullopt);
  REQUIRE(planned.ok());
  REQUIRE(planned->plan.moves.size() == 1);
  const auto plan_id = planned->plan.plan_id();
  SECTION("the map changed") {
    c.world.make("more", 1);
    CHECK_THAT(
        message_of(c.admin->rebalance(within(20s), plan_id).error(), ErrorCode::FailedPrecondition),
        Catch::Contains("has changed since"));
    CHECK(c.world.store->list(CallContext{}, keys::kOperations)->entries.empty());
    CHECK(c.world.store->list(CallContext{}, keys::kMoves)->entries.empty());
  }
  SECTION("it did not, and the call is repeated") {
    const auto begun = c.admin->rebalance(within(20s), plan_id);
    REQUIRE(begun.ok());
    CHECK(begun->operation == plan_id);
    const auto again = c.admin->rebalance(within(20s), plan_id);
    REQUIRE(again.ok());
    CHECK(again->operation == plan_id);
    CHECK(again->plan.moves.size() == 1);
    CHECK(again->plan.epoch == begun->plan.epoch);
    CHECK(again->plan.epoch > 0);
    CHECK(c.ended(plan_id).moves.size() == 1);
  }
  CHECK_FALSE(c.admin->rebalance(within(20s), "0123456789abcdef").ok());
}

TEST_CASE("ClusterAdmin: a shard goes where a person wants it", "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 2);
  auto& from = c.world.owner("notes", 1);
  auto& to = c.world.other(from);
  const std::string label = c.world.nodes[0]->views->current()->nodes.at(to.id).record.label;
  // Nobody begins: two wishes for one shard do not go together.
  to.mover->stop();
  auto call = within(20s);
  call.request_id = RequestId::random();
  const auto begun = c.admin->move_shard(call, {"notes", ShardId{1}, "", label});
  REQUIRE(begun.ok());
  CHECK(c.admin->move_shard(call, {"notes", ShardId{1}, "", label}).value() == *begun);
  const ShardMoveRequest same{"notes", ShardId{1}, from.id.text, to.id.text};
  CHECK_THAT(
      message_of(c.admin->move_shard(within(20s), same).error(), ErrorCode::FailedPrecondition),
      Catch::Contains("on the move"));
  CHECK_THAT(message_of(c.admin->rebalance(within(20s), std::nullopt).error(),
                        ErrorCode::FailedPrecondition),
             Catch::Contains(*begun));
  const auto running = c.admin->get_operation(within(20s), *begun);
  REQUIRE(running.ok());
  CHECK(running->state == OperationState::Running);
  CHECK(running->moves.front().phase == MovePhase::Planned);
  to.restart();
  c.world.settle();
  CHECK(c.ended(*begun).state == OperationState::Done);
  CHECK(*c.world.state("notes", 1).primary_node() == to.id);

  const auto refused = [&](const ShardMoveRequest& request, ErrorCode code) {
    return message_of(c.admin->move_shard(within(20s), request).error(), code);
  };
  CHECK_THAT(refused({"notes", ShardId{9}, "", label}, ErrorCode::NotFound),
             Catch::Contains("shards 0 to 1"));
  CHECK_THAT(refused({"none", ShardId{0}, "", label}, ErrorCode::NotFound),
             Catch::Contains("Collections: notes"));
  CHECK_THAT(refused({"notes", ShardId{0}, "", "node-z"}, ErrorCode::NotFound),
             Catch::Contains("node-a ("));
  CHECK_THAT(refused({"notes", ShardId{0}, "node-z", label}, ErrorCode::NotFound),
             Catch::Contains("no node \"node-z\""));
  CHECK_THAT(refused({"notes", ShardId{1}, "", label}, ErrorCode::InvalidArgument),
             Catch::Contains("already"));
}

TEST_CASE("ClusterAdmin: nodes are listed with what they say, and what keeps them silent",
          "[cluster][admin]") {
  Cluster c(3);
  c.world.make("notes", 3);
  c.world.nodes[2]->server.reset();
  c.liveness.down.insert(c.world.nodes[2]->id);
  c.world.nodes[1]->before([](const std::string& method) -> Status {
    if (method != "status") return Done{};
    return Error{ErrorCode::Internal, "cannot say"};
  });
  const auto list = c.admin->list_nodes(within(20s));
  REQUIRE(list.ok());
  CHECK(list->epoch == c.world.nodes[0]->views->current()->epoch);
  REQUIRE(list->nodes.size() == 3);
  const auto& [good, bad, gone] = std::tie(list->nodes[0], list->nodes[1], list->nodes[2]);
  CHECK(good.up);
  CHECK(good.copies == 1);
  CHECK(good.primaries == 1);
  REQUIRE(good.status);
  CHECK(good.status->disk_bytes_free == 400);
  CHECK(good.problem.empty());
  CHECK(bad.up);
  CHECK_THAT(bad.problem, Catch::Contains("cannot say"));
  CHECK_FALSE(gone.up);
  CHECK_FALSE(gone.status);
  CHECK_FALSE(gone.problem.empty());
  const auto spread = c.admin->shard_distribution(within(20s), "notes");
  REQUIRE(spread.ok());
  CHECK(spread->shards.size() == 3);
  CHECK_FALSE(spread->nodes.nodes[2].up);
  CHECK(c.admin->shard_distribution(within(20s), "none").error().code == ErrorCode::NotFound);
  CHECK(c.admin->get_operation(within(20s), "none").error().code == ErrorCode::NotFound);
}

TEST_CASE("ClusterAdmin: a node is removed only if its shards can go elsewhere",
          "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 2);
  CHECK_THAT(message_of(c.admin->remove_node(within(20s), "node-z").error(), ErrorCode::NotFound),
             Catch::Contains("node-a (") && Catch::Contains("node-b ("));
  c.liveness.down.insert(c.world.nodes[1]->id);
  CHECK_THAT(
      message_of(c.admin->remove_node(within(20s), "node-b").error(), ErrorCode::Unavailable),
      Catch::Contains("only copy of 1 shards (notes/"));
  c.liveness.down.clear();
  c.set_state(*c.world.nodes[1], NodeState::Joining);
  CHECK_THAT(message_of(c.admin->remove_node(within(20s), "node-a").error(),
                        ErrorCode::FailedPrecondition),
             Catch::Contains("last active"));
  for (const auto& node : c.world.nodes) {
    CHECK(c.world.nodes[0]->views->current()->nodes.at(node->id).record.state !=
          NodeState::Draining);
  }
}

TEST_CASE("ClusterAdmin: a node is not removed while no other can be reached", "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 2);
  c.liveness.down.insert(c.world.nodes[0]->id);
  const std::string planned =
      message_of(c.admin->plan_removal(within(20s), "node-b").error(), ErrorCode::Unavailable);
  CHECK_THAT(planned, Catch::Contains("(node-a) none can be reached"));
  CHECK(message_of(c.admin->remove_node(within(20s), "node-b").error(), ErrorCode::Unavailable) ==
        planned);
  c.world.settle();
  CHECK(c.state_of(*c.world.nodes[1]) == NodeState::Active);
  CHECK(c.world.store->list(CallContext{}, keys::kOperations)->entries.empty());
}

TEST_CASE("ClusterAdmin: a removal is cancelled, and may be asked for again", "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 4);
  auto& to = *c.world.nodes[1];
  auto& leaving = *c.world.nodes[0];
  // Nobody begins.
  to.mover->stop();
  const auto id = c.admin->remove_node(within(20s), "node-a").value().operation.value();
  CHECK(c.admin->get_operation(within(20s), id)->moves.size() == 2);
  const auto cancelled = c.admin->cancel_operation(within(20s), id);
  REQUIRE(cancelled.ok());
  CHECK(cancelled->state == OperationState::Cancelled);
  REQUIRE(cancelled->moves.size() == 2);
  for (const auto& move : cancelled->moves) {
    CHECK(move.phase == MovePhase::Aborted);
    CHECK_THAT(move.error, Catch::Contains("cancelled"));
  }
  c.world.settle();
  CHECK(c.state_of(leaving) == NodeState::Active);
  CHECK(c.admin->cancel_operation(within(20s), id)->state == OperationState::Cancelled);
  // No round goes on with it.
  CHECK(c.controller->tick(within(20s)).ok());
  CHECK(c.admin->get_operation(within(20s), id)->moves.size() == 2);
  to.restart();
  c.world.settle();
  CHECK(leaving.copies_on_disk() == 2);
  const auto again = c.admin->remove_node(within(20s), "node-a");
  REQUIRE(again.ok());
  CHECK_FALSE(again->already);
  CHECK(again->operation == id);
  const auto report = c.ended(id);
  CHECK(report.state == OperationState::Done);
  CHECK(report.moves.size() == 2);
  CHECK(c.state_of(leaving) == NodeState::Removed);
  CHECK_THAT(
      message_of(c.admin->cancel_operation(within(20s), id).error(), ErrorCode::FailedPrecondition),
      Catch::Contains("has ended (done)"));
  CHECK(c.admin->cancel_operation(within(20s), "none").error().code == ErrorCode::NotFound);
}

TEST_CASE("ClusterAdmin: of a cancelled operation goes on what has begun", "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 6);
  c.world.add_node();
  auto& to = *c.world.nodes[2];
  std::atomic<bool> asked{false};
  std::atomic<bool> go_on{false};
  for (const auto& node : c.world.nodes) {
    node->before([&](const std::string& method) -> Status {
      if (method != "read_chunk") return Done{};
      asked = true;
      eventually([&] { return go_on.load(); });
      return Done{};
    });
  }
  const auto plan = c.admin->rebalance(within(20s), std::nullopt).value().plan;
  REQUIRE(plan.moves.size() == 2);
  const auto id = c.admin->rebalance(within(20s), plan.plan_id()).value().operation.value();
  REQUIRE(eventually([&] { return asked.load(); }));
  const auto cancelled = c.admin->cancel_operation(within(20s), id);
  REQUIRE(cancelled.ok());
  CHECK(cancelled->state == OperationState::Running);
  go_on = true;
  const auto report = c.ended(id);
  CHECK(report.state == OperationState::Cancelled);
  std::size_t done = 0;
  for (const auto& move : report.moves) done += move.phase == MovePhase::Done ? 1 : 0;
  CHECK(done == 1);
  CHECK(eventually([&] { return to.copies_on_disk() == 1; }));
}

TEST_CASE("ClusterAdmin: a plan that was cancelled before it began may be carried out",
          "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 4);
  auto& to = c.world.add_node();
  to.mover->stop();
  const auto plan_id = c.admin->rebalance(within(20s), std::nullopt).value().plan.plan_id();
  REQUIRE(c.admin->rebalance(within(20s), plan_id).ok());
  CHECK(c.admin->cancel_operation(within(20s), plan_id)->state == OperationState::Cancelled);
  REQUIRE(c.admin->rebalance(within(20s), plan_id).ok());
  CHECK(c.admin->get_operation(within(20s), plan_id)->state == OperationState::Running);
  to.restart();
  CHECK(c.ended(plan_id).state == OperationState::Done);
}

TEST_CASE("Controller: rounds at the same time begin each move of a drain once",
          "[cluster][admin]") {
  Cluster c(3);
  c.world.make("notes", 6);
  for (const auto& node : c.world.nodes) node->mover->stop();
  auto& second = *c.world.nodes[1];
  Controller other(
      {second.store, *second.views, c.world.clock, [](const ClusterView&) { return Liveness{}; }},
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

TEST_CASE("ClusterAdmin: an address is contacted before a node is said to be there",
          "[cluster][admin]") {
  Cluster c(2);
  const auto member = c.admin->add_node(within(20s), c.world.nodes[1]->server->address());
  REQUIRE(member.ok());
  CHECK(member->already);
  CHECK(member->node.id == c.world.nodes[1]->id);
  CHECK(c.admin->add_node(within(20s), "nowhere").error().code == ErrorCode::InvalidArgument);
  CHECK_THAT(
      message_of(c.admin->add_node(within(20s), "127.0.0.1:1").error(), ErrorCode::Unavailable),
      Catch::Contains("127.0.0.1:1"));
  auto stranger = thrift::NodeServer::start({"test", {std::string(32, 'e'), 1, "0.1.0"}},
                                            Node::security(), {}, *c.world.nodes[1], {})
                      .value();
  CHECK_THAT(message_of(c.admin->add_node(within(20s), stranger->address()).error(),
                        ErrorCode::FailedPrecondition),
             Catch::Contains("has not joined"));
  c.set_state(*c.world.nodes[1], NodeState::Removed);
  CHECK_THAT(message_of(c.admin->add_node(within(20s), c.world.nodes[1]->server->address()).error(),
                        ErrorCode::FailedPrecondition),
             Catch::Contains("was removed"));
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
  first.catalogue->tidy(within(20s), first.id, *first.host);
  CHECK(first.views->current()->dropping.size() == 1);
  c.set_state(*c.world.nodes[1], NodeState::Removed);
  CHECK(c.controller->tick(within(20s)).ok());
  c.world.settle();
  first.catalogue->tidy(within(20s), first.id, *first.host);
  c.world.settle();
  CHECK(first.views->current()->dropping.empty());
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
      {second.store, *second.views, c.world.clock, [](const ClusterView&) { return Liveness{}; }},
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

TEST_CASE("Operations: records come back as they were, and nothing else is read",
          "[cluster][admin]") {
  OperationRecord record;
  record.kind = OperationKind::RemoveNode;
  record.node = NodeId{std::string(32, 'a')};
  record.moves.push_back(
      {"m",
       {"notes", std::string(32, 'b'), ShardId{1}, CopyId{std::string(32, 'c')},
        NodeId{std::string(32, 'a')}, NodeId{std::string(32, 'd')}, MoveReason::Drain}});
  record.made = 1;
  record.forgotten = 3;
  record.epoch = 4;
  record.cancelled = true;
  record.started_ms = 5;
  CHECK(OperationRecord::from_json(record.to_json()).value() == record);
  const auto refused = [&](const char* field, const Json& value) {
    auto json = record.to_json();
    json[field] = value;
    const auto read = OperationRecord::from_json(json);
    return !read.ok() && read.error().code == ErrorCode::Corruption;
  };
  CHECK(refused("kind", "dance"));
  CHECK(refused("made", 2));
  CHECK(refused("made", "x"));
  CHECK(refused("cancelled", "x"));
  CHECK(refused("more", 2));
  CHECK(refused("moves", Json::array({Json::object()})));
  CHECK(name(OperationKind{9}) == "unknown");
  CHECK(name(OperationState::Running) == "running");
  CHECK(name(OperationState::Done) == "done");
  CHECK(name(OperationState::Failed) == "failed");
  CHECK(name(OperationState::Cancelled) == "cancelled");
  ManualClock clock;
  TempDir dir;
  const auto store = EmbeddedStore::open(dir.path()).value();
  Operations operations(*store, clock);
  CHECK(operations.complete(within(5s), "none").ok());
  std::vector<Move> many(Operations::kMovesMax, record.moves[0].move);
  REQUIRE(
      operations.begin(within(20s), "many", operations.record_of(record.kind, many), {}).value());
  CHECK(operations.moves(within(5s))->size() == Operations::kMovesMax);
  const auto full = operations.find(within(5s), "many").value();
  REQUIRE(full);
  const std::vector<Move> too_many(Operations::kMovesMax + 1, many[0]);
  CHECK(operations.extend(within(5s), "many", *full, too_many).error().code ==
        ErrorCode::ResourceExhausted);
  // There is always room for more: the oldest are listed no longer.
  CHECK(operations.extend(within(5s), "many", *full, {many[0], many[0]}).value());
  const auto more = operations.find(within(5s), "many").value()->record;
  CHECK(more.moves.size() == Operations::kMovesMax);
  CHECK(more.made == Operations::kMovesMax);
  CHECK(more.forgotten == 2);
  CHECK(more.moves.front().id == full->record.moves[2].id);
  CHECK(operations.moves(within(5s))->size() == Operations::kMovesMax + 2);
  CHECK_FALSE(operations.extend(within(5s), "many", *full, {many[0]}).value());
  CHECK_FALSE(
      operations.begin(within(5s), "beside", record, {{{"some/key", Revision{99}}}, {}}).value());
}

TEST_CASE("LoneAdmin: shows the one server, and says how to make a cluster of it",
          "[cluster][admin]") {
  TempDir dir;
  ManualClock clock;
  LocalCollections collections(dir.path(), storage::Options{}, clock);
  CollectionSpec spec;
  spec.name = "notes";
  spec.dimension = 3;
  spec.shard_count = 2;
  REQUIRE(collections.create(CallContext{}, spec).ok());
  LoneAdmin admin([&] { return collections.view(); });
  const auto list = admin.list_nodes(CallContext{});
  REQUIRE(list.ok());
  REQUIRE(list->nodes.size() == 1);
  CHECK(list->nodes[0].up);
  CHECK(list->nodes[0].primaries == 2);
  const auto spread = admin.shard_distribution(CallContext{}, "notes");
  REQUIRE(spread.ok());
  CHECK(spread->shards.size() == 2);
  CHECK(spread->nodes.max_over_mean == 1.0);
  CHECK_THAT(
      message_of(admin.shard_distribution(CallContext{}, "none").error(), ErrorCode::NotFound),
      Catch::Contains("Collections: notes."));
  for (const auto& error :
       {admin.rebalance(CallContext{}, std::nullopt).error(),
        admin.move_shard(CallContext{}, {}).error(), admin.add_node(CallContext{}, "a:1").error(),
        admin.plan_removal(CallContext{}, "a").error(),
        admin.remove_node(CallContext{}, "a").error(),
        admin.get_operation(CallContext{}, "a").error(),
        admin.cancel_operation(CallContext{}, "a").error()}) {
    CHECK_THAT(message_of(error, ErrorCode::FailedPrecondition),
               Catch::Contains("quiver cluster init"));
  }
}

}  // namespace
}  // namespace quiver::cluster
