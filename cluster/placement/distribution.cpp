#include "cluster/placement/distribution.h"

#include <algorithm>
#include <utility>

namespace quiver::cluster {
namespace {

double ratio(std::uint64_t held, double target) noexcept {
  return target > 0.0 ? static_cast<double>(held) / target : 0.0;
}

}  // namespace

double NodeLoad::load() const noexcept {
  return ratio(copies, copies_target);
}

Json NodeLoad::to_json() const {
  const Json over = copies_target > 0.0 ? Json(load()) : Json(nullptr);
  return {{"node_id", node.text},
          {"label", label},
          {"state", name(state)},
          {"up", up},
          {"copies", copies},
          {"primaries", primaries},
          {"copies_target", copies_target},
          {"primaries_target", primaries_target},
          {"load", over}};
}

Json Distribution::to_json() const {
  Json list = Json::array();
  for (const auto& node : nodes) list.push_back(node.to_json());
  return {{"epoch", epoch},
          {"nodes", std::move(list)},
          {"copies", copies},
          {"copies_missing", copies_missing},
          {"max_over_mean", max_over_mean},
          {"primaries_max_over_mean", primaries_max_over_mean}};
}

Distribution distribution_of(const ClusterView& view, const Liveness& liveness) {
  Distribution out;
  out.epoch = view.epoch;
  std::vector<Unresolved> ignored;
  const auto layout = layout_of(view, liveness, ignored);
  const auto primaries = role_shares(layout);
  for (std::size_t i = 0; i < layout.members.size(); ++i) {
    const auto& member = layout.members[i];
    NodeLoad load{member.id, member.label, view.find_node(member.id)->record.state, member.up};
    load.copies_target = layout.shares[i];
    load.primaries_target = primaries[i];
    out.nodes.push_back(std::move(load));
  }
  for (const auto& shard : layout.shards) {
    std::uint64_t kept = 0;
    for (std::size_t i = 0; i < shard.copies.size(); ++i) {
      if (!shard.copies[i].id) continue;
      auto& load = out.nodes[shard.copies[i].origin];
      ++load.copies;
      ++kept;
      if (i == shard.primary) ++load.primaries;
    }
    out.copies += kept;
    const std::uint64_t wanted =
        view.find_collection(layout.collections[shard.collection].name)->spec.replication_factor;
    out.copies_missing += wanted > kept ? wanted - kept : 0;
  }
  if (out.copies == 0) return out;
  out.max_over_mean = 0.0;
  out.primaries_max_over_mean = 0.0;
  for (const auto& load : out.nodes) {
    if (load.copies_target <= 0.0) continue;
    out.max_over_mean = std::max(out.max_over_mean, load.load());
    out.primaries_max_over_mean =
        std::max(out.primaries_max_over_mean, ratio(load.primaries, load.primaries_target));
  }
  return out;
}

}  // namespace quiver::cluster
