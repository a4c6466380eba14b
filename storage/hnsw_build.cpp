// The half of HnswIndex that runs on the builder's threads.

#include <algorithm>
#include <new>
#include <string>
#include <utility>

#include "core/log.h"
#include "storage/hnsw_index.h"

namespace quiver::storage {
namespace {

/// Vectors linked in one step: some ten milliseconds of work.
constexpr std::size_t kBatch = 16;
/// While a new graph is built, every this many-th step drains the tail into the old one. The copy
/// must be faster than the drain, or it would never end.
constexpr std::size_t kDrainEvery = 3;

}  // namespace

/// A graph in the making that will take the place of the one that serves.
struct HnswIndex::Rebuild {
  std::unique_ptr<HnswGraph> next;
  /// Nodes of the old graph to copy: those that were live at the start, then those added since.
  std::vector<NodeId> todo;
  std::size_t taken = 0;
  /// {node of the next graph, node of the old one}.
  std::vector<std::pair<NodeId, NodeId>> copies;
  std::size_t steps = 0;
};

HnswIndex::HnswIndex(const GraphShape& shape, const Options& options, IndexBuilder& builder)
    : shape_(shape),
      options_(options),
      distance_(distance_function(shape.metric)),
      builder_(builder),
      tail_(shape.dim) {}

HnswIndex::~HnswIndex() {
  stopping_ = true;
  builder_.forget(*this);
}

bool HnswIndex::build_step() {
  if (stopping_) return false;
  Work work;
  try {
    const MutexLock lock(build_mutex_);
    if (paused_ || failure_) return false;
    if (auto prepared = prepare(work); !prepared.ok()) {
      fail(prepared.error());
      return false;
    }
    if (work.slots.empty() && work.nodes.empty()) return false;
  } catch (const std::bad_alloc&) {
    const MutexLock lock(build_mutex_);
    fail({ErrorCode::ResourceExhausted, "no memory to build the index"});
    return false;
  }
  const Status done = perform(work);
  const MutexLock lock(build_mutex_);
  (work.nodes.empty() ? draining_ : copying_) -= 1;
  if (!done.ok()) fail(done.error());
  progress_.notify_all();
  return done.ok();
}

// What could not be linked stays in the tail, where every search finds it.
void HnswIndex::fail(const Error& error) {
  if (!failure_) QV_LOG_ERROR("index_build_stopped tail={} error={}", tail_.size(), error.message);
  failure_ = error;
  progress_.notify_all();
}

Status HnswIndex::prepare(Work& work) {
  if (rebuild_ && rebuild_->taken == rebuild_->todo.size()) {
    // Threads that are still at work may add to the list.
    if (draining_ + copying_ > 0) return Done{};
    work.retired = finish_rebuild();
  }
  work.graph = graph();
  if (!work.graph) {
    QV_TRY(work.graph, HnswGraph::create(shape_, queue_.size()));
    const WriteLock lock(graph_mutex_);
    graph_ = work.graph;
  }
  if (!rebuild_ && rebuild_due(*work.graph)) {
    // A node that is linked but not published yet would be taken for a dead one.
    if (draining_ > 0) return Done{};
    QV_CHECK(begin_rebuild(*work.graph));
    // Nothing to copy: no step would come back to end it.
    if (rebuild_->todo.empty()) {
      work.retired = finish_rebuild();
      work.graph = graph();
    }
  }
  if (rebuild_ && (queue_.empty() || ++rebuild_->steps % kDrainEvery != 0)) {
    take_nodes(work);
  } else {
    take_slots(work);
  }
  if (inserting_ && draining_ == 0) {
    inserting_ = false;
    work.graph->end_inserts();
  }
  return Done{};
}

Status HnswIndex::begin_rebuild(const HnswGraph& graph) {
  auto rebuild = std::make_unique<Rebuild>();
  rebuild->todo = graph.published_nodes();
  QV_TRY(rebuild->next, HnswGraph::create(shape_, rebuild->todo.size()));
  rebuild->next->begin_inserts();
  rebuild->copies.reserve(rebuild->todo.size());
  rebuild_ = std::move(rebuild);
  QV_LOG_INFO("index_rebuild_started nodes={} live={}", graph.count(), graph.live());
  return Done{};
}

std::shared_ptr<HnswGraph> HnswIndex::finish_rebuild() {
  const auto done = std::exchange(rebuild_, nullptr);
  auto old = graph();
  if (inserting_) old->end_inserts();
  inserting_ = false;
  done->next->end_inserts();
  {
    const WriteLock lock(graph_mutex_);
    done->next->publish_like(*old, done->copies);
    graph_ = std::move(done->next);
  }
  ++rebuilds_;
  QV_LOG_INFO("index_rebuild_finished nodes={}", done->copies.size());
  return old;
}

void HnswIndex::take_nodes(Work& work) {
  const auto first = rebuild_->todo.begin() + static_cast<std::ptrdiff_t>(rebuild_->taken);
  const std::size_t count = std::min(kBatch, rebuild_->todo.size() - rebuild_->taken);
  if (count == 0) return;
  work.nodes.assign(first, first + static_cast<std::ptrdiff_t>(count));
  work.next = rebuild_->next.get();
  rebuild_->taken += count;
  ++copying_;
}

void HnswIndex::take_slots(Work& work) {
  const std::size_t count = std::min(kBatch, queue_.size());
  if (count == 0) return;
  const auto last = queue_.begin() + static_cast<std::ptrdiff_t>(count);
  work.slots.assign(queue_.begin(), last);
  queue_.erase(queue_.begin(), last);
  ++draining_;
  if (!inserting_) work.graph->begin_inserts();
  inserting_ = true;
}

Status HnswIndex::perform(const Work& work) {
  try {
    return work.nodes.empty() ? drain(work) : copy(work);
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::ResourceExhausted, "no memory to build the index"};
  }
}

Status HnswIndex::drain(const Work& work) {
  std::vector<NodeId> linked;
  for (const Slot slot : work.slots) {
    if (stopping_) break;
    const auto pinned = tail_.find(slot);
    if (!pinned) continue;
    QV_TRY(const NodeId node, work.graph->insert(slot, pinned->vector));
    linked.push_back(node);
    // If it was removed meanwhile, the node stays unpublished: dead from the start.
    tail_.publish_elsewhere(slot, [&] { work.graph->publish(node); });
  }
  const MutexLock lock(build_mutex_);
  if (rebuild_) rebuild_->todo.insert(rebuild_->todo.end(), linked.begin(), linked.end());
  return Done{};
}

Status HnswIndex::copy(const Work& work) {
  std::vector<std::pair<NodeId, NodeId>> copies;
  std::vector<float> vector(shape_.dim);
  for (const NodeId node : work.nodes) {
    if (stopping_) break;
    const Slot slot = work.graph->read(node, vector.data());
    QV_TRY(const NodeId copied, work.next->insert(slot, vector.data()));
    copies.emplace_back(copied, node);
  }
  const MutexLock lock(build_mutex_);
  rebuild_->copies.insert(rebuild_->copies.end(), copies.begin(), copies.end());
  return Done{};
}

}  // namespace quiver::storage
