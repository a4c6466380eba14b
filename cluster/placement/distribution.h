#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/placement/layout.h"
#include "cluster/view/cluster_view.h"
#include "core/json.h"

namespace quiver::cluster {

struct NodeLoad {
  NodeId node;
  std::string label;
  NodeState state = NodeState::Joining;
  bool up = false;
  std::uint64_t copies = 0;
  std::uint64_t primaries = 0;
  /// Copies and primaries that it should hold; 0 unless it is active and not dead.
  double copies_target = 0.0;
  double primaries_target = 0.0;

  /// Copies over target; 0 without a target.
  double load() const noexcept;
  Json to_json() const;
};

/// How even the copies are spread.
struct Distribution {
  std::uint64_t epoch = 0;
  /// Servers that are not removed, in the order of their ids.
  std::vector<NodeLoad> nodes;
  /// On servers that are not lost.
  std::uint64_t copies = 0;
  /// Copies that shards lack, or have only on lost servers.
  std::uint64_t copies_missing = 0;
  /// The greatest load() of a server with a target; 1 if nothing is stored. With equal weights that
  /// is the fullest server over the mean. Below 1 while other servers hold what these should.
  double max_over_mean = 1.0;
  /// The same of primaries.
  double primaries_max_over_mean = 1.0;

  Json to_json() const;
};

/// Pure. Copies that are being filled count as copies.
Distribution distribution_of(const ClusterView& view, const Liveness& liveness);

}  // namespace quiver::cluster
