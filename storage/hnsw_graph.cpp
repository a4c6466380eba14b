#include "storage/hnsw_graph.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <new>
#include <string>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

#include "core/limits.h"
#include "storage/hnsw_core.h"
#include "storage/index_query.h"

namespace quiver::storage {
namespace {

/// Slots looked up under one lock.
constexpr std::size_t kLookupBatch = 1024;
/// Finding one slot costs as much as asking a filter about this many nodes in a row.
constexpr std::size_t kLookupRatio = 32;
/// Vectors that a scan fetches ahead, and how much of each: the processor brings the rest.
constexpr std::size_t kFetchAhead = 4;
constexpr std::size_t kFetchBytesMax = 256;

Error no_memory(const std::string& what) {
  return Error{ErrorCode::ResourceExhausted, "graph: " + what};
}

/// Asks for huge pages: a walk jumps all over this memory and would miss the TLB at every step.
void advise_huge_pages(char* memory, std::size_t bytes) {
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  if (bytes < 2 * kHugePage) return;
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t first = (address + kHugePage - 1) / kHugePage * kHugePage;
  const std::uintptr_t last = (address + bytes) / kHugePage * kHugePage;
  // Without them it works all the same.
  if (first < last) madvise(memory + (first - address), last - first, MADV_HUGEPAGE);
}

}  // namespace

Status check_shape(const GraphShape& shape) {
  const auto& [m, ef_construction] = shape.hnsw;
  if (shape.dim < 1 || shape.dim > limits::kDimensionMax) {
    return Error{ErrorCode::InvalidArgument, "dimension: must be between 1 and " +
                                                 std::to_string(limits::kDimensionMax) + ", got " +
                                                 std::to_string(shape.dim)};
  }
  if (m < 4 || m > 64) {
    return Error{ErrorCode::InvalidArgument,
                 "m: must be between 4 and 64, got " + std::to_string(m)};
  }
  if (ef_construction < 8 || ef_construction > 2000) {
    return Error{ErrorCode::InvalidArgument, "ef_construction: must be between 8 and 2000, got " +
                                                 std::to_string(ef_construction)};
  }
  return Done{};
}

int graph_level(Slot slot, std::uint32_t m) noexcept {
  // The finaliser of splitmix64: neighbouring slots get unrelated bits.
  std::uint64_t bits = (raw(slot) + 1ULL) * 0x9E3779B97F4A7C15ULL;
  bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9ULL;
  bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBULL;
  bits ^= bits >> 31;
  // Uniform in (0, 1]: 53 bits, so that the level is finite.
  const double uniform = (static_cast<double>(bits >> 11) + 1.0) * 0x1.0p-53;
  return static_cast<int>(-std::log(uniform) / std::log(static_cast<double>(m)));
}

HnswGraph::HnswGraph(const GraphShape& shape) : shape_(shape) {}

HnswGraph::~HnswGraph() = default;

Result<std::unique_ptr<HnswGraph>> HnswGraph::create(const GraphShape& shape,
                                                     std::size_t capacity) {
  QV_CHECK(check_shape(shape));
  if (capacity > kNodesMax) {
    return no_memory("room for at most " + std::to_string(kNodesMax) + " vectors, asked for " +
                     std::to_string(capacity));
  }
  try {
    capacity = std::max<std::size_t>(capacity, 1);
    std::unique_ptr<HnswGraph> graph(new HnswGraph(shape));
    const FairWriteLock lock(graph->gate_);
    graph->core_ = std::make_unique<Core>(shape, capacity);
    graph->published_ = std::make_unique<std::atomic<std::uint64_t>[]>(words_for(capacity));
    graph->slots_ = std::make_unique_for_overwrite<Slot[]>(capacity);
    const auto& core = graph->core_->graph;
    advise_huge_pages(core.data_level0_memory_, capacity * core.size_data_per_element_);
    return graph;
  } catch (const std::exception& error) {
    return no_memory(error.what());
  }
}

void HnswGraph::begin_inserts() {
  const FairWriteLock lock(gate_);
  inserting_ = true;
}

void HnswGraph::end_inserts() {
  const FairWriteLock lock(gate_);
  inserting_ = false;
}

// Throws as hnswlib and the allocator do; the graph is then as it was, or has more room.
void HnswGraph::grow(std::size_t nodes) {
  auto& graph = core_->graph;
  if (nodes <= graph.max_elements_) return;
  const std::size_t capacity = std::min(std::max(nodes, graph.max_elements_ * 2), kNodesMax);
  auto published = std::make_unique<std::atomic<std::uint64_t>[]>(words_for(capacity));
  for (std::size_t i = 0; i < words_for(graph.max_elements_); ++i) {
    published[i].store(published_[i].load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
  auto slots = std::make_unique_for_overwrite<Slot[]>(capacity);
  std::copy_n(slots_.get(), std::min<std::size_t>(graph.cur_element_count, capacity), slots.get());
  graph.resizeIndex(capacity);
  published_ = std::move(published);
  slots_ = std::move(slots);
  advise_huge_pages(graph.data_level0_memory_, capacity * graph.size_data_per_element_);
}

Result<NodeId> HnswGraph::link(Slot slot, const float* vector) {
  if (!inserting_) {
    return Error{ErrorCode::FailedPrecondition, "graph: insert outside of begin and end"};
  }
  {
    const std::lock_guard<std::mutex> lock(core_->graph.label_lookup_lock);
    if (core_->graph.label_lookup_.count(raw(slot)) != 0) {
      return Error{ErrorCode::InvalidArgument,
                   "slot " + std::to_string(raw(slot)) + " is in the index already"};
    }
  }
  const NodeId node = core_->graph.addPoint(vector, raw(slot), graph_level(slot, shape_.hnsw.m));
  slots_[node] = slot;
  return node;
}

Result<NodeId> HnswGraph::insert(Slot slot, const float* vector) {
  const std::size_t reserved = reserved_.fetch_add(1) + 1;
  const auto give_up = [this](Error error) {
    reserved_.fetch_sub(1);
    return error;
  };
  if (reserved > kNodesMax) {
    return give_up(no_memory("it holds " + std::to_string(kNodesMax) + " vectors, the most"));
  }
  try {
    {
      const FairReadLock lock(gate_);
      // hnswlib reads the entry point without its lock, so what changes it is done alone.
      if (reserved <= core_->graph.max_elements_ &&
          graph_level(slot, shape_.hnsw.m) <= core_->graph.maxlevel_) {
        auto node = link(slot, vector);
        return node.ok() ? std::move(node) : give_up(std::move(node).error());
      }
    }
    const FairWriteLock lock(gate_);
    grow(reserved);
    auto node = link(slot, vector);
    return node.ok() ? std::move(node) : give_up(std::move(node).error());
  } catch (const std::exception& error) {
    return give_up(no_memory(error.what()));
  }
}

bool HnswGraph::is_published(NodeId node) const noexcept {
  // Whoever sees the bit sees the vector behind it.
  return ((published_[node / 64].load(std::memory_order_acquire) >> (node % 64)) & 1U) != 0;
}

void HnswGraph::set_published(NodeId node) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << (node % 64);
  const bool was = (published_[node / 64].fetch_or(bit, std::memory_order_release) & bit) != 0;
  if (!was) live_.fetch_add(1, std::memory_order_relaxed);
}

bool HnswGraph::clear_published(NodeId node) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << (node % 64);
  const bool was = (published_[node / 64].fetch_and(~bit, std::memory_order_relaxed) & bit) != 0;
  if (was) live_.fetch_sub(1, std::memory_order_relaxed);
  return was;
}

void HnswGraph::publish(NodeId node) {
  const FairReadLock lock(gate_);
  set_published(node);
}

bool HnswGraph::hide(Slot slot) {
  const FairReadLock lock(gate_);
  NodeId node = 0;
  {
    const std::lock_guard<std::mutex> labels(core_->graph.label_lookup_lock);
    const auto found = core_->graph.label_lookup_.find(raw(slot));
    if (found == core_->graph.label_lookup_.end()) return false;
    node = found->second;
  }
  return clear_published(node);
}

Slot HnswGraph::read(NodeId node, float* vector) const {
  const FairReadLock lock(gate_);
  std::copy_n(core_->vector(node), shape_.dim, vector);
  return core_->slot(node);
}

std::vector<NodeId> HnswGraph::published_nodes() const {
  const FairReadLock lock(gate_);
  std::vector<NodeId> nodes;
  nodes.reserve(live());
  for (NodeId node = 0; node < core_->graph.cur_element_count; ++node) {
    if (is_published(node)) nodes.push_back(node);
  }
  return nodes;
}

void HnswGraph::publish_like(const HnswGraph& other,
                             const std::vector<std::pair<NodeId, NodeId>>& copies) {
  const FairReadLock other_lock(other.gate_);
  const FairReadLock lock(gate_);
  for (const auto& [node, original] : copies) {
    if (other.is_published(original)) set_published(node);
  }
}

bool HnswGraph::contains(Slot slot) const {
  const FairReadLock lock(gate_);
  const std::lock_guard<std::mutex> labels(core_->graph.label_lookup_lock);
  return core_->graph.label_lookup_.count(raw(slot)) != 0;
}

std::size_t HnswGraph::count() const {
  const FairReadLock lock(gate_);
  return core_->graph.cur_element_count;
}

std::size_t HnswGraph::capacity() const {
  const FairReadLock lock(gate_);
  return core_->graph.max_elements_;
}

SlotSet HnswGraph::reconcile(const SlotSet& live) {
  const FairReadLock lock(gate_);
  SlotSet missing = live;
  for (NodeId node = 0; node < core_->graph.cur_element_count; ++node) {
    missing.erase(slots_[node]);
    if (live.contains(slots_[node])) {
      set_published(node);
    } else {
      clear_published(node);
    }
  }
  return missing;
}

Status HnswGraph::scan(const CallContext& call, const IndexQuery& query, NearestHeap& heap) const {
  const bool few = query.allowed != nullptr && query.allowed->size() < live() / kLookupRatio;
  return few ? scan_slots(call, query, heap) : scan_nodes(call, query, heap);
}

void HnswGraph::offer(std::span<const NodeId> nodes, const IndexQuery& query,
                      NearestHeap& heap) const {
  const std::size_t fetch_bytes = std::min(shape_.dim * sizeof(float), kFetchBytesMax);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (i + kFetchAhead < nodes.size()) {
      const char* ahead = reinterpret_cast<const char*>(core_->vector(nodes[i + kFetchAhead]));
      for (std::size_t line = 0; line < fetch_bytes; line += 64) __builtin_prefetch(ahead + line);
    }
    const float* vector = core_->vector(nodes[i]);
    heap.offer({core_->slot(nodes[i]), core_->distance(query.vector.data(), vector, shape_.dim)});
  }
}

Status HnswGraph::scan_nodes(const CallContext& call, const IndexQuery& query,
                             NearestHeap& heap) const {
  const std::size_t per_check = vectors_per_check(shape_.dim);
  const std::size_t end = count();
  std::vector<NodeId> nodes(per_check);
  for (std::size_t start = 0; start < end; start += per_check) {
    QV_CHECK(call.check());
    // Let go between the slices: whoever waits to grow the graph holds up every other search.
    const FairReadLock lock(gate_);
    std::size_t chosen = 0;
    const auto last = static_cast<NodeId>(std::min(end, start + per_check));
    for (auto node = static_cast<NodeId>(start); node < last; ++node) {
      if (!is_published(node)) continue;
      nodes[chosen] = node;
      chosen += query.allowed == nullptr || query.allowed->contains(slots_[node]) ? 1 : 0;
    }
    offer({nodes.data(), chosen}, query, heap);
  }
  return Done{};
}

Status HnswGraph::scan_slots(const CallContext& call, const IndexQuery& query,
                             NearestHeap& heap) const {
  const std::size_t per_check = std::min(kLookupBatch, vectors_per_check(shape_.dim));
  std::vector<Slot> batch;
  std::vector<NodeId> nodes;
  const auto look_up = [&]() -> Status {
    QV_CHECK(call.check());
    const FairReadLock lock(gate_);
    nodes.clear();
    {
      const std::lock_guard<std::mutex> labels(core_->graph.label_lookup_lock);
      for (const Slot slot : batch) {
        const auto found = core_->graph.label_lookup_.find(raw(slot));
        if (found == core_->graph.label_lookup_.end()) continue;
        if (is_published(found->second)) nodes.push_back(found->second);
      }
    }
    offer(nodes, query, heap);
    batch.clear();
    return Done{};
  };

  Status status = Done{};
  query.allowed->for_each([&](Slot slot) {
    batch.push_back(slot);
    if (batch.size() == per_check) status = look_up();
    return status.ok();
  });
  QV_CHECK(std::move(status));
  return look_up();
}

}  // namespace quiver::storage
