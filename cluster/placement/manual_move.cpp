#include "cluster/placement/manual_move.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace quiver::cluster {
namespace {

ShardLayout* find_shard(Layout& layout, std::string_view collection, ShardId shard) {
  const auto found =
      std::find_if(layout.shards.begin(), layout.shards.end(), [&](const ShardLayout& one) {
        return one.shard == shard && layout.collections[one.collection].name == collection;
      });
  return found == layout.shards.end() ? nullptr : &*found;
}

Status check_target(const Member& member) {
  if (!member.counts) {
    return Error{ErrorCode::FailedPrecondition,
                 "node \"" + member.name() + "\" takes no copies: it is not active"};
  }
  if (!member.up) {
    return Error{ErrorCode::Unavailable, "node \"" + member.name() + "\" cannot be reached"};
  }
  return Done{};
}

Status check_shard(const ShardLayout& shard, const std::string& label) {
  switch (shard.hold) {
    case Hold::None: return Done{};
    case Hold::OnTheMove:
      return Error{ErrorCode::FailedPrecondition, label + " is on the move already"};
    case Hold::NoSource: break;
  }
  return Error{ErrorCode::Unavailable,
               label + " cannot be copied: no node with all of its writes can be reached"};
}

}  // namespace

Result<Move> plan_move(const ClusterView& view, const Liveness& liveness,
                       std::string_view collection, ShardId shard, const NodeId& from,
                       const NodeId& to) {
  std::vector<Unresolved> ignored;
  auto layout = layout_of(view, liveness, ignored);
  const std::string label =
      "shard " + std::to_string(raw(shard)) + " of collection \"" + std::string(collection) + '"';
  auto* found = find_shard(layout, collection, shard);
  if (found == nullptr) return Error{ErrorCode::NotFound, "there is no " + label};
  const auto target = find_member(layout.members, to);
  if (target == kNowhere) return Error{ErrorCode::NotFound, "there is no node " + to.text};
  const auto source = find_member(layout.members, from);
  const auto copy =
      std::find_if(found->copies.begin(), found->copies.end(),
                   [&](const CopyLayout& one) { return one.id && one.origin == source; });
  if (source == kNowhere || copy == found->copies.end()) {
    return Error{ErrorCode::NotFound, "node " + from.text + " has no copy of " + label};
  }
  QV_CHECK(check_target(layout.members[target]));
  QV_CHECK(check_shard(*found, label));
  if (found->knows(target)) {
    return Error{ErrorCode::InvalidArgument, "node \"" + layout.members[target].name() +
                                                 "\" has a copy of " + label + " already"};
  }
  if (!layout.fits(*found, static_cast<std::size_t>(copy - found->copies.begin()), target)) {
    return Error{ErrorCode::InvalidArgument,
                 "the zone of node \"" + layout.members[target].name() +
                     "\" has as many copies of " + label +
                     " as it may: they would fail together; choose a node of another zone"};
  }
  const auto& owner = layout.collections[found->collection];
  return Move{owner.name, owner.id, shard, copy->id, from, to, MoveReason::Manual};
}

}  // namespace quiver::cluster
