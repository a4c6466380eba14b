#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include <hnswlib/hnswlib.h>

#include "storage/distance.h"
#include "storage/hnsw_graph.h"

// What hnsw_graph.cpp, hnsw_walk.cpp and graph_file.cpp share, and the only includer of hnswlib.

/// Levels are given (graph_level), not drawn. hnswlib would draw one all the same, from a generator
/// that it shares between threads without a lock.
template <>
// The name is hnswlib's. NOLINTNEXTLINE(readability-identifier-naming)
inline int hnswlib::HierarchicalNSW<float>::getRandomLevel(double /*reverse_size*/) {
  return 0;
}

namespace quiver::storage {

/// Words of a bitmap with a bit for each node.
constexpr std::size_t words_for(std::size_t nodes) noexcept {
  return (nodes + 63) / 64;
}

/// Tells hnswlib of our kernels.
class GraphSpace final : public hnswlib::SpaceInterface<float> {
 public:
  explicit GraphSpace(const GraphShape& shape)
      : kernel_{distance_function(shape.metric), shape.dim} {}

  std::size_t get_data_size() override { return kernel_.dim * sizeof(float); }
  hnswlib::DISTFUNC<float> get_dist_func() override { return &distance; }
  void* get_dist_func_param() override { return &kernel_; }

 private:
  struct Kernel {
    DistanceFunction function;
    std::size_t dim;
  };
  static float distance(const void* a, const void* b, const void* kernel) {
    const auto& [function, dim] = *static_cast<const Kernel*>(kernel);
    return function(static_cast<const float*>(a), static_cast<const float*>(b), dim);
  }

  Kernel kernel_;
};

struct HnswGraph::Core {
  Core(const GraphShape& shape, std::size_t capacity)
      : space(shape),
        graph(&space, capacity, shape.hnsw.m, shape.hnsw.ef_construction),
        distance(distance_function(shape.metric)) {
    // Serves calls by label only, which we do not use, and takes 2.5 MiB.
    std::vector<std::mutex>().swap(graph.label_op_locks_);
  }

  const float* vector(NodeId node) const noexcept {
    return reinterpret_cast<const float*>(graph.getDataByInternalId(node));
  }
  Slot slot(NodeId node) const noexcept {
    return Slot{static_cast<std::uint32_t>(graph.getExternalLabel(node))};
  }

  GraphSpace space;
  mutable hnswlib::HierarchicalNSW<float> graph;
  const DistanceFunction distance;
};

/// What a walk needs beside the graph, kept between walks.
struct HnswGraph::Scratch {
  struct Candidate {
    float distance;
    NodeId node;
  };
  /// On layer 0, for the largest m.
  static constexpr std::size_t kLinksMax = 128;

  /// Starts a walk over a graph with room for `capacity` nodes.
  void begin(std::size_t capacity) {
    if (visited.size() < capacity || ++tag == 0) {
      visited.assign(capacity, 0);
      tag = 1;
    }
    frontier.clear();
    best.clear();
  }
  /// True once for each node.
  bool visit(NodeId node) noexcept {
    if (visited[node] == tag) return false;
    visited[node] = tag;
    return true;
  }

  /// For each node the tag of the last walk that came there.
  std::vector<std::uint16_t> visited;
  std::uint16_t tag = 0;
  /// Min-heap of nodes whose links were not followed yet.
  std::vector<Candidate> frontier;
  /// Max-heap of the nearest that may be returned.
  std::vector<Candidate> best;
  /// Links of the node at hand.
  std::array<NodeId, kLinksMax> links{};
};

}  // namespace quiver::storage
