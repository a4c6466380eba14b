#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "core/call_context.h"
#include "core/collection_spec.h"
#include "core/result.h"
#include "storage/fair_mutex.h"
#include "storage/vector_heap.h"
#include "storage/vector_index.h"

namespace quiver::storage {

/// A vector's number within one graph, in the order of insertion.
using NodeId = std::uint32_t;

/// hnswlib counts some things in int.
inline constexpr std::size_t kNodesMax = std::size_t{1} << 30;

/// What decides a graph's layout. Two graphs of the same shape and the same slots differ only in
/// the order of insertion.
struct GraphShape {
  std::uint32_t dim = 0;
  Metric metric = Metric::Cosine;
  HnswParameters hnsw;

  bool operator==(const GraphShape&) const = default;
};

/// Errors: InvalidArgument naming the field, its bounds and what it was.
Status check_shape(const GraphShape& shape);

/// Layer up to which a slot is linked: drawn from the slot's hash, so that it is the same on every
/// node and after every rebuild. Source: Malkov & Yashunin 2016, arXiv 1603.09320, algorithm 1.
int graph_level(Slot slot, std::uint32_t m) noexcept;

/// How a walk through the graph ended.
enum class WalkEnd : std::uint8_t {
  Complete,
  /// It would have cost more than looking at every candidate.
  OverBudget,
};

/// A hierarchical navigable small-world graph over vectors that it owns, searchable while it grows.
///
/// hnswlib builds it and owns its memory; the walk is ours, since hnswlib's takes neither a search
/// width nor a deadline for each query and must not meet an insert. Here it may: between
/// begin_inserts() and end_inserts() a walk reads links under their node's lock, the one that
/// hnswlib's inserts hold among themselves. Outside, a walk takes one shared lock and no other.
/// Only what moves memory or the entry point holds walks up.
///
/// A node is in the walk as soon as it is linked, but is returned from publish() until hide().
///
/// Threads: any, except where a function says otherwise.
class HnswGraph {
 public:
  /// An empty graph with room for `capacity` nodes.
  /// Errors: InvalidArgument for a shape beyond its bounds; ResourceExhausted without memory.
  static Result<std::unique_ptr<HnswGraph>> create(const GraphShape& shape, std::size_t capacity);
  ~HnswGraph();
  HnswGraph(const HnswGraph&) = delete;
  HnswGraph& operator=(const HnswGraph&) = delete;

  // -- growing
  /// Idempotent, like end_inserts().
  void begin_inserts();
  void end_inserts();
  /// Links `vector` (shape [dim]) as a node that is not published. The graph doubles its room when
  /// it has none.
  /// Errors: InvalidArgument if the graph has `slot`; FailedPrecondition outside begin_inserts()
  /// and end_inserts(); ResourceExhausted without memory or beyond kNodesMax.
  Result<NodeId> insert(Slot slot, const float* vector);
  void publish(NodeId node);
  /// False if `slot` is not here or not published.
  bool hide(Slot slot);

  // -- looking
  struct WalkQuery {
    /// Shape [dim].
    const float* vector = nullptr;
    /// Nearest candidates to keep: more find better.
    std::size_t ef = 0;
    /// Null: all.
    const SlotSet* allowed = nullptr;
    /// Distances to compute at most.
    std::size_t budget = 0;
  };
  /// Appends up to `ef` near neighbours to `found`, in no order.
  /// Errors: DeadlineExceeded from `call`.
  Result<WalkEnd> walk(const CallContext& call, const WalkQuery& query,
                       std::vector<Neighbor>& found) const;
  /// Offers every allowed, published vector to `heap`. Errors: DeadlineExceeded from `call`.
  Status scan(const CallContext& call, const IndexQuery& query, NearestHeap& heap) const;

  /// The slot of a node that insert() returned and, in `vector` (shape [dim]), what it stands for.
  Slot read(NodeId node, float* vector) const;
  std::vector<NodeId> published_nodes() const;
  /// For each pair {node of this graph, node of `other`}: publishes the first if the second is.
  void publish_like(const HnswGraph& other, const std::vector<std::pair<NodeId, NodeId>>& copies);
  bool contains(Slot slot) const;

  /// Nodes, hidden ones among them.
  std::size_t count() const;
  std::size_t live() const noexcept { return live_.load(std::memory_order_relaxed); }
  std::size_t capacity() const;
  const GraphShape& shape() const noexcept { return shape_; }

  /// Publishes exactly the nodes whose slots are in `live`; returns the slots of `live` that have
  /// no node. Not beside insert().
  SlotSet reconcile(const SlotSet& live);

 private:
  friend class GraphFile;
  struct Core;
  struct Scratch;
  class ScratchLease;
  template <bool kWhileInserting>
  class Walk;

  explicit HnswGraph(const GraphShape& shape);
  void grow(std::size_t nodes) QV_REQUIRES(gate_);
  Result<NodeId> link(Slot slot, const float* vector) QV_TSA(requires_shared_capability(gate_));
  void set_published(NodeId node) noexcept QV_TSA(requires_shared_capability(gate_));
  bool clear_published(NodeId node) noexcept QV_TSA(requires_shared_capability(gate_));
  bool is_published(NodeId node) const noexcept QV_TSA(requires_shared_capability(gate_));
  void offer(std::span<const NodeId> nodes, const IndexQuery& query, NearestHeap& heap) const
      QV_TSA(requires_shared_capability(gate_));
  Status scan_nodes(const CallContext& call, const IndexQuery& query, NearestHeap& heap) const;
  Status scan_slots(const CallContext& call, const IndexQuery& query, NearestHeap& heap) const;

  const GraphShape shape_;
  std::atomic<std::size_t> live_{0};
  /// Nodes that exist or are about to: an insert proceeds once there is room for all of them.
  std::atomic<std::size_t> reserved_{0};

  /// Exclusive: memory moves, the entry point changes, or inserts begin or end.
  mutable FairMutex gate_;
  std::unique_ptr<Core> core_ QV_GUARDED_BY(gate_);
  bool inserting_ QV_GUARDED_BY(gate_) = false;
  /// A bit for each node, in words; the words change at any time, their number under `gate_`.
  std::unique_ptr<std::atomic<std::uint64_t>[]> published_ QV_GUARDED_BY(gate_);
  /// The slot of each node, together: a filter is asked about many nodes whose vectors are not
  /// looked at. Written before the node is published.
  std::unique_ptr<Slot[]> slots_ QV_GUARDED_BY(gate_);
  mutable Mutex scratch_mutex_;
  mutable std::vector<std::unique_ptr<Scratch>> scratch_ QV_GUARDED_BY(scratch_mutex_);
  /// Made so far, those in use among them.
  mutable std::size_t scratches_ QV_GUARDED_BY(scratch_mutex_) = 0;
};

}  // namespace quiver::storage
