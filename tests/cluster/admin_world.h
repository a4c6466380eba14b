#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "cluster/admin/controller.h"
#include "cluster/admin/node_admin.h"
#include "tests/cluster/move_world.h"

namespace quiver::cluster::testing {

/// Servers, and the administration on the first of them.
struct Cluster {
  explicit Cluster(int nodes) : world(nodes) { administer(); }
  /// Anew, as after a restart of the first of them.
  void administer() {
    auto& node = *world.nodes.front();
    const auto judge = [this](const ClusterView&) {
      if (while_judging) std::exchange(while_judging, nullptr)();
      return liveness;
    };
    Controller::Options often;
    often.every = 10ms;
    often.operations_kept = 2;
    admin.reset();
    controller = std::make_unique<Controller>(
        Controller::Parts{node.store, *node.views, world.clock, judge, *node.fan_out, reach(node)},
        node.id, often);
    admin = std::make_unique<NodeAdmin>(
        NodeAdmin::Parts{node.store, *node.views, *node.peers, *node.fan_out, *controller,
                         world.clock, judge, reach(node)},
        NodeAdmin::Options{5s, 50ms});
  }
  static ReachNode reach(const Node& from) {
    return [&from](const ClusterView& view,
                   const NodeId& to) -> Result<std::shared_ptr<thrift::NodeHandler>> {
      QV_TRY(auto client, from.peers->client(view, to));
      return std::shared_ptr<thrift::NodeHandler>(std::move(client));
    };
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
    return admin->shard_distribution(within(20s), {})->nodes.max_over_mean;
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
  /// Called once, between what a change has read and what it writes.
  std::function<void()> while_judging;
  std::unique_ptr<Controller> controller;
  std::unique_ptr<NodeAdmin> admin;
};

inline std::string message_of(const Error& error, ErrorCode code) {
  CHECK(error.code == code);
  return error.message;
}

}  // namespace quiver::cluster::testing
