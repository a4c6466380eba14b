#include "storage/hnsw_index.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <system_error>

#include "core/log.h"
#include "storage/graph_file.h"
#include "storage/index_query.h"
#include "storage/query_plan.h"

namespace quiver::storage {
namespace {

/// How long a wait goes without a look at the caller's cancellation.
constexpr std::chrono::milliseconds kPollInterval{10};

GraphShape shape_of(const CollectionSpec& spec) {
  return {spec.dimension, spec.metric, spec.hnsw};
}

/// The k nearest of both. A vector that moved from the tail to the graph between the two looks is
/// in both, with the same distance.
std::vector<Neighbor> merge(std::vector<Neighbor> tail, const std::vector<Neighbor>& graph,
                            std::size_t k) {
  tail.insert(tail.end(), graph.begin(), graph.end());
  std::sort(tail.begin(), tail.end(), nearer);
  const auto same = [](const Neighbor& a, const Neighbor& b) { return a.slot == b.slot; };
  tail.erase(std::unique(tail.begin(), tail.end(), same), tail.end());
  if (tail.size() > k) tail.resize(k);
  return tail;
}

}  // namespace

Result<std::unique_ptr<HnswIndex>> HnswIndex::create(const CollectionSpec& spec,
                                                     const Options& options,
                                                     IndexBuilder& builder) {
  QV_CHECK(check_shape(shape_of(spec)));
  return std::unique_ptr<HnswIndex>(new HnswIndex(shape_of(spec), options, builder));
}

Result<std::unique_ptr<HnswIndex>> HnswIndex::open(const CollectionSpec& spec,
                                                   const Options& options, IndexBuilder& builder,
                                                   const std::filesystem::path& snapshot) {
  QV_TRY(auto index, create(spec, options, builder));
  auto graph = GraphFile::load(snapshot, index->shape_);
  if (!graph.ok()) {
    if (graph.error().code == ErrorCode::NotFound) return index;
    return std::move(graph).error();
  }
  index->size_ = (*graph)->live();
  index->building_ = true;
  const WriteLock lock(index->graph_mutex_);
  index->graph_ = std::move(*graph);
  return index;
}

SlotSet HnswIndex::reconcile(const SlotSet& live) {
  const auto current = graph();
  if (!current) return live;
  SlotSet missing = current->reconcile(live);
  size_ = current->live();
  if (rebuild_due(*current)) builder_.schedule(*this);
  return missing;
}

std::shared_ptr<HnswGraph> HnswIndex::graph() const {
  const ReadLock lock(graph_mutex_);
  return graph_;
}

Status HnswIndex::insert(Slot slot, std::span<const float> vector) {
  QV_CHECK(check_vector(vector, dim()));
  // The tail first: a vector is in one of the two at every moment, and moves only this way.
  const auto current = graph();
  if (tail_.contains(slot) || (current && current->contains(slot))) {
    return Error{ErrorCode::InvalidArgument,
                 "slot " + std::to_string(raw(slot)) + " is in the index already"};
  }
  QV_CHECK(tail_.append(slot, vector));
  size_.fetch_add(1, std::memory_order_relaxed);
  enqueue(slot);
  return Done{};
}

void HnswIndex::enqueue(Slot slot) {
  if (!building_ && size() <= options_.exact_search_points) return;
  {
    const MutexLock lock(build_mutex_);
    if (building_) {
      queue_.push_back(slot);
    } else {
      building_ = true;
      const auto all = tail_.slots();
      queue_.assign(all.begin(), all.end());
    }
  }
  builder_.schedule(*this);
}

Status HnswIndex::remove(Slot slot) {
  if (tail_.erase(slot)) {
    size_.fetch_sub(1, std::memory_order_relaxed);
    return Done{};
  }
  bool rebuild = false;
  {
    // Shared: a graph that is being replaced must not miss this.
    const ReadLock lock(graph_mutex_);
    if (!graph_ || !graph_->hide(slot)) return Done{};
    rebuild = rebuild_due(*graph_);
  }
  size_.fetch_sub(1, std::memory_order_relaxed);
  if (rebuild) builder_.schedule(*this);
  return Done{};
}

bool HnswIndex::rebuild_due(const HnswGraph& graph) const noexcept {
  const std::size_t nodes = graph.count();
  const std::size_t dead = nodes - std::min(nodes, graph.live());
  return dead > 0 && dead * 100 >= nodes * options_.rebuild_dead_percent;
}

bool HnswIndex::worth_walking(const IndexQuery& query, const HnswGraph& graph) const noexcept {
  if (size() <= options_.exact_search_points) return false;
  if (query.allowed == nullptr) return true;
  const std::size_t allowed = query.allowed->size();
  return allowed > options_.exact_search_points &&
         !scan_is_cheaper(allowed, graph.live(), std::max(query.ef, query.k));
}

Result<std::vector<Neighbor>> HnswIndex::search(const CallContext& call,
                                                const IndexQuery& query) const {
  QV_CHECK(check_query(query, dim()));
  const auto before = graph();
  if (!before || !worth_walking(query, *before)) return scan(call, query);
  QV_TRY(auto walked, walk(call, query));
  if (walked) return std::move(*walked);
  return scan(call, query);
}

Result<std::optional<std::vector<Neighbor>>> HnswIndex::walk(const CallContext& call,
                                                             const IndexQuery& query) const {
  // One more tells whether anything ties with the last.
  const std::size_t k = query.k + (query.ties ? 1 : 0);
  const std::size_t ef = std::max(query.ef, k);
  const std::size_t candidates = query.allowed != nullptr ? query.allowed->size() : size();
  // The tail first: what leaves it afterwards is in the graph when we come there.
  NearestHeap tail_heap(k);
  QV_CHECK(tail_.scan(call, query, distance_, tail_heap));
  auto tail = tail_heap.take_sorted();
  const auto current = graph();
  std::vector<Neighbor> found;
  if (!current) return std::optional<std::vector<Neighbor>>();
  QV_TRY(
      const WalkEnd end,
      current->walk(
          call,
          {.vector = query.vector.data(), .ef = ef, .allowed = query.allowed, .budget = candidates},
          found));
  if (end != WalkEnd::Complete) return std::optional<std::vector<Neighbor>>();
  auto nearest = merge(tail, found, tail.size() + found.size());
  if (nearest.size() < std::min(query.k, candidates)) {
    return std::optional<std::vector<Neighbor>>();
  }
  const std::size_t last =
      query.ties ? end_of_ties(shape_.metric, nearest, query.k) : std::min(query.k, nearest.size());
  if (last > query.k) {
    // A list that was cut among those that tie may lack some of them.
    std::sort(found.begin(), found.end(), nearer);
    const auto cut = [&](const std::vector<Neighbor>& list, std::size_t limit) {
      return list.size() >= limit &&
             alike(shape_.metric, list.back().distance, nearest[query.k - 1].distance);
    };
    if (cut(tail, k) || cut(found, ef)) return std::optional<std::vector<Neighbor>>();
  }
  nearest.resize(last);
  return std::optional(std::move(nearest));
}

Result<std::vector<Neighbor>> HnswIndex::scan(const CallContext& call,
                                              const IndexQuery& query) const {
  QV_CHECK(check_query(query, dim()));
  const auto look = [&](std::size_t k, float farthest) -> Result<std::vector<Neighbor>> {
    // In this order, as in walk().
    NearestHeap tail(k, farthest);
    QV_CHECK(tail_.scan(call, query, distance_, tail));
    const auto current = graph();
    if (!current) return tail.take_sorted();
    NearestHeap linked(k, farthest);
    QV_CHECK(current->scan(call, query, linked));
    return merge(tail.take_sorted(), linked.take_sorted(), k);
  };
  return look_for_nearest(shape_.metric, query, look);
}

std::size_t HnswIndex::unindexed() const {
  return building_ ? tail_.size() : 0;
}

Status HnswIndex::wait_indexed(const CallContext& call) const {
  const MutexLock lock(build_mutex_);
  while (unindexed() > 0) {
    if (failure_) return *failure_;
    QV_CHECK(call.check());
    progress_.wait_until(build_mutex_, std::chrono::steady_clock::now() + kPollInterval);
  }
  return Done{};
}

HnswIndex::Counts HnswIndex::counts() const {
  Counts counts;
  counts.tail = tail_.size();
  if (const auto current = graph()) {
    counts.graph_nodes = current->count();
    counts.graph_live = current->live();
  }
  const MutexLock lock(build_mutex_);
  counts.rebuilds = rebuilds_;
  return counts;
}

Status HnswIndex::save(const CallContext& call, const std::filesystem::path& snapshot) {
  const auto current = graph();
  if (!current) {
    std::error_code problem;
    std::filesystem::remove(snapshot, problem);
    if (!problem) return Done{};
    return Error{ErrorCode::Unavailable, snapshot.string() + ": remove: " + problem.message()};
  }
  QV_CHECK(pause(call));
  // Asked for again: what the pause waited for may have replaced it.
  auto saved = GraphFile::save(*graph(), snapshot);
  resume();
  return saved;
}

Status HnswIndex::pause(const CallContext& call) {
  const MutexLock lock(build_mutex_);
  while (paused_) {
    QV_CHECK(call.check());
    progress_.wait_until(build_mutex_, std::chrono::steady_clock::now() + kPollInterval);
  }
  paused_ = true;
  while (draining_ > 0) {
    if (auto in_time = call.check(); !in_time.ok()) {
      paused_ = false;
      builder_.schedule(*this);
      return in_time;
    }
    progress_.wait_until(build_mutex_, std::chrono::steady_clock::now() + kPollInterval);
  }
  return Done{};
}

void HnswIndex::resume() {
  {
    const MutexLock lock(build_mutex_);
    paused_ = false;
  }
  progress_.notify_all();
  builder_.schedule(*this);
}

}  // namespace quiver::storage
