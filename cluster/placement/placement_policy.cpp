#include "cluster/placement/placement_policy.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "cluster/placement/dealer.h"
#include "cluster/placement/roles.h"
#include "cluster/placement/slots.h"

namespace quiver::cluster {
namespace {

/// So heavy that a server that is up has its fill before one that is down gets anything.
constexpr double kUpOverDown = 1e12;
constexpr double kMillion = 1e6;
constexpr double kTolerance = 1e-6;

struct Need {
  std::int64_t excess;
  std::uint64_t hash;
  std::size_t member;
  auto operator<=>(const Need&) const = default;
};

class Placer {
 public:
  Placer(const ClusterView& view, const CollectionSpec& spec, const Liveness& liveness)
      : view_(view), spec_(spec), layout_(layout_of(view, liveness, ignored_)) {}

  Result<Placement> place() {
    QV_CHECK(choose_members());
    per_zone_ = member_zone_limit(layout_.members, spec_.replication_factor);
    shares_ = member_shares(layout_.members, spec_.shard_count, copies(), per_zone_);
    deal();
    choose_primaries();
    Placement out;
    for (const auto& shard : chosen_) {
      auto& nodes = out.emplace_back();
      for (const auto member : shard) nodes.push_back(layout_.members[member].id);
    }
    return out;
  }

 private:
  std::uint64_t copies() const {
    return std::uint64_t{spec_.shard_count} * spec_.replication_factor;
  }

  /// Servers that are down do not count, unless the others are too few.
  Status choose_members() {
    std::size_t usable = 0;
    std::size_t up = 0;
    for (const auto& member : layout_.members) {
      if (member.counts) ++usable;
      if (member.takes()) ++up;
    }
    if (usable < spec_.replication_factor) return too_few(usable);
    if (up == 0) {
      return Error{ErrorCode::Unavailable, "none of the nodes that could hold collection \"" +
                                               spec_.name + "\" can be reached"};
    }
    const bool enough = up >= spec_.replication_factor;
    for (auto& member : layout_.members) {
      if (enough) {
        member.counts = member.takes();
      } else if (member.takes()) {
        member.seat.weight *= kUpOverDown;
      }
    }
    return Done{};
  }

  Error too_few(std::size_t usable) const {
    return {ErrorCode::FailedPrecondition,
            "collection \"" + spec_.name + "\" wants " + std::to_string(spec_.replication_factor) +
                " copies of each shard on different nodes, but of active nodes there are " +
                std::to_string(usable) + "; add nodes or ask for fewer copies"};
  }

  /// Members in the order in which they get what rounding leaves over.
  std::vector<std::size_t> order_of_need() const {
    std::vector<Need> needs;
    for (std::size_t i = 0; i < layout_.members.size(); ++i) {
      const auto& member = layout_.members[i];
      if (!member.counts) continue;
      const auto excess = std::llround(layout_.excess(i) * kMillion) -
                          static_cast<std::int64_t>(fraction_part(shares_[i]));
      needs.push_back({excess, placement_hash(spec_.id + member.id.text, ShardId{0}, 0, 0), i});
    }
    std::sort(needs.begin(), needs.end());
    std::vector<std::size_t> out;
    out.reserve(needs.size());
    for (const auto& need : needs) out.push_back(need.member);
    return out;
  }

  void deal() {
    std::vector<Seat> seats;
    RoundingLimits limits;
    for (const auto& member : layout_.members) {
      seats.push_back(member.seat);
      limits.seats.push_back(member.counts ? spec_.shard_count : 0);
    }
    limits.zones.resize(layout_.zone_count, std::uint64_t{spec_.shard_count} * per_zone_);
    auto quotas = round_shares(shares_, seats, copies(), limits, order_of_need());
    Dealer dealer(std::move(seats), layout_.zone_count, per_zone_, std::move(quotas));
    for (std::uint32_t shard = 0; shard < spec_.shard_count; ++shard) {
      chosen_.push_back(dealer.deal(spec_.replication_factor, spec_.shard_count - shard,
                                    [&](std::uint32_t replica, std::uint32_t attempt) {
                                      const auto node = preferred_node(
                                          view_.slots, spec_.id, ShardId{shard}, replica, attempt);
                                      return node ? find_member(layout_.members, *node)
                                                  : Dealer::no_seat();
                                    }));
    }
  }

  /// Puts the primary of each shard first. The other collections keep theirs, but they count.
  void choose_primaries() {
    auto shares = role_shares(layout_);
    for (std::size_t i = 0; i < shares.size(); ++i) {
      shares[i] += shares_[i] / spec_.replication_factor;
    }
    std::vector<ShardRole> roles;
    for (const auto& shard : layout_.shards) {
      if (shard.primary != kNowhere)
        roles.push_back({shard.collection, shard.copies[shard.primary].origin, {}});
    }
    const auto others = roles.size();
    std::vector<double> excess(shares.size());
    for (std::size_t i = 0; i < shares.size(); ++i) excess[i] = -shares[i];
    for (const auto& role : roles) excess[role.primary] += 1.0;
    for (const auto& shard : chosen_) {
      ShardRole role{layout_.collections.size(), kNowhere, {}};
      for (const auto member : shard) {
        if (layout_.members[member].up) role.others.push_back(member);
      }
      const auto first = std::min_element(
          role.others.begin(), role.others.end(),
          [&](std::size_t a, std::size_t b) { return excess[a] < excess[b] - kTolerance; });
      role.primary = *first;
      role.others.erase(first);
      excess[role.primary] += 1.0;
      roles.push_back(std::move(role));
    }
    balance_roles(roles, shares);
    for (std::size_t i = 0; i < chosen_.size(); ++i) {
      auto& shard = chosen_[i];
      const auto primary = std::find(shard.begin(), shard.end(), roles[others + i].primary);
      std::rotate(shard.begin(), primary, primary + 1);
    }
  }

  const ClusterView& view_;
  const CollectionSpec& spec_;
  std::vector<Unresolved> ignored_;
  Layout layout_;
  std::uint32_t per_zone_ = 1;
  /// Of the new collection, by member.
  std::vector<double> shares_;
  /// By shard: members.
  std::vector<std::vector<std::size_t>> chosen_;
};

}  // namespace

Result<Placement> place(const ClusterView& view, const CollectionSpec& spec,
                        const Liveness& liveness) {
  QV_CHECK(spec.validate());
  return Placer(view, spec, liveness).place();
}

}  // namespace quiver::cluster
