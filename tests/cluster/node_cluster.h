#pragma once

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "cluster/cluster_node.h"
#include "cluster/coordination/etcd_store.h"
#include "cluster/view/keys.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "tests/cluster/etcd_cluster.h"
#include "tests/support/temp_dir.h"

namespace quiver::cluster {

/// Servers of one cluster in this process, each with its own directory and port, over a real etcd.
class NodeCluster {
 public:
  static constexpr const char* kToken = "a token of the tests of clusters";

  explicit NodeCluster(std::size_t servers, EtcdCluster::Options etcd = {})
      : etcd_(std::make_unique<EtcdCluster>(std::move(etcd))) {
    for (const int port : free_ports(servers)) {
      auto one = std::make_unique<Server>();
      one->settings.data_dir = one->dir.path();
      one->settings.http_address = "127.0.0.1:1";
      auto& options = one->settings.cluster;
      options.coordination = "etcd";
      options.name = "pond";
      options.endpoints = etcd_->endpoints();
      options.token = kToken;
      options.port = static_cast<std::uint16_t>(port);
      options.heartbeat_ms = 50;
      options.down_after_ms = 1'000;
      options.lease_s = 2;
      servers_.push_back(std::move(one));
    }
  }

  EtcdCluster& etcd() { return *etcd_; }
  ClusterNode::Settings& settings(std::size_t i) { return servers_[i]->settings; }
  std::string address(std::size_t i) { return settings(i).cluster.rpc_address(); }

  /// Begins; see joined() and refusal().
  Status begin(std::size_t i) {
    auto& one = *servers_[i];
    {
      const MutexLock lock(one.mutex);
      one.refusal.reset();
    }
    auto started = ClusterNode::start(one.settings, etcd_->http(), clock_, [&one](const Error& e) {
      const MutexLock lock(one.mutex);
      one.refusal = e;
    });
    if (!started.ok()) return started.error();
    one.node = std::move(started).value();
    return Done{};
  }
  bool joined(std::size_t i) { return servers_[i]->node->home().ok(); }
  std::optional<Error> refusal(std::size_t i) {
    const MutexLock lock(servers_[i]->mutex);
    return servers_[i]->refusal;
  }
  void start(std::size_t i) {
    const auto begun = begin(i);
    INFO((begun.ok() ? "" : begun.error().message));
    REQUIRE(begun.ok());
    REQUIRE(eventually([&] { return joined(i) || refusal(i); }));
    INFO((refusal(i) ? refusal(i)->message : ""));
    REQUIRE(joined(i));
  }
  void start_all() {
    for (std::size_t i = 0; i < servers_.size(); ++i) start(i);
    // Until each of them sees all: what is made then is spread over all.
    for (std::size_t i = 0; i < servers_.size(); ++i) {
      REQUIRE(eventually([&] {
        const auto known = view(i)->nodes;
        return known.size() == servers_.size() &&
               std::all_of(known.begin(), known.end(), [](const auto& node) {
                 return node.second.record.state == NodeState::Active && node.second.alive;
               });
      }));
    }
  }
  /// What beginning leads to.
  Error refused(std::size_t i) {
    const auto begun = begin(i);
    if (!begun.ok()) return begun.error();
    REQUIRE(eventually([&] { return refusal(i) || joined(i); }));
    REQUIRE(refusal(i));
    return *refusal(i);
  }
  void stop(std::size_t i) { servers_[i]->node.reset(); }

  ClusterNode& node(std::size_t i) { return *servers_[i]->node; }
  std::shared_ptr<ClusterHome> home(std::size_t i) { return *servers_[i]->node->home(); }
  std::shared_ptr<const ClusterView> view(std::size_t i) { return home(i)->views().current(); }
  NodeId id(std::size_t i) { return {servers_[i]->node->self().id}; }
  /// Whether server `i` calls server `of` down.
  bool is_down(std::size_t i, const NodeId& of) {
    const auto condition = home(i)->detector().condition(of);
    return condition && condition->down;
  }

 private:
  struct Server {
    TempDir dir;
    ClusterNode::Settings settings;
    Mutex mutex;
    std::optional<Error> refusal QV_GUARDED_BY(mutex);
    std::unique_ptr<ClusterNode> node;
  };

  const SystemClock clock_;
  std::unique_ptr<EtcdCluster> etcd_;
  std::vector<std::unique_ptr<Server>> servers_;
};

/// A server that is as another one says, with another id.
inline void write_node(NodeCluster& cluster, NodeRecord record) {
  const auto store = cluster.etcd().store_options();
  EtcdOptions options = store;
  options.prefix = "/quiver/pond/";
  const auto etcd = std::move(EtcdStore::make(cluster.etcd().http(), options)).value();
  const auto there = etcd->get(CallContext{}, keys::node(record.id));
  REQUIRE(there.ok());
  const auto revision = *there ? (*there)->revision : Revision{0};
  REQUIRE(*etcd->txn(CallContext{}, {{keys::node(record.id), revision}},
                     {{keys::node(record.id), record.to_json().dump()}}) == TxnOutcome::Done);
}

}  // namespace quiver::cluster
