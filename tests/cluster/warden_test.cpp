// What people ask of shards with several copies, from the call to its end: against a store, and
// servers that do what they are asked for. Where each copy must end up is said by hand.

#include <random>

#include "tests/cluster/warden_world.h"

namespace quiver::cluster {
namespace {

using namespace testing;
using Catch::Contains;
using Places = std::vector<std::size_t>;

std::string refusal(const Error& error, ErrorCode code) {
  CHECK(error.code == code);
  return error.message;
}

const MoveRecord& only_move(const OperationReport& report) {
  REQUIRE(report.moves.size() == 1);
  return report.moves.front();
}

TEST_CASE("Warden: a copy moves, and its record says how far it is", "[cluster][warden]") {
  WardenWorld world(3, 2, {{0, 1}});
  const auto before = world.state();
  world.fills = false;
  const auto id = world.admin->move_shard(soon(), {"docs", ShardId{0}, "", "n2"}).value();
  const auto move = [&] { return only_move(world.report(id)); };
  CHECK(move().phase == MovePhase::Planned);
  CHECK(move().move.from == WardenWorld::node(0));
  world.round();
  CHECK(move().phase == MovePhase::Copying);
  REQUIRE(world.state().copies.contains(move().to_copy));
  CHECK(world.state().copies.at(move().to_copy).node == WardenWorld::node(2));
  for (int i = 0; i < 5; ++i) world.round();
  CHECK(move().phase == MovePhase::Copying);
  CHECK(world.state().in_sync == before.in_sync);
  world.fills = true;
  world.act();
  world.round();
  CHECK(move().phase == MovePhase::HandingOver);
  CHECK(world.within_rounds(10, [&] { return world.has_ended(id); }));
  CHECK(world.report(id).state == OperationState::Done);
  CHECK(move().error.empty());
  // It was the primary's; which of the others leads now is not said.
  const auto places = world.places();
  CHECK((places == Places{1, 2} || places == Places{2, 1}));
  CHECK(world.is_whole());
  CHECK(world.fewest_in_sync == 2);
  CHECK(world.state().copies.contains(move().to_copy));
}

TEST_CASE("Warden: the bytes of a copy that moves are those that its server tells",
          "[cluster][warden]") {
  WardenWorld world(3, 2, {{0, 1}});
  world.fills = false;
  const auto id = world.admin->move_shard(soon(), {"docs", ShardId{0}, "", "n2"}).value();
  const auto bytes = [&] {
    const auto move = only_move(world.report(id));
    return std::pair(move.bytes_done, move.bytes_total);
  };
  using Bytes = std::pair<std::uint64_t, std::uint64_t>;
  world.round();
  world.round();
  // It has no snapshot.
  CHECK(bytes() == Bytes{0, 0});
  auto& to = *world.servers.at(WardenWorld::node(2));
  to.bytes_total = 1'000;
  to.bytes_fetched = 300;
  world.round();
  CHECK(bytes() == Bytes{300, 1'000});
  to.bytes_fetched = 700;
  world.round();
  CHECK(bytes() == Bytes{700, 1'000});
  // A restart of that server forgets, and does not take back what was said.
  to.bytes_total = to.bytes_fetched = 0;
  world.round();
  CHECK(bytes() == Bytes{700, 1'000});
  world.fills = true;
  CHECK(world.within_rounds(10, [&] { return world.has_ended(id); }));
  CHECK(world.report(id).state == OperationState::Done);
  CHECK(bytes() == Bytes{1'000, 1'000});
}

TEST_CASE("Warden: whose copy moves a person may say", "[cluster][warden]") {
  WardenWorld world(4, 3, {{0, 1, 2}});
  const auto id = world.admin->move_shard(soon(), {"docs", ShardId{0}, "n1", "n3"}).value();
  CHECK(world.within_rounds(10, [&] { return world.has_ended(id); }));
  CHECK(world.report(id).state == OperationState::Done);
  CHECK(world.places() == Places{0, 2, 3});
  CHECK(world.state().term == Term{1});
  CHECK(world.fewest_in_sync == 3);
}

TEST_CASE("Warden: moves that cannot be are refused, and nothing is written", "[cluster][warden]") {
  WardenWorld world(4, 2, {{0, 1}});
  const auto refused = [&](const ShardMoveRequest& request, ErrorCode code) {
    return refusal(world.admin->move_shard(soon(), request).error(), code);
  };
  CHECK_THAT(refused({"docs", ShardId{0}, "", "n1"}, ErrorCode::InvalidArgument),
             Contains("\"n1\" has a copy"));
  CHECK_THAT(refused({"docs", ShardId{0}, "n1", "n0"}, ErrorCode::InvalidArgument),
             Contains("\"n0\" has a copy"));
  CHECK_THAT(refused({"docs", ShardId{0}, "n2", "n3"}, ErrorCode::NotFound),
             Contains("has no copy"));
  world.set_state(3, NodeState::Draining);
  refused({"docs", ShardId{0}, "", "n3"}, ErrorCode::FailedPrecondition);
  world.set_state(3, NodeState::Active);
  world.down(3);
  refused({"docs", ShardId{0}, "", "n3"}, ErrorCode::Unavailable);
  CHECK(world.inner->list({}, keys::kMoves)->entries.empty());
  const auto id = world.admin->move_shard(soon(), {"docs", ShardId{0}, "", "n2"}).value();
  world.up(3);
  CHECK_THAT(refused({"docs", ShardId{0}, "n1", "n3"}, ErrorCode::FailedPrecondition),
             Contains(id));
  CHECK(world.within_rounds(10, [&] { return world.has_ended(id); }));
}

TEST_CASE("Warden: a move whose target is gone fails, and the shard is as it was",
          "[cluster][warden]") {
  WardenWorld world(3, 2, {{0, 1}});
  const auto before = world.state();
  world.fills = false;
  const auto id = world.admin->move_shard(soon(), {"docs", ShardId{0}, "", "n2"}).value();
  const bool begun = GENERATE(false, true);
  if (begun) {
    world.round();
    CHECK(world.state().copies.size() == 3);
  }
  std::string why;
  SECTION("down for long") {
    world.down(2);
    for (int i = 0; i < 119; ++i) world.round();
    CHECK_FALSE(world.has_ended(id));
    why = "down for too long";
  }
  SECTION("removed") {
    world.set_state(2, NodeState::Removed);
    why = "is gone";
  }
  SECTION("drains") {
    world.set_state(2, NodeState::Draining);
    why = "not active";
  }
  CHECK(world.within_rounds(5, [&] { return world.has_ended(id); }));
  CHECK(world.report(id).state == OperationState::Failed);
  CHECK_THAT(only_move(world.report(id)).error, Contains(why));
  CHECK(world.within_rounds(3, [&] { return world.state().copies.size() == 2; }));
  CHECK(world.state().copies == before.copies);
  CHECK(world.state().in_sync == before.in_sync);
  CHECK(world.state().primary == before.primary);
}

TEST_CASE("Warden: what hinders a move stands in its record", "[cluster][warden]") {
  WardenWorld world(3, 2, {{0, 1}});
  const auto id = world.admin->move_shard(soon(), {"docs", ShardId{0}, "", "n2"}).value();
  world.down(2);
  world.round();
  const auto waiting = only_move(world.report(id));
  CHECK(waiting.phase == MovePhase::Adding);
  CHECK_THAT(waiting.error, Contains("no node that can be reached"));
  world.up(2);
  CHECK(world.within_rounds(10, [&] { return world.has_ended(id); }));
  CHECK(world.report(id).state == OperationState::Done);
  CHECK(only_move(world.report(id)).error.empty());
}

TEST_CASE("Warden: two copies come to a server at a time, and the rest may be cancelled",
          "[cluster][warden]") {
  WardenWorld world(2, 2, {{0, 1}, {1, 0}, {0, 1}, {1, 0}, {0, 1}, {1, 0}});
  world.add_node();
  world.fills = false;
  const auto plan = world.admin->rebalance(soon(), std::nullopt).value();
  // 12 copies on 3 servers: 4 each.
  REQUIRE(plan.plan.moves.size() == 4);
  const auto id = world.admin->rebalance(soon(), plan.plan.plan_id()).value().operation.value();
  for (int i = 0; i < 4; ++i) world.round();
  CHECK(world.most_filled == 1);
  CHECK(world.held()[2] == 2);
  const auto cancelled = world.admin->cancel_operation(soon(), id).value();
  CHECK(cancelled.state == OperationState::Running);
  std::size_t aborted = 0;
  for (const auto& move : cancelled.moves) aborted += move.phase == MovePhase::Aborted ? 1 : 0;
  CHECK(aborted == 2);
  world.fills = true;
  CHECK(world.within_rounds(10, [&] { return world.has_ended(id); }));
  CHECK(world.report(id).state == OperationState::Cancelled);
  CHECK(world.held()[2] == 2);
  CHECK(world.is_whole());
  CHECK(world.fewest_in_sync == 2);
}

TEST_CASE("Warden: a move that is cancelled just when it would begin does not begin",
          "[cluster][warden]") {
  WardenWorld world(3, 2, {{0, 1}});
  const auto before = world.state();
  const auto id = world.admin->move_shard(soon(), {"docs", ShardId{0}, "", "n2"}).value();
  bool raced = false;
  world.store->hook = [&] {
    if (!std::exchange(raced, true)) {
      CHECK(world.admin->cancel_operation(soon(), id)->state == OperationState::Cancelled);
    }
    return Fate::Honest;
  };
  for (int i = 0; i < 3; ++i) world.round();
  CHECK(raced);
  CHECK(world.report(id).state == OperationState::Cancelled);
  CHECK(world.state() == before);
}

TEST_CASE("Warden: answers of the store that are lost lead to the same end", "[cluster][warden]") {
  const auto fate = GENERATE(Fate::AnswerLost, Fate::RequestLost, Fate::Refused);
  WardenWorld world(3, 2, {{0, 1}});
  const auto id = world.admin->move_shard(soon(), {"docs", ShardId{0}, "", "n2"}).value();
  std::mt19937 random(7);
  world.store->hook = [&] { return random() % 2 == 0 ? fate : Fate::Honest; };
  for (int i = 0; i < 100 && !world.has_ended(id); ++i) {
    const auto unsure = world.controller->tick(soon());
    static_cast<void>(unsure.ok());
    world.act();
    world.judge();
    REQUIRE(world.views->refresh(soon()).ok());
  }
  CHECK(world.report(id).state == OperationState::Done);
  const auto places = world.places();
  CHECK((places == Places{1, 2} || places == Places{2, 1}));
  CHECK(world.fewest_in_sync == 2);
}

TEST_CASE("Warden: a rebalance moves copies, and primaries spread by themselves",
          "[cluster][warden]") {
  WardenWorld world(2, 2, {{0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}});
  const auto still = world.admin->rebalance(soon(), std::nullopt).value();
  CHECK(still.plan.empty());
  // 3 each of 6.
  CHECK(still.primaries_upkept == 3);
  world.add_node();
  const auto planned = world.admin->rebalance(soon(), std::nullopt).value();
  CHECK(planned.plan.moves.size() == 4);
  CHECK(planned.plan.role_swaps.empty());
  CHECK(planned.primaries_upkept > 0);
  const auto id = planned.plan.plan_id();
  CHECK(world.admin->rebalance(soon(), id).value().operation == id);
  CHECK_FALSE(world.admin->rebalance(soon(), std::nullopt).ok());
  CHECK(world.within_rounds(60, [&] { return world.has_ended(id); }));
  CHECK(world.report(id).state == OperationState::Done);
  CHECK(world.held() == Places{4, 4, 4});
  CHECK(world.within_rounds(120, [&] { return world.led() == Places{2, 2, 2}; }));
  CHECK(world.fewest_in_sync == 2);
  const auto after = world.admin->rebalance(soon(), std::nullopt).value();
  CHECK(after.plan.empty());
  CHECK(after.primaries_upkept == 0);
  CHECK(after.copies_upkept == 0);
}

TEST_CASE("Warden: what is made up for anyway is no part of a plan", "[cluster][warden]") {
  WardenWorld world(4, 2, {{0}, {1, 2}});
  const auto planned = world.admin->rebalance(soon(), std::nullopt).value();
  INFO(planned.plan.to_json().dump());
  CHECK(planned.plan.empty());
  CHECK(planned.copies_upkept == 1);
  CHECK(world.within_rounds(5, [&] { return world.is_whole(); }));
  CHECK(world.places(0) == Places{0, 3});
}

TEST_CASE("Warden: a server is emptied and removed, and no shard lacks a copy meanwhile",
          "[cluster][warden]") {
  WardenWorld world(3, 2, {{0, 1}, {1, 2}, {2, 0}, {0, 2}});
  const auto held = world.held();
  CHECK(held == Places{3, 2, 3});
  CHECK(world.admin->plan_removal(soon(), "n0")->moves == 3);
  const auto id = world.admin->remove_node(soon(), "n0").value().operation.value();
  CHECK(world.report(id).state == OperationState::Running);
  CHECK(world.report(id).copies_left == 3);
  world.fills = false;
  for (int i = 0; i < 5; ++i) world.round();
  // Nothing is ready that could take their place.
  CHECK(world.report(id).copies_left == 3);
  CHECK(world.report(id).moves.empty());
  CHECK(world.state_of(0) == NodeState::Draining);
  world.fills = true;
  CHECK(world.within_rounds(40, [&] { return world.has_ended(id); }));
  CHECK(world.report(id).state == OperationState::Done);
  CHECK_FALSE(world.report(id).copies_left);
  CHECK(world.state_of(0) == NodeState::Removed);
  CHECK(world.held() == Places{0, 4, 4});
  CHECK(world.is_whole());
  CHECK(world.fewest_in_sync == 2);
}

TEST_CASE("Warden: a removal that is cancelled leaves every shard with what it wants",
          "[cluster][warden]") {
  WardenWorld world(3, 2, {{0, 1}, {1, 2}, {2, 0}});
  const auto id = world.admin->remove_node(soon(), "n0").value().operation.value();
  world.round();
  CHECK(world.admin->cancel_operation(soon(), id)->state == OperationState::Cancelled);
  CHECK(world.within_rounds(20, [&] { return world.is_whole(); }));
  CHECK(world.state_of(0) == NodeState::Active);
  CHECK(world.fewest_in_sync == 2);
}

TEST_CASE("Warden: a dead server is removed once others have what it had", "[cluster][warden]") {
  WardenWorld world(4, 2, {{0, 1}, {1, 2}, {2, 0}, {3, 0}});
  world.down(0);
  const auto removal = world.admin->remove_node(soon(), "n0");
  REQUIRE(removal.ok());
  CHECK(removal->moves == 3);
  CHECK(world.within_rounds(40, [&] { return world.has_ended(*removal->operation); }));
  CHECK(world.report(*removal->operation).state == OperationState::Done);
  CHECK(world.held()[0] == 0);
  CHECK(world.is_whole());
}

TEST_CASE("Warden: a server is not removed if a shard would have too few, or is only there",
          "[cluster][warden]") {
  WardenWorld world(3, 2, {{0, 1}, {1, 0}});
  world.set_state(2, NodeState::Joining);
  CHECK_THAT(refusal(world.admin->remove_node(soon(), "n0").error(), ErrorCode::FailedPrecondition),
             Contains("keeps 2 copies"));
  world.set_state(2, NodeState::Active);
  // What had the writes beside it is behind.
  world.down(0);
  auto state = world.state();
  std::erase_if(state.in_sync, [&](const CopyId& copy) { return copy != state.primary; });
  world.put(0, state);
  CHECK_THAT(refusal(world.admin->remove_node(soon(), "n0").error(), ErrorCode::Unavailable),
             Contains("docs/0"));
  CHECK(world.state_of(0) == NodeState::Active);
}

TEST_CASE("Warden: a forced promotion is one of the cluster's administration",
          "[cluster][warden]") {
  WardenWorld world(3, 2, {{0, 1}});
  world.down(0);
  auto state = world.state();
  std::erase_if(state.in_sync, [&](const CopyId& copy) { return copy != state.primary; });
  world.put(0, state);
  world.round();
  CHECK(world.state().primary == state.primary);
  const auto spread = world.admin->shard_distribution(soon(), {}).value();
  CHECK(spread.unresolved_count == 1);
  const ShardPromotionRequest wanted{"docs", ShardId{0}, "n1", true, "the disk is gone"};
  CHECK(world.admin->force_promote(soon(), {"docs", ShardId{0}, "n9", true, "x"}).error().code ==
        ErrorCode::NotFound);
  CHECK(world.admin->force_promote(soon(), {"docs", ShardId{0}, "", false, "x"}).error().code ==
        ErrorCode::InvalidArgument);
  const auto done = world.admin->force_promote(soon(), wanted);
  REQUIRE(done.ok());
  CHECK(done->node == WardenWorld::node(1));
  CHECK(done->given_up == std::vector{state.primary});
  CHECK(done->reason == "the disk is gone");
  CHECK(*world.state().primary_node() == WardenWorld::node(1));
  CHECK(world.admin->force_promotions(soon()).value() == std::vector{*done});
  CHECK(world.within_rounds(120, [&] { return world.is_whole(); }));
  CHECK(world.admin->shard_distribution(soon(), {})->unresolved_count == 0);
}

TEST_CASE("Warden: a collection of one copy has nobody to promote", "[cluster][warden]") {
  WardenWorld world(2, 1, {{0}});
  world.down(0);
  CHECK_THAT(
      refusal(world.admin->force_promote(soon(), {"docs", ShardId{0}, "", true, "x"}).error(),
              ErrorCode::FailedPrecondition),
      Contains("one copy"));
  world.round();
  CHECK(world.servers.at(WardenWorld::node(1))->asked == 0);
}

}  // namespace
}  // namespace quiver::cluster
