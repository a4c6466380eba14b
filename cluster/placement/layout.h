#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/placement/fair_shares.h"
#include "cluster/placement/plan.h"
#include "cluster/view/cluster_view.h"

namespace quiver::cluster {

/// Which servers are out of reach, as the caller judges it.
struct Liveness {
  /// Get no copies and give none away; what they hold is theirs when they return.
  std::set<NodeId> down;
  /// Will not return: what they hold is to be made anew elsewhere. They count as down, too.
  std::set<NodeId> dead;
};

/// The servers of `view` without a sign of life are down; none is dead.
Liveness liveness_of(const ClusterView& view);

inline constexpr std::size_t kNowhere = std::numeric_limits<std::size_t>::max();

/// A server that is not removed; named by its position in Layout::members.
struct Member {
  NodeId id;
  std::string label;
  Seat seat;
  bool up = false;
  /// Has a share of the copies: it is active and not dead.
  bool counts = false;
  bool draining = false;

  /// For people.
  const std::string& name() const noexcept { return label.empty() ? id.text : label; }
  bool takes() const noexcept { return counts && up; }
};

struct CopyLayout {
  /// Absent: a copy that is missing.
  std::optional<CopyId> id;
  /// Where it is, and where it should be.
  std::size_t origin = kNowhere;
  std::size_t at = kNowhere;
  /// Holds all acknowledged writes.
  bool in_sync = false;
  /// Still being filled: it does not move again for balance.
  bool filling = false;
  /// Why it cannot stay where it is; meaningless for a copy that can.
  MoveReason reason = MoveReason::Balance;
};

/// A copy whose server is dead or removed.
struct LostCopy {
  CopyId id;
  NodeId node;
};

/// Why no copy of a shard may be moved.
enum class Hold : std::uint8_t {
  None,
  /// It has more copies than it wants.
  OnTheMove,
  /// No server with all of its writes can be reached.
  NoSource,
};

struct ShardLayout {
  std::size_t collection = 0;
  ShardId shard{0};
  std::vector<CopyLayout> copies;
  std::vector<LostCopy> lost;
  /// Position in `copies`; kNowhere: it is lost.
  std::size_t primary = kNowhere;
  Hold hold = Hold::None;

  bool fixed() const noexcept { return hold != Hold::None; }

  /// Whether one of the copies comes from `member`: to be there costs no move.
  bool knows(std::size_t member) const noexcept;
};

struct CollectionLayout {
  std::string name;
  std::string id;
  /// Copies of each shard, and most of them in one zone.
  std::uint32_t copies = 0;
  std::uint32_t per_zone = 0;
  /// By member: copies it should hold, and holds.
  std::vector<double> shares;
  std::vector<std::uint64_t> held;
};

/// All copies of the cluster, as a planner moves them about.
struct Layout {
  std::vector<Member> members;
  std::size_t zone_count = 0;
  std::vector<CollectionLayout> collections;
  std::vector<ShardLayout> shards;
  /// By member, over all collections: copies it should hold, and holds.
  std::vector<double> shares;
  std::vector<std::uint64_t> held;

  /// How far a member is above its share.
  double excess(std::size_t member) const;
  double excess(std::size_t member, std::size_t collection) const;
  /// Whether copy number `copy` of `shard` may be at `member`: the member takes copies, has no
  /// other one of this shard, and its zone has room for one beside the others.
  bool fits(const ShardLayout& shard, std::size_t copy, std::size_t member) const;
  /// Whether a copy may be moved away from where it is to even out the load.
  bool movable(const ShardLayout& shard, std::size_t copy) const;
  /// Puts a copy somewhere, kNowhere included, and keeps the counts.
  void put(ShardLayout& shard, std::size_t copy, std::size_t member);
};

/// The member of this id; kNowhere if there is none.
std::size_t find_member(const std::vector<Member>& members, const NodeId& id);

/// The servers of a view in the order of their ids, and how many zones they are in.
std::vector<Member> members_of(const ClusterView& view, const Liveness& liveness,
                               std::size_t& zone_count);

/// By member: a fair share of the copies of a collection with this many shards and this many copies
/// of each, given the most that a zone may hold of a shard. 0 for members that do not count.
std::vector<double> member_shares(const std::vector<Member>& members, std::uint64_t shards,
                                  std::uint64_t copies, std::uint32_t per_zone);
/// zone_limit() of the members that count.
std::uint32_t member_zone_limit(const std::vector<Member>& members, std::uint32_t copies);

/// By member: a fair share of the primaries of all collections.
std::vector<double> role_shares(const Layout& layout);

/// The copies of a view. Those that cannot stay (their server drains or is lost) and those that are
/// missing are nowhere; those that cannot be helped are fixed and named in `unresolved`.
Layout layout_of(const ClusterView& view, const Liveness& liveness,
                 std::vector<Unresolved>& unresolved);

}  // namespace quiver::cluster
