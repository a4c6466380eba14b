// Plans as they are stored and named, moves that people ask for, and how even a cluster is.

#include <functional>

#include "cluster/placement/distribution.h"
#include "cluster/placement/manual_move.h"
#include "cluster/placement/plan.h"
#include "cluster/placement/roles.h"
#include "tests/cluster/placement_cluster.h"

using namespace quiver;
using namespace quiver::cluster;

namespace {

std::string id(char digit) {
  return std::string(32, digit);
}

Plan example() {
  Plan plan;
  plan.epoch = 41;
  plan.moves = {
      {"docs", id('c'), ShardId{3}, std::nullopt, std::nullopt, {id('2')}, MoveReason::Refill},
      {"docs",
       id('c'),
       ShardId{4},
       CopyId{id('e')},
       NodeId{id('1')},
       {id('2')},
       MoveReason::Balance}};
  plan.role_swaps = {{"docs", id('c'), ShardId{5}, {id('1')}, {id('2')}}};
  plan.unresolved = {{"docs", ShardId{6}, "no copy left"}};
  plan.moves_left_out = 2;
  return plan;
}

void check_refused(const std::function<void(Json&)>& damage) {
  Json json = example().to_json();
  damage(json);
  INFO(json.dump());
  const auto back = Plan::from_json(json);
  REQUIRE_FALSE(back.ok());
  CHECK(back.error().code == ErrorCode::Corruption);
}

/// Three servers, 4 shards of 1 copy: 2 on node 0, 1 on each other.
PaperCluster small() {
  PaperCluster cluster;
  cluster.add_nodes(0, 2);
  cluster.store(cluster.spec("docs", 4, 1),
                {{node_id(0)}, {node_id(1)}, {node_id(2)}, {node_id(0)}});
  return cluster;
}

}  // namespace

TEST_CASE("Plan: what is stored is what is read", "[cluster][placement]") {
  for (const auto& plan : {example(), Plan{}}) {
    const auto back = Plan::from_json(Json::parse(plan.to_json().dump()));
    REQUIRE(back.ok());
    CHECK(*back == plan);
  }
  CHECK(Plan{}.empty());
  CHECK_FALSE(example().empty());
}

TEST_CASE("Plan: its id names the map and what to do about it", "[cluster][placement]") {
  const auto plan = example();
  CHECK(plan.plan_id().size() == 16);
  CHECK(example().plan_id() == plan.plan_id());
  auto other = example();
  other.epoch = 42;
  CHECK(other.plan_id() != plan.plan_id());
  other = example();
  other.moves.pop_back();
  CHECK(other.plan_id() != plan.plan_id());
  other = example();
  other.role_swaps[0].to = {id('3')};
  CHECK(other.plan_id() != plan.plan_id());
  other = example();
  other.unresolved.clear();
  CHECK(other.plan_id() == plan.plan_id());
}

TEST_CASE("Plan: a malformed one is refused", "[cluster][placement]") {
  check_refused([](Json& json) { json = Json::array(); });
  check_refused([](Json& json) { json.erase("epoch"); });
  check_refused([](Json& json) { json["more"] = 1; });
  check_refused([](Json& json) { json["epoch"] = 42; });
  check_refused([](Json& json) { json["epoch"] = -1; });
  check_refused([](Json& json) { json["plan_id"] = "0000000000000000"; });
  check_refused([](Json& json) { json["plan_id"] = 7; });
  check_refused([](Json& json) { json["moves"] = 7; });
  check_refused([](Json& json) { json["moves"][0] = 7; });
  check_refused([](Json& json) { json["moves"][0]["reason"] = "whim"; });
  check_refused([](Json& json) { json["moves"][0]["copy"] = id('e'); });
  check_refused([](Json& json) { json["moves"][1]["from"] = nullptr; });
  check_refused([](Json& json) { json["moves"][1]["to"] = "short"; });
  check_refused([](Json& json) { json["moves"][1]["to"] = id('G'); });
  check_refused([](Json& json) { json["moves"][1]["shard"] = 1.5; });
  check_refused([](Json& json) { json["moves"][1]["shard"] = std::uint64_t{1} << 32U; });
  check_refused([](Json& json) { json["role_swaps"][0].erase("to"); });
  check_refused([](Json& json) { json["unresolved"][0]["why"] = 1; });
  check_refused([](Json& json) { json["moves_left_out"] = "none"; });
}

TEST_CASE("Plan: reasons have names", "[cluster][placement]") {
  CHECK(name(MoveReason::Refill) == "refill");
  CHECK(name(MoveReason::Manual) == "manual");
  CHECK(name(MoveReason{99}) == "unknown");
}

TEST_CASE("Manual move: a good one is named in full", "[cluster][placement]") {
  auto cluster = small();
  const auto move = plan_move(cluster.view, {}, "docs", ShardId{1}, node_id(1), node_id(2));
  REQUIRE(move.ok());
  CHECK(move->reason == MoveReason::Manual);
  CHECK(move->collection_id == cluster.view.find_collection("docs")->spec.id);
  cluster.carry_out(*move);
  CHECK(cluster.held_by(2) == 2);
}

TEST_CASE("Manual move: what is not there is named", "[cluster][placement]") {
  const auto cluster = small();
  const auto refused = [&](const char* collection, std::uint32_t shard, std::uint64_t from,
                           std::uint64_t to) {
    const auto move =
        plan_move(cluster.view, {}, collection, ShardId{shard}, node_id(from), node_id(to));
    REQUIRE_FALSE(move.ok());
    CHECK(move.error().code == ErrorCode::NotFound);
    return move.error().message;
  };
  CHECK(refused("dogs", 0, 0, 1) == "there is no shard 0 of collection \"dogs\"");
  CHECK(refused("docs", 4, 0, 1) == "there is no shard 4 of collection \"docs\"");
  CHECK(refused("docs", 0, 0, 9) == "there is no node " + node_id(9).text);
  CHECK(refused("docs", 0, 9, 1) ==
        "node " + node_id(9).text + " has no copy of shard 0 of collection \"docs\"");
  CHECK(refused("docs", 0, 1, 2) ==
        "node " + node_id(1).text + " has no copy of shard 0 of collection \"docs\"");
}

TEST_CASE("Manual move: rules hold for people, too", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_node(0, 1, "a");
  cluster.add_node(1, 1, "b");
  cluster.add_node(2, 1, "b");
  cluster.add_node(3, 1, "c");
  cluster.store(cluster.spec("docs", 1, 2), {{node_id(0), node_id(1)}});
  const auto code = [&](const Liveness& liveness, std::uint64_t from, std::uint64_t to) {
    const auto move =
        plan_move(cluster.view, liveness, "docs", ShardId{0}, node_id(from), node_id(to));
    return move.ok() ? std::optional<ErrorCode>() : move.error().code;
  };
  CHECK(code({}, 0, 1) == ErrorCode::InvalidArgument);
  CHECK(code({}, 0, 2) == ErrorCode::InvalidArgument);
  CHECK_FALSE(code({}, 1, 2).has_value());
  CHECK_FALSE(code({}, 0, 3).has_value());
  CHECK(code({{node_id(3)}, {}}, 0, 3) == ErrorCode::Unavailable);
  CHECK(code({{node_id(0), node_id(1)}, {}}, 0, 3) == ErrorCode::Unavailable);
  cluster.shard("docs", ShardId{0}).copies[{paper_id("extra", 1)}] = {node_id(2), CopyState::New};
  CHECK(code({}, 0, 3) == ErrorCode::FailedPrecondition);
  cluster.set_state(3, NodeState::Draining);
  CHECK(code({}, 0, 3) == ErrorCode::FailedPrecondition);
}

TEST_CASE("Distribution: counts, targets and ratios", "[cluster][placement]") {
  auto cluster = small();
  cluster.add_node(3);
  cluster.set_state(2, NodeState::Draining);
  cluster.liveness.down = {node_id(1)};
  const auto out = distribution_of(cluster.view, cluster.liveness);
  CHECK(out.epoch == cluster.view.epoch);
  CHECK(out.copies == 4);
  CHECK(out.copies_missing == 0);
  REQUIRE(out.nodes.size() == 4);
  CHECK(out.max_over_mean == Approx(2.0 / (4.0 / 3.0)));
  CHECK(out.primaries_max_over_mean == Approx(1.5));
  std::map<std::string, NodeLoad> by_label;
  for (const auto& node : out.nodes) by_label[node.label] = node;
  CHECK(by_label["n0"].copies == 2);
  CHECK(by_label["n0"].primaries == 2);
  CHECK(by_label["n0"].copies_target == Approx(4.0 / 3.0));
  CHECK(by_label["n0"].load() == Approx(1.5));
  CHECK_FALSE(by_label["n1"].up);
  CHECK(by_label["n1"].load() == Approx(0.75));
  CHECK(by_label["n2"].state == NodeState::Draining);
  CHECK(by_label["n2"].copies == 1);
  CHECK(by_label["n2"].copies_target == 0.0);
  CHECK(by_label["n3"].load() == 0.0);
  const auto json = out.to_json();
  CHECK(json.at("nodes").size() == 4);
  CHECK(by_label["n2"].to_json().at("load").is_null());
  CHECK(by_label["n0"].to_json().at("state") == "active");
}

TEST_CASE("Distribution: lost copies are missing", "[cluster][placement]") {
  auto cluster = small();
  cluster.liveness.dead = {node_id(0)};
  const auto out = distribution_of(cluster.view, cluster.liveness);
  CHECK(out.copies == 2);
  CHECK(out.copies_missing == 2);
  CHECK(out.max_over_mean == Approx(1.0));
}

TEST_CASE("Distribution: an empty cluster is even", "[cluster][placement]") {
  PaperCluster cluster;
  cluster.add_nodes(0, 1);
  const auto out = distribution_of(cluster.view, {});
  CHECK(out.max_over_mean == 1.0);
  CHECK(out.nodes[0].load() == 0.0);
}

TEST_CASE("Roles: pass over a third server, and spread each collection", "[cluster][placement]") {
  // 0 shares shards with 1 only, and 1 with 2 only.
  std::vector<ShardRole> shards{{0, 0, {1}}, {0, 0, {1}}, {0, 1, {2}}};
  balance_roles(shards, {1, 1, 1});
  std::vector<int> led(3);
  for (const auto& shard : shards) ++led[shard.primary];
  CHECK(led == std::vector<int>{1, 1, 1});
  // Either of collection 1's, of which 0 leads more, not of collection 0's.
  std::vector<ShardRole> choice{{0, 0, {1}}, {1, 0, {1}}, {1, 0, {1}}, {0, 1, {0}}};
  balance_roles(choice, {2, 2});
  CHECK(choice[0].primary == 0);
  CHECK(choice[3].primary == 1);
}
