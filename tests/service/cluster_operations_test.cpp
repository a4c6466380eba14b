// What the tools of a cluster ask of it and make of its answers. The cluster is one that says what
// the test put into it.

#include "service/cluster_words.h"
#include "service/cursor.h"
#include "service/operations/cluster_remove_node.h"
#include "world.h"

namespace quiver::service {
namespace {

std::string id_of(char digit) {
  return std::string(32, digit);
}

cluster::Move a_move(std::uint32_t shard) {
  return {"notes",
          id_of('c'),
          ShardId{shard},
          CopyId{id_of('1')},
          NodeId{id_of('a')},
          NodeId{id_of('b')},
          cluster::MoveReason::Balance};
}

class FakeAdmin final : public cluster::ClusterAdmin {
 public:
  Result<cluster::NodeList> list_nodes(const CallContext&, const std::string& node) override {
    asked = node;
    return nodes;
  }
  Result<cluster::ShardDistribution> shard_distribution(const CallContext&,
                                                        const cluster::ShardScope& scope) override {
    asked = scope.collection + '@' + scope.node;
    return distribution;
  }
  Result<cluster::OwnState> own_state() override { return own; }
  Result<cluster::RebalanceAnswer> rebalance(const CallContext&,
                                             const std::optional<std::string>& plan_id) override {
    asked = plan_id.value_or("plan");
    cluster::RebalanceAnswer out{plan, std::nullopt, down};
    if (plan_id) out.operation = *plan_id;
    return out;
  }
  Result<std::string> move_shard(const CallContext&,
                                 const cluster::ShardMoveRequest& request) override {
    asked = request.collection + '/' + std::to_string(raw(request.shard)) + ' ' + request.from +
            ">" + request.to;
    return std::string("op-1");
  }
  Result<cluster::ForcePromotionRecord> force_promote(
      const CallContext&, const cluster::ShardPromotionRequest& request) override {
    asked = request.collection + '/' + std::to_string(raw(request.shard)) + ' ' + request.node +
            (request.accept_data_loss ? " yes " : " no ") + request.reason;
    return promotion;
  }
  Result<std::vector<cluster::ForcePromotionRecord>> force_promotions(const CallContext&) override {
    return std::vector(promotions, promotion);
  }
  Result<cluster::NodeAdded> add_node(const CallContext&, const std::string& address) override {
    asked = address;
    const auto& node = nodes.nodes.at(1);
    return cluster::NodeAdded{node.record, true, node.copies};
  }
  Result<cluster::NodeRemoval> plan_removal(const CallContext&, const std::string& node) override {
    asked = "plan " + node;
    return cluster::NodeRemoval{nodes.nodes.at(0).record, 7, std::nullopt, false};
  }
  Result<cluster::NodeRemoval> remove_node(const CallContext&, const std::string& node) override {
    asked = node;
    auto record = nodes.nodes.at(0).record;
    record.state = cluster::NodeState::Draining;
    return cluster::NodeRemoval{record, 7, record.id.text, false};
  }
  Result<cluster::OperationReport> get_operation(const CallContext&,
                                                 const std::string& id) override {
    if (id != operation.id) return Error{ErrorCode::NotFound, "there is no operation " + id};
    return operation;
  }
  Result<cluster::OperationReport> cancel_operation(const CallContext&,
                                                    const std::string& id) override {
    asked = "cancel " + id;
    return operation;
  }

  std::string asked;
  cluster::NodeList nodes;
  cluster::ShardDistribution distribution;
  cluster::Plan plan;
  std::vector<std::string> down;
  cluster::OperationReport operation;
  cluster::ForcePromotionRecord promotion;
  std::size_t promotions = 0;
  cluster::OwnState own;
};

struct Cluster : World {
  Cluster() {
    admin.nodes.epoch = 7;
    for (const char digit : {'a', 'b'}) {
      cluster::NodeReport report;
      report.record.id = NodeId{id_of(digit)};
      report.record.label = std::string("node-") + digit;
      report.record.rpc_address = "10.0.0.1:7700";
      report.record.http_address = "10.0.0.1:6333";
      report.record.state = cluster::NodeState::Active;
      admin.nodes.nodes.push_back(report);
    }
    auto& first = admin.nodes.nodes.front();
    first.up = true;
    first.copies = 3;
    first.primaries = 2;
    first.record.zone = "rack-1";
    first.status.emplace();
    first.status->load = 0.5;
    first.status->disk_bytes_total = 100;
    first.status->disk_bytes_free = 40;
    first.status->shards = {{"c", ShardId{0}, "active", {5, 0, 0}, {}},
                            {"c", ShardId{1}, "active", {6, 0, 0}, {}}};
    admin.nodes.nodes.back().problem = "connection refused";
    engine.cluster = &admin;
  }
  FakeAdmin admin;
};

TEST_CASE("cluster_list_nodes: a part of the points does not pass for all", "[service]") {
  Cluster world;
  auto& shards = world.admin.nodes.nodes.front().status->shards;
  SECTION("a shard that was not opened yet") {
    shards.back().state = "unknown";
  }
  SECTION("a shard that the server does not tell of") {
    shards.pop_back();
  }
  CHECK_FALSE(world.ok("cluster_list_nodes", Json::object())["nodes"][0].contains("points"));
}

TEST_CASE("cluster_list_nodes: says of each node what is known of it", "[service]") {
  Cluster world;
  const auto reply = world.ok("cluster_list_nodes", Json::object());
  CHECK(reply["epoch"] == 7);
  REQUIRE(reply["nodes"].size() == 2);
  const auto& up = reply["nodes"][0];
  CHECK(up["name"] == "node-a");
  CHECK(up["state"] == "active");
  CHECK(up["up"] == true);
  CHECK(up["zone"] == "rack-1");
  CHECK(up["shards"] == 3);
  CHECK(up["primaries"] == 2);
  CHECK(up["points"] == 11);
  CHECK(up["disk_bytes_free"] == 40);
  CHECK_FALSE(up.contains("problem"));
  const auto& down = reply["nodes"][1];
  CHECK(down["up"] == false);
  CHECK(down["problem"] == "connection refused");
  CHECK_FALSE(down.contains("load"));
  CHECK_FALSE(down.contains("zone"));
  CHECK(world.admin.asked.empty());
  world.ok("cluster_list_nodes", {{"node_id", "node-b"}});
  CHECK(world.admin.asked == "node-b");
  // One that is alone listens for no others.
  CHECK(up["rpc_address"] == "10.0.0.1:7700");
  auto& alone = world.admin.nodes.nodes.front().record;
  alone.rpc_address.clear();
  alone.http_address.clear();
  const auto left_out = world.ok("cluster_list_nodes", Json::object())["nodes"][0];
  CHECK_FALSE(left_out.contains("rpc_address"));
  CHECK_FALSE(left_out.contains("http_address"));
}

TEST_CASE("node_status: what this server knows without asking others", "[service]") {
  Cluster world;
  world.ok("collection_create", {{"name", "notes"}, {"dimension", 2}, {"shards", 3}});
  auto& known = world.admin.distribution;
  known.nodes.epoch = 9;
  known.nodes.copies_missing = 1;
  known.unresolved_count = 4;
  cluster::NodeLoad load;
  load.node = NodeId{id_of('a')};
  load.label = "node-a";
  load.state = cluster::NodeState::Draining;
  load.up = true;
  load.copies = 2;
  load.primaries = 1;
  known.nodes.nodes.push_back(load);
  known.shards.resize(3);
  world.admin.own = {"etcd is away", 8, {40, 3, 1, 1'700'000'000'500}, 500, 70};
  CHECK(world.ok("node_status", Json::object()) ==
        Json{{"epoch", 9},
             {"collections", 1},
             {"shards", 3},
             {"copies_missing", 1},
             {"unresolved", 4},
             {"reads_only", "etcd is away"},
             {"kept_epoch", 8},
             {"copy_comparisons", 40},
             {"copy_comparisons_undecided", 3},
             {"copies_differing", 1},
             {"copies_compared_at_ms", 1'700'000'000'500},
             {"copy_bytes_sent", 500},
             {"copy_bytes_fetched", 70},
             {"nodes", Json::array({{{"id", id_of('a')},
                                     {"name", "node-a"},
                                     {"state", "draining"},
                                     {"up", true},
                                     {"shards", 2},
                                     {"primaries", 1}}})}});
  CHECK(world.admin.asked == "@");
  CHECK(world.refused("node_status", {{"x", 1}}).code == ErrorCode::InvalidArgument);

  world.engine.cluster = nullptr;
  const Json alone = world.ok("node_status", Json::object());
  CHECK(alone["shards"] == 3);
  CHECK(alone["epoch"] == 0);
  CHECK(alone["nodes"].empty());
}

TEST_CASE("cluster_get_shard_distribution: names nodes, and says if there is more", "[service]") {
  Cluster world;
  auto& found = world.admin.distribution;
  found.nodes.epoch = 9;
  found.nodes.max_over_mean = 1.5;
  cluster::NodeLoad load;
  load.node = NodeId{id_of('a')};
  load.label = "node-a";
  load.state = cluster::NodeState::Active;
  load.copies = 3;
  load.copies_target = 2.0;
  found.nodes.nodes.push_back(load);
  cluster::ShardState state;
  state.primary = CopyId{id_of('1')};
  state.copies[CopyId{id_of('1')}] = {NodeId{id_of('a')}, cluster::CopyState::Active};
  state.copies[CopyId{id_of('2')}] = {NodeId{id_of('b')}, cluster::CopyState::New};
  state.copies[CopyId{id_of('3')}] = {NodeId{id_of('d')}, cluster::CopyState::Active};
  state.copies[CopyId{id_of('4')}] = {NodeId{id_of('e')}, cluster::CopyState::Active};
  state.in_sync = {CopyId{id_of('1')}, CopyId{id_of('3')}};
  state.term = Term{6};
  found.unresolved = {{"notes", ShardId{4}, "nobody answers"}};
  found.unresolved_count = 3;
  found.shards.push_back({"notes", ShardId{4}, state});
  const auto reply = world.ok("cluster_get_shard_distribution", {{"collection", "notes"}});
  CHECK(world.admin.asked == "notes@");
  CHECK(reply["max_over_mean"] == 1.5);
  CHECK(reply["nodes"][0]["target"] == 2.0);
  CHECK(reply["nodes"][0]["id"] == id_of('a'));
  CHECK(reply["nodes"][0]["name"] == "node-a");
  REQUIRE(reply["shards"].size() == 1);
  CHECK(reply["shards"][0]["shard"] == 4);
  CHECK(reply["shards"][0]["term"] == 6);
  CHECK(reply["shards"][0]["copies"] ==
        Json{{{"node", "node-a"}, {"state", "primary"}, {"in_sync", true}},
             {{"node", id_of('b')}, {"state", "filling"}, {"in_sync", false}},
             {{"node", id_of('d')}, {"state", "copy"}, {"in_sync", true}},
             {{"node", id_of('e')}, {"state", "copy"}, {"in_sync", false}}});
  CHECK(reply["unresolved"] ==
        Json::array({{{"collection", "notes"}, {"shard", 4}, {"why", "nobody answers"}}}));
  CHECK(reply["unresolved_count"] == 3);
  CHECK_FALSE(reply.contains("advice"));
  for (std::uint32_t i = 0; i < 5000; ++i) {
    found.shards.push_back({"notes", ShardId{i}, state});
  }
  const auto cut = world.ok("cluster_get_shard_distribution", Json::object());
  CHECK(cut["shards"].size() < 5000);
  CHECK_THAT(cut["advice"].get<std::string>(),
             Catch::Contains("of 5,001 shards: go on with cursor"));
  CHECK(compact(cut).size() <= kResultBytesMax);
}

TEST_CASE("cluster_get_shard_distribution: is read to its end", "[service]") {
  Cluster world;
  auto& found = world.admin.distribution;
  for (const char digit : {'a', 'b'}) {
    cluster::NodeLoad load;
    load.node = NodeId{id_of(digit)};
    load.label = std::string("node-") + digit;
    found.nodes.nodes.push_back(load);
  }
  for (const char* collection : {"a/b", "notes"}) {
    for (std::uint32_t i = 0; i < 1500; ++i) {
      cluster::ShardState state;
      state.primary = CopyId{id_of('1')};
      state.copies[state.primary] = {NodeId{id_of(i % 3 == 0 ? 'a' : 'b')},
                                     cluster::CopyState::Active};
      found.shards.push_back({collection, ShardId{i}, state});
    }
  }
  const auto read_all = [&](Json arguments) {
    std::vector<std::string> seen;
    for (int page = 0; page < 100; ++page) {
      const auto reply = world.ok("cluster_get_shard_distribution", arguments);
      CHECK(reply.value("nodes", Json::array()).size() == (page == 0 ? 2 : 0));
      for (const auto& one : reply["shards"]) {
        seen.push_back(one["collection"].get<std::string>() + ' ' +
                       std::to_string(one["shard"].get<int>()) + ' ' +
                       one["copies"][0]["node"].get<std::string>());
      }
      if (!reply.contains("next_cursor")) {
        CHECK(page > 0);
        return seen;
      }
      arguments["cursor"] = reply["next_cursor"];
    }
    FAIL("there is no last page");
    return seen;
  };
  std::vector<std::string> expected;
  for (const auto& shard : found.shards) {
    const bool first = raw(shard.shard) % 3 == 0;
    const auto text =
        shard.collection + ' ' + std::to_string(raw(shard.shard)) + (first ? " node-a" : " node-b");
    expected.push_back(text);
  }
  CHECK(read_all(Json::object()) == expected);
  CHECK(read_all({{"node_id", "node-a"}}) == expected);
  CHECK(world.admin.asked == "@node-a");
  const auto cursor = world.ok("cluster_get_shard_distribution", Json::object())["next_cursor"];
  CHECK(world.refused("cluster_get_shard_distribution", {{"cursor", cursor}, {"node_id", "node-a"}})
            .code == ErrorCode::InvalidArgument);
  for (const char* position : {"notes", "notes/", "notes/x", "notes/99999999999"}) {
    const auto bound = CursorBound("cluster_get_shard_distribution").add("").add("").str();
    CHECK(
        world.refused("cluster_get_shard_distribution", {{"cursor", make_cursor(bound, position)}})
            .code == ErrorCode::InvalidArgument);
  }
}

TEST_CASE("cluster_force_promote: passes on who accepts what, and tells what was given up",
          "[service]") {
  Cluster world;
  auto& record = world.admin.promotion;
  record.id = id_of('9');
  record.collection = "notes";
  record.shard = ShardId{2};
  record.copy = CopyId{id_of('3')};
  record.node = NodeId{id_of('b')};
  record.last = {Term{4}, Seq{77}};
  record.term = Term{6};
  record.given_up = {CopyId{id_of('1')}, CopyId{id_of('2')}};
  record.reason = "the rack burnt";
  record.at_ms = 1'700'000'000'000;
  const Json wanted = {{"collection", "notes"},
                       {"shard", 2},
                       {"accept_data_loss", true},
                       {"reason", "the rack burnt"}};
  const auto reply = world.ok("cluster_force_promote", wanted);
  CHECK(world.admin.asked == "notes/2  yes the rack burnt");
  CHECK(reply["promotion_id"] == id_of('9'));
  CHECK(reply["node"] == id_of('b'));
  CHECK(reply["copy"] == id_of('3'));
  CHECK(reply["term"] == 6);
  CHECK(reply["last_write"] == 77);
  CHECK(reply["given_up"] == Json{id_of('1'), id_of('2')});
  CHECK(reply["promoted_at"] == "2023-11-14T22:13:20Z");
  auto of_one = wanted;
  of_one["node"] = "node-b";
  of_one["accept_data_loss"] = false;
  world.ok("cluster_force_promote", of_one);
  CHECK(world.admin.asked == "notes/2 node-b no the rack burnt");
  for (const char* needed : {"collection", "shard", "accept_data_loss", "reason"}) {
    auto without = wanted;
    without.erase(needed);
    CHECK_THAT(world.refused("cluster_force_promote", without).message, Catch::Contains(needed));
  }
  CHECK(world.ok("cluster_list_force_promotions", Json::object()) ==
        Json{{"count", 0}, {"promotions", Json::array()}});
  world.admin.promotions = 2;
  const auto listed = world.ok("cluster_list_force_promotions", Json::object());
  CHECK(listed["count"] == 2);
  auto without_advice = reply;
  without_advice.erase("advice");
  CHECK(listed["promotions"] == Json{without_advice, without_advice});
  CHECK(reply["reason"] == "the rack burnt");
  world.admin.promotions = 5'000;
  const auto cut = world.ok("cluster_list_force_promotions", Json::object());
  CHECK(cut["count"] == 5'000);
  CHECK(cut["promotions"].size() > 10);
  CHECK(compact(cut).size() <= kResultBytesMax);

  auto silent = wanted;
  silent["reason"] = "";
  CHECK(world.refused("cluster_force_promote", silent).code == ErrorCode::InvalidArgument);

  const auto registry = catalogue();
  const auto& confirm = registry.find("cluster_force_promote")->confirmation;
  CHECK_FALSE(confirm(of_one).value().has_value());
  const auto confirmation = confirm(wanted).value();
  REQUIRE(confirmation);
  CHECK(confirmation->preview == "cluster_get_shard_distribution");
  const auto question = confirmation->question(
      world.ok(confirmation->preview.c_str(), confirmation->preview_arguments));
  REQUIRE(question);
  CHECK_THAT(question->text,
             Catch::Contains("shard 2") && Catch::Contains("notes") && Catch::Contains("lost"));
  CHECK(confirmation->confirmed == wanted);
}

TEST_CASE("cluster_rebalance: plans first, then does what was planned", "[service]") {
  Cluster world;
  CHECK_THAT(world.ok("cluster_rebalance", Json::object())["advice"].get<std::string>(),
             Catch::Contains("nothing to do"));
  world.admin.plan.epoch = 5;
  world.admin.plan.moves = {a_move(1), a_move(2)};
  world.admin.plan.unresolved = {{"notes", ShardId{3}, "no source"}};
  const auto planned = world.ok("cluster_rebalance", {{"dry_run", true}});
  CHECK(world.admin.asked == "plan");
  CHECK(planned["plan_id"] == world.admin.plan.plan_id());
  CHECK(planned["move_count"] == 2);
  CHECK(planned["moves"][1] == Json{{"collection", "notes"},
                                    {"shard", 2},
                                    {"from", id_of('a')},
                                    {"to", id_of('b')},
                                    {"reason", "balance"}});
  CHECK(planned["unresolved"][0]["why"] == "no source");
  CHECK(planned["advice"] == "carry it out by calling again with plan_id; 1 shard is unresolved");
  CHECK_FALSE(planned.contains("operation_id"));
  const auto plan_id = planned["plan_id"].get<std::string>();
  const auto begun = world.ok("cluster_rebalance", {{"plan_id", plan_id}});
  CHECK(world.admin.asked == plan_id);
  CHECK(begun["operation_id"] == plan_id);
  CHECK(world.ok("cluster_rebalance", {{"plan_id", plan_id}, {"dry_run", false}})["plan_id"] ==
        plan_id);
  CHECK_THAT(world.refused("cluster_rebalance", {{"plan_id", "x"}, {"dry_run", true}}).message,
             Catch::Contains("give one"));
  CHECK_THAT(world.refused("cluster_rebalance", {{"dry_run", false}}).message,
             Catch::Contains("ask with dry_run first"));
  for (std::uint32_t i = 0; i < 900; ++i) world.admin.plan.moves.push_back(a_move(i));
  for (std::uint32_t i = 0; i < 900; ++i) {
    world.admin.plan.unresolved.push_back({"notes", ShardId{i}, "no source"});
  }
  world.admin.plan.moves_left_out = 1'500;
  const auto cut = world.ok("cluster_rebalance", Json::object());
  CHECK(cut["move_count"] == 2402);
  CHECK_THAT(cut["advice"].get<std::string>(), Catch::Contains("of 902 moves") &&
                                                   Catch::Contains("of 901 unresolved shards") &&
                                                   Catch::Contains("1,500 more moves"));
  CHECK(cut["moves"].size() < 902);
  CHECK(compact(cut).size() <= kResultBytesMax);
}

TEST_CASE("cluster_rebalance: does not call even what cannot be helped", "[service]") {
  Cluster world;
  const auto advice = [&] {
    return world.ok("cluster_rebalance", Json::object())["advice"].get<std::string>();
  };
  CHECK(advice() == "nothing to do: every node has its share");
  world.admin.down = {"node-b"};
  CHECK(advice() == "nothing can be moved now; not reached and left out: node-b");
  world.admin.plan.unresolved = {{"notes", ShardId{3}, "no source"},
                                 {"notes", ShardId{4}, "no source"}};
  CHECK(advice() ==
        "nothing can be moved now; 2 shards are unresolved; not reached and left out: node-b");
  for (int i = 0; i < 11; ++i) world.admin.down.emplace_back("node-x");
  CHECK_THAT(advice(), Catch::Contains("node-x and 2 more"));
}

TEST_CASE("cluster_cancel_operation: says what goes on all the same", "[service]") {
  Cluster world;
  auto& report = world.admin.operation;
  report.id = "op-1";
  report.record.cancelled = true;
  report.record.forgotten = 4;
  report.state = cluster::OperationState::Running;
  for (const auto phase : {cluster::MovePhase::Done, cluster::MovePhase::Copying,
                           cluster::MovePhase::Aborted, cluster::MovePhase::Aborted}) {
    cluster::MoveRecord move;
    move.move = a_move(0);
    move.phase = phase;
    report.moves.push_back(move);
  }
  const auto reply = world.ok("cluster_cancel_operation", {{"operation_id", "op-1"}});
  CHECK(world.admin.asked == "cancel op-1");
  CHECK(reply["state"] == "running");
  CHECK(reply["moves_going_on"] == 1);
  CHECK(reply["moves_done"] == 1);
  CHECK_THAT(reply["advice"].get<std::string>(), Catch::Contains("plans anew"));
  report.record.kind = cluster::OperationKind::RemoveNode;
  CHECK_THAT(
      world.ok("cluster_cancel_operation", {{"operation_id", "op-1"}})["advice"].get<std::string>(),
      Catch::Contains("active again"));
  CHECK(world.ok("cluster_get_operation", {{"operation_id", "op-1"}})["moves_earlier"] == 4);
}

TEST_CASE("cluster_*: changes reach the cluster as they were asked for", "[service]") {
  Cluster world;
  const Json move = {{"collection", "notes"}, {"shard", 2}, {"to", "node-b"}, {"from", "node-a"}};
  CHECK(world.ok("cluster_move_shard", move)["operation_id"] == "op-1");
  CHECK(world.admin.asked == "notes/2 node-a>node-b");
  CHECK(world.refused("cluster_move_shard", {{"collection", "notes"}, {"to", "b"}}).code ==
        ErrorCode::InvalidArgument);
  CHECK(world
            .refused("cluster_move_shard",
                     {{"collection", "notes"}, {"shard", 1'000'000}, {"to", "b"}})
            .code == ErrorCode::InvalidArgument);

  const auto added = world.ok("cluster_add_node", {{"address", "10.0.0.9:7700"}});
  CHECK(world.admin.asked == "10.0.0.9:7700");
  CHECK(added["already_member"] == true);
  CHECK(added["name"] == "node-b");
  // What is next depends on what it is, and has.
  CHECK_THAT(added["advice"].get<std::string>(), Catch::StartsWith("it holds no shards until"));
  auto& member = world.admin.nodes.nodes.at(1);
  const auto advice = [&] {
    return world.ok("cluster_add_node", {{"address", "10.0.0.9:7700"}})["advice"]
        .get<std::string>();
  };
  member.copies = 4;
  CHECK_THAT(advice(), Catch::StartsWith("it is a member and holds shards (4)"));
  member.record.state = cluster::NodeState::Draining;
  CHECK_THAT(advice(), Catch::StartsWith("it is being removed"));
  member.record.state = cluster::NodeState::Joining;
  CHECK_THAT(advice(), Catch::StartsWith("it is joining"));

  const auto planned = world.ok("cluster_remove_node", {{"node_id", "node-a"}});
  CHECK(world.admin.asked == "plan node-a");
  CHECK(planned["state"] == "active");
  CHECK(planned["move_count"] == 7);
  CHECK_FALSE(planned.contains("operation_id"));
  CHECK_THAT(planned["advice"].get<std::string>(), Catch::Contains("dry_run false"));

  const auto removed = world.ok("cluster_remove_node", {{"node_id", "node-a"}, {"dry_run", false}});
  CHECK(world.admin.asked == "node-a");
  CHECK(removed["state"] == "draining");
  CHECK(removed["operation_id"] == id_of('a'));
  CHECK(removed["already_asked"] == false);
}

TEST_CASE("cluster_get_operation: sums up, and shows what has not ended well first", "[service]") {
  Cluster world;
  auto& report = world.admin.operation;
  report.id = "op-1";
  report.record.kind = cluster::OperationKind::RemoveNode;
  report.record.node = NodeId{id_of('a')};
  report.record.started_ms = 1'700'000'000'000;
  report.state = cluster::OperationState::Failed;
  cluster::MoveRecord done;
  done.move = a_move(0);
  done.phase = cluster::MovePhase::Done;
  done.bytes_done = done.bytes_total = 10;
  cluster::MoveRecord failed;
  failed.move = a_move(1);
  failed.phase = cluster::MovePhase::Failed;
  failed.bytes_done = 3;
  failed.bytes_total = 10;
  failed.error = "disk full";
  failed.attempts = 5;
  report.moves = {done, failed};
  const auto reply = world.ok("cluster_get_operation", {{"operation_id", "op-1"}});
  CHECK(reply["kind"] == "remove_node");
  CHECK(reply["state"] == "failed");
  CHECK(reply["node"] == id_of('a'));
  CHECK(reply["started_at"] == "2023-11-14T22:13:20Z");
  CHECK(reply["moves_done"] == 1);
  CHECK(reply["moves_total"] == 2);
  CHECK(reply["bytes_done"] == 13);
  CHECK(reply["bytes_total"] == 20);
  CHECK(reply["moves"][0]["error"] == "disk full");
  CHECK(reply["moves"][0]["attempts"] == 5);
  CHECK(reply["moves"][1]["phase"] == "done");
  CHECK_FALSE(reply["moves"][1].contains("error"));
  CHECK(world.refused("cluster_get_operation", {{"operation_id", "op-2"}}).code ==
        ErrorCode::NotFound);
  for (int i = 0; i < 1000; ++i) report.moves.push_back(done);
  const auto cut = world.ok("cluster_get_operation", {{"operation_id", "op-1"}});
  CHECK(cut["moves_done"] == 1001);
  CHECK(cut["moves"].size() < 1002);
  CHECK_THAT(cut["advice"].get<std::string>(), Catch::Contains("of 1,002 moves"));
}

TEST_CASE("cluster_remove_node: a person is asked with what would move", "[service]") {
  const auto operation = cluster_remove_node_operation();
  const auto asks = operation.confirmation({{"node_id", "node-a"}}).value();
  REQUIRE(asks);
  CHECK(asks->preview == "cluster_remove_node");
  CHECK(asks->preview_arguments == Json{{"node_id", "node-a"}, {"dry_run", true}});
  CHECK(asks->confirmed == Json{{"node_id", "node-a"}, {"dry_run", false}});
  const auto question = asks->question({{"already_asked", false}, {"move_count", 1}});
  REQUIRE(question);
  CHECK(question->text ==
        "Move 1 copy of a shard off the node \"node-a\", then remove it for good?");
  CHECK_FALSE(asks->question({{"already_asked", true}, {"move_count", 1}}));
  CHECK_FALSE(operation.confirmation({{"node_id", "node-a"}, {"dry_run", true}}).value());
}

TEST_CASE("cluster_*: without an administration all of them say so", "[service]") {
  Cluster world;
  world.engine.cluster = nullptr;
  const Json move = {{"collection", "notes"}, {"shard", 0}, {"to", "b"}};
  const std::vector<std::pair<const char*, Json>> calls = {
      {"cluster_list_nodes", Json::object()},
      {"cluster_get_shard_distribution", Json::object()},
      {"cluster_rebalance", Json::object()},
      {"cluster_move_shard", move},
      {"cluster_add_node", {{"address", "a:1"}}},
      {"cluster_remove_node", {{"node_id", "a"}}},
      {"cluster_cancel_operation", {{"operation_id", "a"}}},
      {"cluster_get_operation", {{"operation_id", "a"}}}};
  for (const auto& [name, arguments] : calls) {
    CHECK(world.refused(name, arguments).code == ErrorCode::FailedPrecondition);
  }
}

}  // namespace
}  // namespace quiver::service
