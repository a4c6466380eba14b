#include "cluster/placement/balancer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "cluster/placement/slots.h"
#include "core/text.h"

namespace quiver::cluster {
namespace {

constexpr double kMillion = 1e6;
/// Longer chains are not looked for: they would cost more moves than the balance is worth.
constexpr std::size_t kChainMax = 6;

/// A number that equal weights make equal in spite of rounding errors.
std::int64_t comparable(double excess) {
  return std::llround(excess * kMillion);
}

}  // namespace

Balancer::Balancer(Layout& layout, const SlotList& slots) : layout_(layout) {
  set_goals();
  remember_preferences(slots);
}

void Balancer::set_goals() {
  const auto count = layout_.members.size();
  std::vector<Seat> seats;
  RoundingLimits limits{std::vector<std::uint64_t>(count, 0),
                        std::vector<std::uint64_t>(layout_.zone_count, 0)};
  for (const auto& member : layout_.members) seats.push_back(member.seat);
  std::vector<std::uint64_t> shards(layout_.collections.size(), 0);
  for (const auto& shard : layout_.shards) ++shards[shard.collection];
  double total = 0.0;
  for (std::size_t i = 0; i < layout_.collections.size(); ++i) {
    for (auto& zone : limits.zones) zone += shards[i] * layout_.collections[i].per_zone;
    for (std::size_t j = 0; j < count; ++j) {
      if (layout_.members[j].counts) limits.seats[j] += shards[i];
    }
  }
  std::vector<std::tuple<std::int64_t, bool, std::size_t>> needs;
  for (std::size_t i = 0; i < count; ++i) {
    total += layout_.shares[i];
    if (!layout_.members[i].counts) continue;
    const auto share = layout_.shares[i];
    needs.emplace_back(-static_cast<std::int64_t>(fraction_part(share)),
                       layout_.held[i] <= whole_part(share), i);
  }
  std::sort(needs.begin(), needs.end());
  std::vector<std::size_t> order;
  order.reserve(needs.size());
  for (const auto& need : needs) order.push_back(std::get<2>(need));
  goals_ = round_shares(layout_.shares, seats, static_cast<std::uint64_t>(std::llround(total)),
                        limits, order);
}

std::int64_t Balancer::surplus(std::size_t member) const {
  return static_cast<std::int64_t>(layout_.held[member]) -
         static_cast<std::int64_t>(goals_[member]);
}

void Balancer::remember_preferences(const SlotList& slots) {
  for (const auto& shard : layout_.shards) {
    const auto& collection = layout_.collections[shard.collection];
    auto& homes = homes_.emplace_back();
    for (std::uint32_t replica = 0; replica < collection.copies; ++replica) {
      const auto home = preferred_node(slots, collection.id, shard.shard, replica, 0);
      if (home) homes.push_back(find_member(layout_.members, *home));
    }
    shard_lots_.push_back(placement_hash(collection.id, shard.shard, 0, 0));
  }
  for (const auto& member : layout_.members) member_lots_.push_back(stable_hash(member.id.text));
}

bool Balancer::is_home(const ShardLayout& shard, std::size_t member) const {
  const auto& homes = homes_[static_cast<std::size_t>(&shard - layout_.shards.data())];
  return std::find(homes.begin(), homes.end(), member) != homes.end();
}

std::uint64_t Balancer::lot(const ShardLayout& shard, std::size_t member) const {
  const auto index = static_cast<std::size_t>(&shard - layout_.shards.data());
  // Mixed, or the same shard would come first for all members alike.
  std::uint64_t mixed = (shard_lots_[index] ^ member_lots_[member]) * 0x9E3779B97F4A7C15ULL;
  mixed ^= mixed >> 32U;
  return mixed * 0xD6E8FEB86659FD93ULL;
}

std::size_t Balancer::best_place(const ShardLayout& shard, std::size_t copy) const {
  const auto& collection = layout_.collections[shard.collection];
  std::tuple<std::int64_t, bool, bool, std::uint64_t> best_rank;
  auto best = kNowhere;
  for (std::size_t i = 0; i < layout_.members.size(); ++i) {
    if (!layout_.fits(shard, copy, i)) continue;
    const bool over = surplus(i) >= 0;
    const double share = collection.shares[i];
    const auto row = whole_part(share) + (fraction_part(share) > 0 ? 1 : 0);
    const std::tuple rank{over ? comparable(layout_.excess(i) + kMillion) : 0,
                          collection.held[i] >= row, !is_home(shard, i), lot(shard, i)};
    if (best != kNowhere && !(rank < best_rank)) continue;
    best = i;
    best_rank = rank;
  }
  return best;
}

void Balancer::place_homeless() {
  for (const auto reason : {MoveReason::Refill, MoveReason::Drain}) {
    for (auto& shard : layout_.shards) {
      for (std::size_t i = 0; i < shard.copies.size(); ++i) {
        if (shard.copies[i].at != kNowhere || shard.copies[i].reason != reason) continue;
        const auto place = best_place(shard, i);
        if (place != kNowhere) layout_.put(shard, i, place);
      }
    }
  }
}

bool Balancer::crowded(const ShardLayout& shard, std::size_t copy) const {
  const auto at = shard.copies[copy].at;
  std::uint32_t in_zone = 0;
  for (std::size_t i = 0; i < shard.copies.size(); ++i) {
    const auto other = shard.copies[i].at;
    if (other == kNowhere) continue;
    if (i != copy && other == at) return true;
    if (layout_.members[other].seat.zone == layout_.members[at].seat.zone) ++in_zone;
  }
  return in_zone > layout_.collections[shard.collection].per_zone;
}

void Balancer::part_neighbours() {
  for (auto& shard : layout_.shards) {
    // As often as there are copies: each time one leaves the crowd.
    for (std::size_t round = 0; round < shard.copies.size(); ++round) {
      auto leaver = kNowhere;
      for (std::size_t i = 0; i < shard.copies.size(); ++i) {
        if (!layout_.movable(shard, i) || !crowded(shard, i)) continue;
        if (best_place(shard, i) == kNowhere) continue;
        const auto excess = [&](std::size_t copy) {
          return comparable(layout_.excess(shard.copies[copy].at));
        };
        if (leaver == kNowhere || excess(i) > excess(leaver)) leaver = i;
      }
      if (leaver == kNowhere) break;
      auto& copy = shard.copies[leaver];
      if (copy.at == copy.origin) copy.reason = MoveReason::Spread;
      layout_.put(shard, leaver, best_place(shard, leaver));
    }
  }
}

int Balancer::cost(const ShardLayout& shard, std::size_t from, std::size_t to) const {
  return (shard.knows(to) ? 0 : 1) - (shard.knows(from) ? 0 : 1);
}

std::optional<Balancer::Candidate> Balancer::best_copy(std::size_t from, std::size_t to,
                                                       int cost_max) {
  std::tuple<int, std::int64_t, bool, std::uint64_t> best_rank;
  std::optional<Candidate> best;
  for (auto& shard : layout_.shards) {
    for (std::size_t i = 0; i < shard.copies.size(); ++i) {
      if (shard.copies[i].at != from || !layout_.movable(shard, i)) continue;
      const auto price = cost(shard, from, to);
      if (price > cost_max || !layout_.fits(shard, i, to)) continue;
      const auto gain =
          layout_.excess(from, shard.collection) - layout_.excess(to, shard.collection);
      const std::tuple rank{price, -comparable(gain), !is_home(shard, to), lot(shard, to)};
      if (best && !(rank < best_rank)) continue;
      best = Candidate{&shard, i};
      best_rank = rank;
    }
  }
  return best;
}

bool Balancer::move_directly() {
  std::vector<std::size_t> givers;
  std::vector<std::size_t> takers;
  for (std::size_t i = 0; i < layout_.members.size(); ++i) {
    if (surplus(i) > 0) givers.push_back(i);
    if (surplus(i) < 0 && layout_.members[i].takes()) takers.push_back(i);
  }
  std::stable_sort(givers.begin(), givers.end(),
                   [&](std::size_t a, std::size_t b) { return surplus(a) > surplus(b); });
  std::stable_sort(takers.begin(), takers.end(),
                   [&](std::size_t a, std::size_t b) { return surplus(a) < surplus(b); });
  for (const auto from : givers) {
    for (const auto to : takers) {
      const auto found = best_copy(from, to, 1);
      if (!found) continue;
      layout_.put(*found->shard, found->copy, to);
      return true;
    }
  }
  return false;
}

Balancer::Costs Balancer::costs_of_steps() const {
  const auto count = layout_.members.size();
  Costs costs(count, std::vector<std::optional<int>>(count));
  for (const auto& shard : layout_.shards) {
    for (std::size_t i = 0; i < shard.copies.size(); ++i) {
      if (!layout_.movable(shard, i)) continue;
      const auto from = shard.copies[i].at;
      for (std::size_t to = 0; to < count; ++to) {
        if (!layout_.fits(shard, i, to) || barred_.contains({from, to})) continue;
        const auto price = cost(shard, from, to);
        auto& least = costs[from][to];
        if (!least || price < *least) least = price;
      }
    }
  }
  return costs;
}

std::optional<Balancer::Chain> Balancer::find_chain(
    const Costs& costs, const std::vector<std::size_t>& sources,
    const std::function<bool(std::size_t, std::size_t)>& ends) {
  // By last member: the cheapest chain of the present length. A chain visits a member once.
  std::vector<std::optional<Chain>> reached(costs.size());
  for (const auto source : sources) reached[source] = Chain{0, {source}};
  std::optional<Chain> best;
  for (std::size_t length = 1; length <= std::min(kChainMax, costs.size()); ++length) {
    std::vector<std::optional<Chain>> further(costs.size());
    for (std::size_t from = 0; from < costs.size(); ++from) {
      if (!reached[from]) continue;
      const auto& before = reached[from]->members;
      for (std::size_t to = 0; to < costs.size(); ++to) {
        if (!costs[from][to]) continue;
        if (std::find(before.begin(), before.end(), to) != before.end()) continue;
        const int price = reached[from]->cost + *costs[from][to];
        if (further[to] && further[to]->cost <= price) continue;
        further[to] = Chain{price, before};
        further[to]->members.push_back(to);
      }
    }
    reached = std::move(further);
    for (const auto& chain : reached) {
      if (!chain || !ends(chain->members.front(), chain->members.back())) continue;
      if (!best || chain->cost < best->cost) best = chain;
    }
  }
  return best;
}

bool Balancer::carry_out(const Chain& chain, const Costs& costs) {
  std::vector<std::pair<Candidate, std::size_t>> done;
  for (std::size_t i = 0; i + 1 < chain.members.size(); ++i) {
    const auto from = chain.members[i];
    const auto to = chain.members[i + 1];
    const auto found = best_copy(from, to, *costs[from][to]);
    if (!found) {
      for (auto step = done.rbegin(); step != done.rend(); ++step) {
        layout_.put(*step->first.shard, step->first.copy, step->second);
      }
      barred_.insert({from, to});
      return false;
    }
    done.emplace_back(*found, from);
    layout_.put(*found->shard, found->copy, to);
  }
  barred_.clear();
  return true;
}

bool Balancer::move_by_chain(int cost_max) {
  std::vector<std::size_t> sources;
  for (std::size_t i = 0; i < layout_.members.size(); ++i) {
    if (surplus(i) > 0) sources.push_back(i);
  }
  while (!sources.empty()) {
    const auto costs = costs_of_steps();
    const auto chain = find_chain(costs, sources,
                                  [&](std::size_t, std::size_t last) { return surplus(last) < 0; });
    if (!chain || chain->cost > cost_max) break;
    if (carry_out(*chain, costs)) return true;
  }
  barred_.clear();
  return false;
}

bool Balancer::level_the_rest() {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < layout_.members.size(); ++i) {
    // What a server that is down lacks is kept for it with the others.
    if (layout_.members[i].counts && !layout_.members[i].up) return false;
    if (layout_.members[i].takes()) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return comparable(layout_.excess(a)) > comparable(layout_.excess(b));
  });
  if (order.empty()) return false;
  if (comparable(layout_.excess(order.front()) - layout_.excess(order.back()) - 1.0) <= 0) {
    return false;
  }
  for (const auto source : order) {
    for (;;) {
      const auto costs = costs_of_steps();
      const auto chain = find_chain(costs, {source}, [&](std::size_t first, std::size_t last) {
        return comparable(layout_.excess(first) - layout_.excess(last) - 1.0) > 0;
      });
      if (!chain) break;
      if (carry_out(*chain, costs)) return true;
    }
    barred_.clear();
  }
  return false;
}

void Balancer::even_out() {
  // What was placed above a goal is placed better, where that costs no move.
  while (move_by_chain(0)) {
  }
  while (move_directly()) {
  }
  while (move_by_chain(std::numeric_limits<int>::max())) {
  }
  while (level_the_rest()) {
  }
}

}  // namespace quiver::cluster
