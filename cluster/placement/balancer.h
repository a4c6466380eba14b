#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "cluster/placement/layout.h"

namespace quiver::cluster {

/// Moves the copies of a layout until each member holds its share, with as few moves as lead there.
///
/// The shares are first rounded to whole goals, in favour of those who hold more already. Copies
/// that must move go where goals are not met. Then copies go from members above their goal to
/// members below it: directly, and where distinctness or zones forbid that, over third members.
class Balancer {
 public:
  /// Borrows the layout for its own life; its shards must stay where they are.
  Balancer(Layout& layout, const SlotList& slots);

  /// Finds a place for every copy that has none and can have one.
  void place_homeless();
  /// Parts copies of a shard that are on one member, or too many in one zone.
  void part_neighbours();
  void even_out();

 private:
  /// A way over members that takes one copy from the first and brings one to the last.
  struct Chain {
    int cost = 0;
    std::vector<std::size_t> members;
  };
  struct Candidate {
    ShardLayout* shard = nullptr;
    std::size_t copy = 0;
  };
  using Edge = std::pair<std::size_t, std::size_t>;
  using Costs = std::vector<std::vector<std::optional<int>>>;

  void set_goals();
  /// Copies above the goal; below 0: room.
  std::int64_t surplus(std::size_t member) const;
  /// What jump hash wants, known once for all steps.
  void remember_preferences(const SlotList& slots);
  bool is_home(const ShardLayout& shard, std::size_t member) const;
  /// Decides between equals.
  std::uint64_t lot(const ShardLayout& shard, std::size_t member) const;
  std::size_t best_place(const ShardLayout& shard, std::size_t copy) const;
  bool crowded(const ShardLayout& shard, std::size_t copy) const;

  /// Moves that a plan gains by this step: 1, 0 or -1.
  int cost(const ShardLayout& shard, std::size_t from, std::size_t to) const;
  /// The copy that had best go from one member to the other at no more than this cost.
  std::optional<Candidate> best_copy(std::size_t from, std::size_t to, int cost_max);
  bool move_directly();
  Costs costs_of_steps() const;
  /// The cheapest, of those the shortest, chain from one of `sources` that ends well.
  static std::optional<Chain> find_chain(const Costs& costs,
                                         const std::vector<std::size_t>& sources,
                                         const std::function<bool(std::size_t, std::size_t)>& ends);
  /// Carries a chain out, or nothing of it; then the step that failed is barred.
  bool carry_out(const Chain& chain, const Costs& costs);
  bool move_by_chain(int cost_max);
  bool level_the_rest();

  Layout& layout_;
  std::vector<std::uint64_t> goals_;
  /// By shard: the members that its copies want at their first attempt.
  std::vector<std::vector<std::size_t>> homes_;
  std::vector<std::uint64_t> shard_lots_;
  std::vector<std::uint64_t> member_lots_;
  /// Steps that failed since the last that succeeded.
  std::set<Edge> barred_;
};

}  // namespace quiver::cluster
