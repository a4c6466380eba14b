#include "cluster/admin/view_reports.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/text.h"

namespace quiver::cluster {
namespace {

// Names that a message lists.
constexpr std::size_t kNamed = 20;
constexpr std::size_t kShownBytes = 80;

std::string shown(const std::string& text) {
  return '"' + std::string(utf8_prefix(text, kShownBytes)) + '"';
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size() && i < kNamed; ++i) {
    if (i > 0) out += ", ";
    out += names[i];
  }
  if (names.size() > kNamed) out += " and " + std::to_string(names.size() - kNamed) + " more";
  return out;
}

bool is_on(const ShardState& shard, const NodeId& node) {
  return std::any_of(shard.copies.begin(), shard.copies.end(),
                     [&](const auto& copy) { return copy.second.node == node; });
}

}  // namespace

Held held_by(const ClusterView& view, const NodeId& node) {
  Held out;
  for (const auto& [unused, collection] : view.collections) {
    for (const auto& state : collection->shards) {
      for (const auto& [copy, place] : state.copies) {
        if (place.node != node) continue;
        ++out.copies;
        if (copy == state.primary) ++out.primaries;
      }
    }
  }
  return out;
}

Result<NodeList> list_of(const ClusterView& view, const Liveness& liveness,
                         const std::string& wanted) {
  std::optional<NodeId> only;
  if (!wanted.empty()) {
    QV_TRY(auto node, node_named(view, wanted));
    only = std::move(node.id);
  }
  NodeList out;
  out.epoch = view.epoch;
  for (const auto& [id, node] : view.nodes) {
    if (node.record.state == NodeState::Removed || (only && id != *only)) continue;
    NodeReport report;
    report.record = node.record;
    report.up = !liveness.down.contains(id) && !liveness.dead.contains(id);
    const auto held = held_by(view, id);
    report.copies = held.copies;
    report.primaries = held.primaries;
    out.nodes.push_back(std::move(report));
  }
  return out;
}

Result<ShardDistribution> shards_of(const ClusterView& view, const Liveness& liveness,
                                    const ShardScope& scope) {
  const auto& collection = scope.collection;
  std::optional<NodeId> only;
  if (!scope.node.empty()) {
    QV_TRY(auto node, node_named(view, scope.node));
    only = std::move(node.id);
  }
  ShardDistribution out{distribution_of(view, liveness), {}};
  if (!collection.empty() && view.find_collection(collection) == nullptr) {
    std::vector<std::string> names;
    for (const auto& [known, unused] : view.collections) names.push_back(known);
    return Error{ErrorCode::NotFound,
                 "collection " + shown(collection) + " not found. " +
                     (names.empty() ? "There are none." : "Collections: " + listed(names) + ".")};
  }
  for (const auto& [known, one] : view.collections) {
    if (!collection.empty() && known != collection) continue;
    for (std::uint32_t i = 0; i < one->shards.size(); ++i) {
      if (only && !is_on(one->shards[i], *only)) continue;
      out.shards.push_back({known, ShardId{i}, one->shards[i]});
    }
  }
  return out;
}

Result<NodeRecord> node_named(const ClusterView& view, const std::string& wanted) {
  std::vector<std::string> names;
  for (const auto& [id, node] : view.nodes) {
    if (node.record.state == NodeState::Removed) {
      if (id.text == wanted) {
        return Error{ErrorCode::NotFound, "node " + shown(wanted) + " was removed"};
      }
      continue;
    }
    if (id.text == wanted || node.record.label == wanted) return node.record;
    names.push_back(node.record.label.empty() ? id.text : node.record.label + " (" + id.text + ')');
  }
  return Error{ErrorCode::NotFound,
               "there is no node " + shown(wanted) + ". Nodes: " + listed(names) + '.'};
}

}  // namespace quiver::cluster
