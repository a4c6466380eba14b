// The search through a graph. Source: Malkov & Yashunin 2016, arXiv 1603.09320, algorithms 2 and 5.

#include <algorithm>
#include <mutex>
#include <span>
#include <utility>

#include "storage/hnsw_core.h"

namespace quiver::storage {
namespace {

/// Hops between two looks at the caller's deadline.
constexpr std::size_t kHopsPerCheck = 32;
/// Neighbours whose vectors are fetched ahead of the one being compared.
constexpr std::size_t kFetchAhead = 3;
/// Of a long vector the processor's own prefetcher brings the rest.
constexpr std::size_t kFetchBytesMax = 1024;

void fetch(const float* vector, std::size_t bytes) {
  const char* memory = reinterpret_cast<const char*>(vector);
  for (std::size_t i = 0; i < bytes; i += 64) __builtin_prefetch(memory + i);
}

}  // namespace

/// Borrows a Scratch for the length of one walk.
class HnswGraph::ScratchLease {
 public:
  explicit ScratchLease(const HnswGraph& graph) : graph_(graph) {
    const MutexLock lock(graph_.scratch_mutex_);
    if (graph_.scratch_.empty()) {
      scratch_ = std::make_unique<Scratch>();
      // Giving it back needs no memory.
      graph_.scratch_.reserve(++graph_.scratches_);
    } else {
      scratch_ = std::move(graph_.scratch_.back());
      graph_.scratch_.pop_back();
    }
  }
  ~ScratchLease() {
    const MutexLock lock(graph_.scratch_mutex_);
    graph_.scratch_.push_back(std::move(scratch_));
  }
  ScratchLease(const ScratchLease&) = delete;
  ScratchLease& operator=(const ScratchLease&) = delete;

  Scratch& operator*() const noexcept { return *scratch_; }

 private:
  const HnswGraph& graph_;
  std::unique_ptr<Scratch> scratch_;
};

/// One walk. Holds references only; lives inside walk_locked().
template <bool kWhileInserting>
class HnswGraph::Walk {
 public:
  using Candidate = Scratch::Candidate;

  Walk(const HnswGraph::Core& core, const WalkQuery& query, std::size_t dim, Scratch& scratch)
      : core_(core),
        query_(query),
        dim_(dim),
        fetch_bytes_(std::min(dim * sizeof(float), kFetchBytesMax)),
        scratch_(scratch) {}

  std::size_t computed() const noexcept { return computed_; }

  /// Down the upper layers, greedily, to the node of layer 0 to start from.
  Candidate descend() {
    Candidate nearest{0.0F, core_.graph.enterpoint_node_};
    nearest.distance = distance(nearest.node);
    for (int level = core_.graph.maxlevel_; level > 0; --level) {
      for (bool moved = true; moved;) {
        moved = false;
        const auto links = links_of(nearest.node, level);
        for (const NodeId node : links) fetch(core_.vector(node), fetch_bytes_);
        for (const NodeId node : links) {
          const float d = distance(node);
          if (d >= nearest.distance) continue;
          nearest = {d, node};
          moved = true;
        }
      }
    }
    return nearest;
  }

  /// Follows the links of `node` on layer 0. `consider(Candidate)` gets each node that the walk
  /// meets for the first time.
  template <typename Consider>
  void expand(NodeId node, Consider consider) {
    const auto links = links_of(node, 0);
    std::array<NodeId, 128> fresh;
    std::size_t count = 0;
    for (const NodeId neighbour : links) {
      fresh[count] = neighbour;
      count += scratch_.visit(neighbour) ? 1 : 0;
    }
    for (std::size_t i = 0; i < std::min(kFetchAhead, count); ++i) {
      fetch(core_.vector(fresh[i]), fetch_bytes_);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (i + kFetchAhead < count) fetch(core_.vector(fresh[i + kFetchAhead]), fetch_bytes_);
      consider(Candidate{distance(fresh[i]), fresh[i]});
    }
  }

 private:
  float distance(NodeId node) {
    ++computed_;
    return core_.distance(query_.vector, core_.vector(node), dim_);
  }

  std::span<const NodeId> links_of(NodeId node, int level) {
    const auto* list = core_.graph.get_linklist_at_level(node, level);
    if constexpr (!kWhileInserting) {
      return {list + 1, core_.graph.getListCount(const_cast<NodeId*>(list))};
    }
    const std::lock_guard<std::mutex> lock(core_.graph.link_list_locks_[node]);
    const std::size_t count = core_.graph.getListCount(const_cast<NodeId*>(list));
    std::copy_n(list + 1, count, scratch_.links.begin());
    return {scratch_.links.data(), count};
  }

  const HnswGraph::Core& core_;
  const WalkQuery& query_;
  const std::size_t dim_;
  const std::size_t fetch_bytes_;
  Scratch& scratch_;
  std::size_t computed_ = 0;
};

template <bool kWhileInserting>
Result<WalkEnd> HnswGraph::walk_locked(const CallContext& call, const WalkQuery& query,
                                       Scratch& scratch, std::vector<Neighbor>& found) const {
  using Candidate = Scratch::Candidate;
  const auto farther = [](const Candidate& a, const Candidate& b) {
    return a.distance > b.distance;
  };
  const auto closer = [](const Candidate& a, const Candidate& b) {
    return a.distance < b.distance;
  };
  auto& frontier = scratch.frontier;
  auto& best = scratch.best;
  const auto consider = [&](const Candidate& candidate) {
    if (best.size() >= query.ef && candidate.distance >= best.front().distance) return;
    frontier.push_back(candidate);
    std::push_heap(frontier.begin(), frontier.end(), farther);
    if (!is_published(candidate.node)) return;
    if (query.allowed != nullptr && !query.allowed->contains(core_->slot(candidate.node))) return;
    if (best.size() >= query.ef) {
      std::pop_heap(best.begin(), best.end(), closer);
      best.pop_back();
    }
    best.push_back(candidate);
    std::push_heap(best.begin(), best.end(), closer);
  };

  Walk<kWhileInserting> walk(*core_, query, shape_.dim, scratch);
  const Candidate start = walk.descend();
  scratch.visit(start.node);
  consider(start);
  for (std::size_t hops = 0; !frontier.empty(); ++hops) {
    if (hops % kHopsPerCheck == 0) QV_CHECK(call.check());
    const Candidate nearest = frontier.front();
    if (best.size() >= query.ef && nearest.distance > best.front().distance) break;
    if (walk.computed() > query.budget) return WalkEnd::OverBudget;
    std::pop_heap(frontier.begin(), frontier.end(), farther);
    frontier.pop_back();
    walk.expand(nearest.node, consider);
  }
  for (const auto& [distance, node] : best) found.push_back({core_->slot(node), distance});
  return WalkEnd::Complete;
}

Result<WalkEnd> HnswGraph::walk(const CallContext& call, const WalkQuery& query,
                                std::vector<Neighbor>& found) const {
  const ScratchLease scratch(*this);
  const FairReadLock lock(gate_);
  if (core_->graph.maxlevel_ < 0) return WalkEnd::Complete;
  (*scratch).begin(core_->graph.max_elements_);
  return inserting_ ? walk_locked<true>(call, query, *scratch, found)
                    : walk_locked<false>(call, query, *scratch, found);
}

}  // namespace quiver::storage
