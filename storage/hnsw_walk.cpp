// The search through a graph. Source: Malkov & Yashunin 2016, arXiv 1603.09320, algorithms 2 and 5.

#include <algorithm>
#include <array>
#include <atomic>
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

/// One walk. Holds references only and lives while the gate is held.
template <bool kWhileInserting>
class HnswGraph::Walk {
 public:
  Walk(const Core& core, const std::atomic<std::uint64_t>* published, const WalkQuery& query,
       std::size_t dim, Scratch& scratch)
      : core_(core),
        published_(published),
        query_(query),
        dim_(dim),
        fetch_bytes_(std::min(dim * sizeof(float), kFetchBytesMax)),
        scratch_(scratch) {}

  Result<WalkEnd> run(const CallContext& call, std::vector<Neighbor>& found) {
    auto& frontier = scratch_.frontier;
    const auto& best = scratch_.best;
    const Candidate start = descend();
    scratch_.visit(start.node);
    consider(start);
    for (std::size_t hops = 0; !frontier.empty(); ++hops) {
      if (hops % kHopsPerCheck == 0) QV_CHECK(call.check());
      const Candidate nearest = frontier.front();
      if (best.size() >= query_.ef && nearest.distance > best.front().distance) break;
      if (computed_ > query_.budget) return WalkEnd::OverBudget;
      std::pop_heap(frontier.begin(), frontier.end(), farther);
      frontier.pop_back();
      expand(nearest.node);
    }
    for (const auto& [distance, node] : best) found.push_back({core_.slot(node), distance});
    return WalkEnd::Complete;
  }

 private:
  using Candidate = Scratch::Candidate;
  static bool farther(const Candidate& a, const Candidate& b) { return a.distance > b.distance; }
  static bool closer(const Candidate& a, const Candidate& b) { return a.distance < b.distance; }

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

  /// Considers the neighbours of `node` on layer 0 that the walk meets for the first time.
  void expand(NodeId node) {
    std::array<NodeId, Scratch::kLinksMax> fresh;
    std::size_t count = 0;
    for (const NodeId neighbour : links_of(node, 0)) {
      fresh[count] = neighbour;
      count += scratch_.visit(neighbour) ? 1 : 0;
    }
    for (std::size_t i = 0; i < std::min(kFetchAhead, count); ++i) {
      fetch(core_.vector(fresh[i]), fetch_bytes_);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (i + kFetchAhead < count) fetch(core_.vector(fresh[i + kFetchAhead]), fetch_bytes_);
      consider({distance(fresh[i]), fresh[i]});
    }
  }

  void consider(const Candidate& candidate) {
    auto& frontier = scratch_.frontier;
    auto& best = scratch_.best;
    if (best.size() >= query_.ef && candidate.distance >= best.front().distance) return;
    frontier.push_back(candidate);
    std::push_heap(frontier.begin(), frontier.end(), farther);
    if (!returnable(candidate.node)) return;
    if (best.size() >= query_.ef) {
      std::pop_heap(best.begin(), best.end(), closer);
      best.pop_back();
    }
    best.push_back(candidate);
    std::push_heap(best.begin(), best.end(), closer);
  }

  bool returnable(NodeId node) const noexcept {
    const std::uint64_t word = published_[node / 64].load(std::memory_order_acquire);
    if (((word >> (node % 64)) & 1U) == 0) return false;
    return query_.allowed == nullptr || query_.allowed->contains(core_.slot(node));
  }

  float distance(NodeId node) {
    ++computed_;
    return core_.distance(query_.vector, core_.vector(node), dim_);
  }

  std::span<const NodeId> links_of(NodeId node, int level) {
    auto* list = core_.graph.get_linklist_at_level(node, level);
    if constexpr (!kWhileInserting) return {list + 1, core_.graph.getListCount(list)};
    const std::lock_guard<std::mutex> lock(core_.graph.link_list_locks_[node]);
    const std::size_t count = core_.graph.getListCount(list);
    std::copy_n(list + 1, count, scratch_.links.begin());
    return {scratch_.links.data(), count};
  }

  const Core& core_;
  const std::atomic<std::uint64_t>* const published_;
  const WalkQuery& query_;
  const std::size_t dim_;
  const std::size_t fetch_bytes_;
  Scratch& scratch_;
  std::size_t computed_ = 0;
};

Result<WalkEnd> HnswGraph::walk(const CallContext& call, const WalkQuery& query,
                                std::vector<Neighbor>& found) const {
  const ScratchLease scratch(*this);
  const FairReadLock lock(gate_);
  if (core_->graph.maxlevel_ < 0) return WalkEnd::Complete;
  (*scratch).begin(core_->graph.max_elements_);
  if (inserting_) {
    return Walk<true>(*core_, published_.get(), query, shape_.dim, *scratch).run(call, found);
  }
  return Walk<false>(*core_, published_.get(), query, shape_.dim, *scratch).run(call, found);
}

}  // namespace quiver::storage
