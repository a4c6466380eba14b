#include "cluster/placement/layout.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

namespace quiver::cluster {
namespace {

std::uint32_t count_members(const std::vector<Member>& members) {
  return static_cast<std::uint32_t>(std::count_if(
      members.begin(), members.end(), [](const Member& member) { return member.counts; }));
}

/// Positions of the members that have a share, and their seats.
std::pair<std::vector<std::size_t>, std::vector<Seat>> seats_of(
    const std::vector<Member>& members) {
  std::pair<std::vector<std::size_t>, std::vector<Seat>> out;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!members[i].counts) continue;
    out.first.push_back(i);
    out.second.push_back(members[i].seat);
  }
  return out;
}

/// Whether some server that runs has all acknowledged writes of the shard.
bool has_source(const std::vector<Member>& members, const ShardState& state) {
  return std::any_of(state.in_sync.begin(), state.in_sync.end(), [&](const CopyId& copy) {
    const auto place = state.copies.find(copy);
    if (place == state.copies.end()) return false;
    const auto member = find_member(members, place->second.node);
    return member != kNowhere && members[member].up;
  });
}

std::string copies_text(std::size_t count) {
  return std::to_string(count) + (count == 1 ? " copy" : " copies");
}

class LayoutBuilder {
 public:
  LayoutBuilder(const Liveness& liveness, Layout& layout, std::vector<Unresolved>& unresolved)
      : liveness_(liveness), layout_(layout), unresolved_(unresolved) {}

  void add(const CollectionView& collection) {
    CollectionLayout out;
    out.name = collection.spec.name;
    out.id = collection.spec.id;
    wanted_ = collection.spec.replication_factor;
    out.copies = std::min(wanted_, count_members(layout_.members));
    out.per_zone = member_zone_limit(layout_.members, out.copies);
    out.held.resize(layout_.members.size(), 0);
    layout_.collections.push_back(std::move(out));
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < collection.shards.size(); ++i) {
      total += add(collection.shards[i], ShardId{static_cast<std::uint32_t>(i)});
    }
    auto& added = layout_.collections.back();
    added.shares = member_shares(layout_.members, collection.shards.size(), total, added.per_zone);
    for (std::size_t i = 0; i < layout_.members.size(); ++i) layout_.shares[i] += added.shares[i];
  }

 private:
  /// How many copies the shard will have at members that count.
  std::uint64_t add(const ShardState& state, ShardId number) {
    ShardLayout shard;
    shard.collection = layout_.collections.size() - 1;
    shard.shard = number;
    for (const auto& [copy, place] : state.copies) {
      const auto member = find_member(layout_.members, place.node);
      if (member == kNowhere || liveness_.dead.contains(place.node)) {
        shard.lost.push_back({copy, place.node});
      } else {
        if (copy == state.primary) shard.primary = shard.copies.size();
        CopyLayout kept{copy, member};
        kept.in_sync = std::binary_search(state.in_sync.begin(), state.in_sync.end(), copy);
        kept.filling = place.state == CopyState::New;
        shard.copies.push_back(std::move(kept));
      }
    }
    judge(state, shard);
    for (std::size_t i = 0; i < shard.copies.size(); ++i) {
      const auto origin = shard.copies[i].origin;
      if (shard.fixed() || (origin != kNowhere && !layout_.members[origin].draining)) {
        layout_.put(shard, i, origin);
      }
    }
    const auto copies = shard.fixed() ? at_members_that_count(shard) : goal();
    layout_.shards.push_back(std::move(shard));
    return copies;
  }

  /// Decides whether the shard can be helped, and adds the copies that are missing.
  void judge(const ShardState& state, ShardLayout& shard) {
    const auto kept = shard.copies.size();
    const bool drains =
        std::any_of(shard.copies.begin(), shard.copies.end(),
                    [&](const auto& copy) { return layout_.members[copy.origin].draining; });
    if (kept > wanted_) {
      shard.hold = Hold::OnTheMove;
      report(shard, "is on the move: it has " + copies_text(kept) + " instead of " +
                        std::to_string(wanted_));
    } else if (!has_source(layout_.members, state)) {
      shard.hold = Hold::NoSource;
      if (kept < wanted_ || drains) {
        report(shard, "no server with all of its writes can be reached, so nothing can be copied");
      }
    } else {
      if (kept < wanted_ && goal() < wanted_) {
        report(shard, "wants " + copies_text(wanted_) +
                          " on different nodes, but of active nodes there are " +
                          std::to_string(goal()));
      }
      for (auto& copy : shard.copies) {
        if (layout_.members[copy.origin].draining) copy.reason = MoveReason::Drain;
      }
      for (auto i = kept; i < goal(); ++i) {
        CopyLayout missing;
        missing.reason = MoveReason::Refill;
        shard.copies.push_back(std::move(missing));
      }
    }
  }

  void report(const ShardLayout& shard, std::string why) {
    unresolved_.push_back({layout_.collections.back().name, shard.shard, std::move(why)});
  }

  std::uint64_t at_members_that_count(const ShardLayout& shard) const {
    return static_cast<std::uint64_t>(
        std::count_if(shard.copies.begin(), shard.copies.end(),
                      [&](const CopyLayout& copy) { return layout_.members[copy.at].counts; }));
  }

  std::uint64_t goal() const { return layout_.collections.back().copies; }

  const Liveness& liveness_;
  Layout& layout_;
  std::vector<Unresolved>& unresolved_;
  std::uint32_t wanted_ = 0;
};

}  // namespace

Liveness liveness_of(const ClusterView& view) {
  Liveness out;
  for (const auto& [id, node] : view.nodes) {
    if (!node.alive) out.down.insert(id);
  }
  return out;
}

bool ShardLayout::knows(std::size_t member) const noexcept {
  return std::any_of(copies.begin(), copies.end(),
                     [&](const CopyLayout& copy) { return copy.origin == member; });
}

double Layout::excess(std::size_t member) const {
  return static_cast<double>(held[member]) - shares[member];
}

double Layout::excess(std::size_t member, std::size_t collection) const {
  const auto& one = collections[collection];
  return static_cast<double>(one.held[member]) - one.shares[member];
}

bool Layout::fits(const ShardLayout& shard, std::size_t copy, std::size_t member) const {
  if (!members[member].takes()) return false;
  std::uint32_t in_zone = 0;
  for (std::size_t i = 0; i < shard.copies.size(); ++i) {
    const auto at = shard.copies[i].at;
    if (i == copy || at == kNowhere) continue;
    if (at == member) return false;
    if (members[at].seat.zone == members[member].seat.zone) ++in_zone;
  }
  return in_zone < collections[shard.collection].per_zone;
}

bool Layout::movable(const ShardLayout& shard, std::size_t copy) const {
  const auto& one = shard.copies[copy];
  if (shard.fixed() || one.at == kNowhere) return false;
  if (one.at != one.origin) return true;
  return members[one.at].takes() && !one.filling;
}

void Layout::put(ShardLayout& shard, std::size_t copy, std::size_t member) {
  auto& at = shard.copies[copy].at;
  auto& collection = collections[shard.collection];
  if (at != kNowhere) {
    --held[at];
    --collection.held[at];
  }
  at = member;
  if (at != kNowhere) {
    ++held[at];
    ++collection.held[at];
  }
}

std::size_t find_member(const std::vector<Member>& members, const NodeId& id) {
  const auto found = std::lower_bound(
      members.begin(), members.end(), id,
      [](const Member& member, const NodeId& wanted) { return member.id < wanted; });
  if (found == members.end() || found->id != id) return kNowhere;
  return static_cast<std::size_t>(found - members.begin());
}

std::vector<Member> members_of(const ClusterView& view, const Liveness& liveness,
                               std::size_t& zone_count) {
  std::vector<Member> out;
  std::map<std::string_view, std::size_t> zones;
  zone_count = 0;
  for (const auto& [id, node] : view.nodes) {
    const auto& record = node.record;
    if (record.state == NodeState::Removed) continue;
    const bool dead = liveness.dead.contains(id);
    Member member{id, record.label, {record.weight, zone_count}, false, false, false};
    member.up = !dead && !liveness.down.contains(id);
    member.counts = !dead && record.state == NodeState::Active;
    member.draining = record.state == NodeState::Draining;
    // A server without a zone fails alone.
    const auto known = record.zone.empty() ? zones.end() : zones.find(record.zone);
    if (known != zones.end()) {
      member.seat.zone = known->second;
    } else {
      if (!record.zone.empty()) zones.emplace(record.zone, zone_count);
      ++zone_count;
    }
    out.push_back(std::move(member));
  }
  return out;
}

std::vector<double> member_shares(const std::vector<Member>& members, std::uint64_t shards,
                                  std::uint64_t copies, std::uint32_t per_zone) {
  const auto [places, seats] = seats_of(members);
  const auto dense = fair_shares(seats, shards, copies, per_zone);
  std::vector<double> out(members.size(), 0.0);
  for (std::size_t i = 0; i < places.size(); ++i) out[places[i]] = dense[i];
  return out;
}

std::uint32_t member_zone_limit(const std::vector<Member>& members, std::uint32_t copies) {
  return zone_limit(seats_of(members).second, copies);
}

std::vector<double> role_shares(const Layout& layout) {
  std::vector<double> out(layout.members.size(), 0.0);
  for (const auto& collection : layout.collections) {
    if (collection.copies == 0) continue;
    for (std::size_t i = 0; i < out.size(); ++i) out[i] += collection.shares[i] / collection.copies;
  }
  return out;
}

Layout layout_of(const ClusterView& view, const Liveness& liveness,
                 std::vector<Unresolved>& unresolved) {
  Layout layout;
  layout.members = members_of(view, liveness, layout.zone_count);
  layout.shares.resize(layout.members.size(), 0.0);
  layout.held.resize(layout.members.size(), 0);
  LayoutBuilder builder(liveness, layout, unresolved);
  for (const auto& [name, collection] : view.collections) builder.add(*collection);
  return layout;
}

}  // namespace quiver::cluster
