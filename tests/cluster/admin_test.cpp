// What people ask of a cluster, on servers that run in this process: from the plan to the shards'
// new places. How few moves are enough is counted by hand for each case.

#include "tests/cluster/admin_world.h"

namespace quiver::cluster {
namespace {

using namespace testing;

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
  c.administer();
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

/// Whether a transaction begins an operation, or goes on with it.
bool puts_operation(const std::vector<Put>& puts) {
  return std::any_of(puts.begin(), puts.end(),
                     [](const Put& put) { return put.key.starts_with(keys::kOperations); });
}

bool puts_move(const std::vector<Put>& puts) {
  return std::any_of(puts.begin(), puts.end(),
                     [](const Put& put) { return put.key.starts_with(keys::kMoves); });
}

TEST_CASE("ClusterAdmin: of those who move a shard at the same time one does", "[cluster][admin]") {
  Cluster c(3);
  c.world.make("notes", 3);
  for (const auto& node : c.world.nodes) node->mover->stop();
  auto& from = c.world.owner("notes", 0);
  auto& to = c.world.other(from);
  const ShardMoveRequest wanted{"notes", ShardId{0}, "", to.id.text};
  // The quicker one's call falls between what the slower one has read and what it writes, or
  // between the operation and the records of its moves.
  const bool begun = GENERATE(false, true);
  std::atomic<bool> raced{false};
  std::string quicker;
  Result<std::string> late = Error{ErrorCode::Internal, "not called"};
  c.world.nodes[0]->store.inject([&](const std::vector<Put>& puts) {
    if (!puts_operation(puts) || puts_move(puts) != begun || raced.exchange(true)) {
      return FaultyStore::Fault::None;
    }
    auto one = c.admin->move_shard(within(20s), wanted);
    if (begun) {
      late = one;
    } else {
      quicker = one.value();
    }
    return FaultyStore::Fault::None;
  });
  const auto outer = c.admin->move_shard(within(20s), wanted);
  REQUIRE(raced);
  if (begun) {
    quicker = outer.value();
  } else {
    late = outer;
  }
  CHECK_THAT(message_of(late.error(), ErrorCode::FailedPrecondition),
             Catch::Contains("is on the move (operation " + quicker + ")"));
  CHECK(c.world.store->list(CallContext{}, keys::kOperations)->entries.size() == 1);
  CHECK(c.world.store->list(CallContext{}, keys::kMoves)->entries.size() == 1);
}

TEST_CASE("ClusterAdmin: a plan does not move what a person moves at the same time",
          "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 4);
  auto& added = c.world.add_node();
  for (const auto& node : c.world.nodes) node->mover->stop();
  const auto plan = c.admin->rebalance(within(20s), std::nullopt).value().plan;
  REQUIRE(plan.moves.size() == 1);
  std::atomic<bool> raced{false};
  c.world.nodes[0]->store.inject([&](const std::vector<Put>& puts) {
    if (puts_operation(puts) && !raced.exchange(true)) {
      CHECK(
          c.admin->move_shard(within(20s), {"notes", plan.moves[0].shard, "", added.id.text}).ok());
    }
    return FaultyStore::Fault::None;
  });
  CHECK_THAT(message_of(c.admin->rebalance(within(20s), plan.plan_id()).error(),
                        ErrorCode::FailedPrecondition),
             Catch::Contains("on the move"));
  CHECK(c.world.store->list(CallContext{}, keys::kMoves)->entries.size() == 1);
}

TEST_CASE("ClusterAdmin: who carries out a plan at the same time as others gets its operation",
          "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 4);
  auto& to = c.world.add_node();
  const bool ends = GENERATE(false, true);
  if (!ends) to.mover->stop();
  const auto plan_id = c.admin->rebalance(within(20s), std::nullopt).value().plan.plan_id();
  std::atomic<bool> raced{false};
  c.world.nodes[0]->store.before_list([&](std::string_view prefix) {
    if (!prefix.empty() || raced.exchange(true)) return;
    CHECK(c.admin->rebalance(within(20s), plan_id)->operation == plan_id);
    if (ends) CHECK(c.ended(plan_id).state == OperationState::Done);
  });
  const auto late = c.admin->rebalance(within(20s), plan_id);
  REQUIRE(raced);
  REQUIRE(late.ok());
  CHECK(late->operation == plan_id);
  CHECK(late->plan.moves.size() == 1);
}

TEST_CASE("ClusterAdmin: a shard that is on the move is refused with its operation",
          "[cluster][admin]") {
  Cluster c(2);
  c.world.make("notes", 2);
  auto& from = c.world.owner("notes", 0);
  auto& to = c.world.other(from);
  std::atomic<bool> go_on{false};
  std::atomic<bool> asked{false};
  from.before([&](const std::string& method) -> Status {
    if (method != "read_chunk") return Done{};
    asked = true;
    eventually([&] { return go_on.load(); });
    return Done{};
  });
  const auto id = c.admin->move_shard(within(20s), {"notes", ShardId{0}, "", to.id.text}).value();
  REQUIRE(eventually([&] { return asked.load(); }));
  c.world.settle();
  CHECK(c.world.state("notes", 0).copies.size() == 2);
  const auto again = c.admin->move_shard(within(20s), {"notes", ShardId{0}, "", to.id.text});
  CHECK_THAT(message_of(again.error(), ErrorCode::FailedPrecondition),
             Catch::Contains("(operation " + id + ")"));
  go_on = true;
  CHECK(c.ended(id).state == OperationState::Done);
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
  const auto list = c.admin->list_nodes(within(20s), "");
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
  const auto spread = c.admin->shard_distribution(within(20s), {"notes"});
  REQUIRE(spread.ok());
  CHECK(spread->shards.size() == 3);
  CHECK_FALSE(spread->nodes.nodes[2].up);
  // One of them, by id or by label.
  const auto& [first, second] = std::tie(*c.world.nodes[0], *c.world.nodes[1]);
  for (const auto& name : {second.id.text, bad.record.label}) {
    const auto one = c.admin->list_nodes(within(20s), name);
    REQUIRE(one.ok());
    REQUIRE(one->nodes.size() == 1);
    CHECK(one->nodes[0].record.id == second.id);
    const auto its = c.admin->shard_distribution(within(20s), {"", name});
    REQUIRE(its.ok());
    REQUIRE(its->shards.size() == 1);
    CHECK(its->shards[0].state.copies.begin()->second.node == second.id);
    CHECK(its->nodes.nodes.size() == 3);
  }
  for (const auto& error : {c.admin->list_nodes(within(20s), "nobody").error(),
                            c.admin->shard_distribution(within(20s), {"", "nobody"}).error()}) {
    CHECK_THAT(message_of(error, ErrorCode::NotFound), Catch::Contains(first.id.text));
  }
  CHECK(c.admin->shard_distribution(within(20s), {"none"}).error().code == ErrorCode::NotFound);
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
      Catch::Contains("only copy of 1 shards (notes/") &&
          Catch::Contains("or delete these collections") &&
          !Catch::Contains("cluster_force_promote"));
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

TEST_CASE(
    "ClusterAdmin: of shards with several copies the way out of a lost node is named if it is one",
    "[cluster][admin]") {
  Cluster c(3);
  c.world.make("notes", 1);
  const auto& lost = c.world.owner("notes");
  const auto id = c.world.id_of("notes");
  const auto put = [&](const std::string& key, const Json& value) {
    REQUIRE(c.world.store->txn(CallContext{}, {}, {{key, value.dump()}}).ok());
    c.world.settle();
  };
  auto spec = c.world.nodes[0]->views->current()->find_collection("notes")->spec;
  spec.replication_factor = 2;
  put(keys::spec(id), spec.to_json());
  c.liveness.down.insert(lost.id);
  const auto why = [&] {
    return message_of(c.admin->remove_node(within(20s), lost.id.text).error(),
                      ErrorCode::Unavailable);
  };
  SECTION("no other copy") {
    CHECK_THAT(why(), Catch::Contains("only copy of 1 shards (notes/0): bring it back, or delete"));
  }
  SECTION("one that lacks writes") {
    auto state = c.world.state("notes");
    state.copies[CopyId{std::string(32, 'e')}] = {c.world.other(lost).id, CopyState::Active};
    put(keys::shard(id, ShardId{0}), state.to_json());
    CHECK_THAT(why(),
               Catch::Contains("only copy of 1 shards (notes/0): bring it back, or give up") &&
                   Catch::Contains("cluster_force_promote"));
  }
}

TEST_CASE("ClusterAdmin: a node that went a moment ago is removed only if nothing is lost with it",
          "[cluster][admin]") {
  Cluster c(3);
  // Nobody knows yet that it is down.
  c.world.nodes[1]->server.reset();
  const auto empty = c.admin->plan_removal(within(20s), "node-b");
  REQUIRE(empty.ok());
  c.world.nodes[1]->restart();
  c.world.settle();
  c.world.make("notes", 3);
  c.world.nodes[1]->server.reset();
  const auto planned =
      message_of(c.admin->plan_removal(within(20s), "node-b").error(), ErrorCode::Unavailable);
  CHECK_THAT(planned, Catch::Contains("cannot be reached (") &&
                          Catch::Contains("only copy of 1 shards (notes/"));
  CHECK(c.admin->remove_node(within(20s), "node-b").error().code == ErrorCode::Unavailable);
  c.world.settle();
  CHECK(c.state_of(*c.world.nodes[1]) == NodeState::Active);
  CHECK(c.world.store->list(CallContext{}, keys::kOperations)->entries.empty());
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

TEST_CASE("ClusterAdmin: of two who remove the last two nodes at once, one is refused",
          "[cluster][admin]") {
  Cluster c(2);
  const bool empty = GENERATE(true, false);
  if (!empty) c.world.make("notes", 2);
  c.while_judging = [&] { CHECK(c.admin->remove_node(within(20s), "node-a").ok()); };
  CHECK_THAT(message_of(c.admin->remove_node(within(20s), "node-b").error(),
                        ErrorCode::FailedPrecondition),
             Catch::Contains("last active"));
  c.world.settle();
  CHECK(c.state_of(*c.world.nodes[1]) == NodeState::Active);
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
  c.administer();
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
  c.administer();
  CHECK(c.ended(plan_id).state == OperationState::Done);
}

TEST_CASE("ClusterAdmin: an address is contacted before a node is said to be there",
          "[cluster][admin]") {
  Cluster c(2);
  const auto member = c.admin->add_node(within(20s), c.world.nodes[1]->server->address());
  REQUIRE(member.ok());
  CHECK(member->already);
  CHECK(member->node.id == c.world.nodes[1]->id);
  CHECK(member->copies == 0);
  c.world.make("notes", 4);
  CHECK(c.admin->add_node(within(20s), c.world.nodes[1]->server->address())->copies == 2);
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

}  // namespace
}  // namespace quiver::cluster
