#include "cluster/routing/copy_routes.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace quiver::cluster {
namespace {

bool is_up(const ClusterView& view, const NodeId& node) {
  const auto* const found = view.find_node(node);
  return found != nullptr && found->alive.has_value();
}

}  // namespace

std::string CopyRoutes::holders_down(const ClusterView& view, const ShardState& state) const {
  std::string out;
  for (const auto& copy : state.in_sync) {
    const auto place = state.copies.find(copy);
    if (place == state.copies.end()) continue;
    const auto& node = place->second.node;
    if (node == self_ || is_up(view, node)) return {};
    const auto* const known = view.find_node(node);
    if (!out.empty()) out += ", ";
    out += known == nullptr ? node.text : known->record.label;
  }
  return out;
}

CopyRoutes::Busy::Busy(CopyRoutes& routes, NodeId node) : routes_(routes), node_(std::move(node)) {
  const MutexLock lock(routes_.mutex_);
  ++routes_.under_way_[node_];
}

CopyRoutes::Busy::~Busy() {
  const MutexLock lock(routes_.mutex_);
  const auto found = routes_.under_way_.find(node_);
  if (--found->second == 0) routes_.under_way_.erase(found);
}

std::size_t CopyRoutes::under_way(const NodeId& node) const {
  const MutexLock lock(mutex_);
  const auto found = under_way_.find(node);
  return found == under_way_.end() ? 0 : found->second;
}

std::chrono::steady_clock::duration CopyRoutes::hedge_after() const {
  return std::max<std::chrono::steady_clock::duration>(options_.hedge_min, search_times_.high());
}

std::vector<CopyChoice> CopyRoutes::order(const ClusterView& view, const ShardState& state,
                                          const ReadTerms& terms, bool fresh) {
  std::vector<CopyChoice> out;
  const auto add = [&](const CopyId& copy, const ReadTerms& asked) {
    const auto place = state.copies.find(copy);
    if (place == state.copies.end() || place->second.state != CopyState::Active) return;
    out.push_back({copy, place->second.node, asked});
  };
  if (terms.level == ReadLevel::Linearizable) {
    add(state.primary, terms);
    return out;
  }
  for (const auto& copy : state.in_sync) add(copy, terms);
  const auto middle = [&] {
    const MutexLock lock(mutex_);
    return out.empty() ? 0 : turn_++ % out.size();
  }();
  std::rotate(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(middle), out.end());
  // By its number, as the last word: the sort must not see a count that changes meanwhile.
  std::vector<std::tuple<int, std::size_t, std::size_t>> ranks;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const bool here = out[i].node == self_;
    const bool newest = fresh && out[i].copy == state.primary;
    const bool up = here || is_up(view, out[i].node);
    const int rank = !up ? 3 : newest ? 0 : here ? 1 : 2;
    ranks.emplace_back(rank, under_way(out[i].node), i);
  }
  std::sort(ranks.begin(), ranks.end());
  std::vector<CopyChoice> sorted;
  sorted.reserve(ranks.size());
  for (const auto& rank : ranks) sorted.push_back(std::move(out[std::get<2>(rank)]));
  out = std::move(sorted);
  if (terms.level == ReadLevel::Session) add(state.primary, {});
  return out;
}

}  // namespace quiver::cluster
