#include "cluster/placement/roles.h"

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

namespace quiver::cluster {
namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
constexpr double kTolerance = 1e-6;

class RoleBalancer {
 public:
  RoleBalancer(std::vector<ShardRole>& shards, const std::vector<double>& shares)
      : shards_(shards), shares_(shares), held_(shares.size(), 0), led_(shares.size()) {
    for (std::size_t i = 0; i < shards_.size(); ++i) {
      const auto& shard = shards_[i];
      ++held_[shard.primary];
      ++held_of(shard.collection, shard.primary);
      led_[shard.primary].push_back(i);
    }
  }

  void run() {
    while (improve()) {
    }
  }

 private:
  double excess(std::size_t server) const {
    return static_cast<double>(held_[server]) - shares_[server];
  }

  std::int64_t& held_of(std::size_t collection, std::size_t server) {
    return by_collection_[{collection, server}];
  }

  /// From the fullest server that can pass a role on to one with at least one fewer.
  bool improve() {
    std::vector<std::size_t> order(shares_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return excess(a) > excess(b); });
    return std::any_of(order.begin(), order.end(), [&](std::size_t from) {
      const auto before = reach(from);
      auto to = kNone;
      for (std::size_t server = 0; server < shares_.size(); ++server) {
        if (server == from || before[server] == kNone) continue;
        if (to == kNone || excess(server) < excess(to) - kTolerance) to = server;
      }
      if (to == kNone || excess(from) - excess(to) <= 1.0 + kTolerance) return false;
      for (auto server = to; server != from; server = before[server]) {
        pass(before[server], server);
      }
      return true;
    });
  }

  /// By server: from which one a role gets there, on a shortest way from `from`.
  std::vector<std::size_t> reach(std::size_t from) const {
    std::vector<std::size_t> before(shares_.size(), kNone);
    before[from] = from;
    std::deque<std::size_t> open{from};
    while (!open.empty()) {
      const auto server = open.front();
      open.pop_front();
      for (const auto shard : led_[server]) {
        for (const auto other : shards_[shard].others) {
          if (before[other] != kNone) continue;
          before[other] = server;
          open.push_back(other);
        }
      }
    }
    return before;
  }

  void pass(std::size_t from, std::size_t to) {
    auto chosen = kNone;
    std::int64_t most = 0;
    for (const auto i : led_[from]) {
      const auto& shard = shards_[i];
      if (std::find(shard.others.begin(), shard.others.end(), to) == shard.others.end()) continue;
      const auto gain = held_of(shard.collection, from) - held_of(shard.collection, to);
      if (chosen != kNone && gain <= most) continue;
      chosen = i;
      most = gain;
    }
    auto& shard = shards_[chosen];
    std::replace(shard.others.begin(), shard.others.end(), to, from);
    shard.primary = to;
    --held_[from];
    ++held_[to];
    --held_of(shard.collection, from);
    ++held_of(shard.collection, to);
    std::erase(led_[from], chosen);
    led_[to].insert(std::lower_bound(led_[to].begin(), led_[to].end(), chosen), chosen);
  }

  std::vector<ShardRole>& shards_;
  const std::vector<double>& shares_;
  std::vector<std::uint64_t> held_;
  std::map<std::pair<std::size_t, std::size_t>, std::int64_t> by_collection_;
  /// By server: the shards whose primary it is, ascending.
  std::vector<std::vector<std::size_t>> led_;
};

}  // namespace

void balance_roles(std::vector<ShardRole>& shards, const std::vector<double>& shares) {
  RoleBalancer(shards, shares).run();
}

}  // namespace quiver::cluster
