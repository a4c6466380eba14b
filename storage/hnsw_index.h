#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/collection_spec.h"
#include "core/mutex.h"
#include "storage/distance.h"
#include "storage/hnsw_graph.h"
#include "storage/index_builder.h"
#include "storage/options.h"
#include "storage/vector_chunks.h"
#include "storage/vector_index.h"

namespace quiver::storage {

/// The index of a shard: an exact tail in front of an approximate graph.
///
///     insert() --> tail --(IndexBuilder's threads)--> graph --(too many dead)--> new graph
///     search()  =  scan of the tail  +  walk through the graph
///
/// An inserted vector lies in the tail, which every search looks through exactly, until a builder
/// thread has linked it into the graph. Until Options::exact_search_points vectors are live there
/// is no graph and every search is exact, as it is again whenever so few are live or allowed.
///
/// Removed vectors stay in the graph as places to pass through, never as results, until their share
/// reaches Options::rebuild_dead_percent. Then a new graph is built from the live ones beside the
/// old one, which serves meanwhile (both are in memory then), and takes its place.
///
/// To open a shard: open() with the path of its snapshot, or create() if open() answers Corruption;
/// then reconcile() with the slots that are live according to the point store, then insert() the
/// slots that it returns. Only then search.
///
/// Threads: as VectorIndex. open(), create() and reconcile() before all else.
class HnswIndex final : public VectorIndex, private IndexBuilder::Client {
 public:
  /// An empty index. `builder` must outlive it.
  /// Errors: InvalidArgument if dimension or index parameters are out of bounds.
  static Result<std::unique_ptr<HnswIndex>> create(const CollectionSpec& spec,
                                                   const Options& options, IndexBuilder& builder);
  /// The index that save() wrote to `snapshot`; an empty one if there is no such file.
  /// Errors: as create(); Corruption for a damaged file or one of another spec; ResourceExhausted;
  /// Unavailable for I/O errors.
  static Result<std::unique_ptr<HnswIndex>> open(const CollectionSpec& spec, const Options& options,
                                                 IndexBuilder& builder,
                                                 const std::filesystem::path& snapshot);
  ~HnswIndex() override;
  HnswIndex(const HnswIndex&) = delete;
  HnswIndex& operator=(const HnswIndex&) = delete;

  /// Removes all slots that are not in `live`; returns those of `live` that the index lacks.
  SlotSet reconcile(const SlotSet& live);

  /// Errors: InvalidArgument also if a component is not finite or the index has or had `slot`.
  Status insert(Slot slot, std::span<const float> vector) override;
  Status remove(Slot slot) override;
  /// Returns k neighbours whenever there are k: it scans when the walk found fewer, or when walking
  /// to the allowed ones would cost more than scanning them.
  Result<std::vector<Neighbor>> search(const CallContext& call,
                                       const IndexQuery& query) const override;
  Result<std::vector<Neighbor>> scan(const CallContext& call,
                                     const IndexQuery& query) const override;
  std::size_t dim() const noexcept override { return shape_.dim; }
  std::size_t size() const noexcept override { return size_.load(std::memory_order_relaxed); }

  /// Vectors that wait to be linked into the graph; 0 while so few are live that none is built.
  std::size_t unindexed() const;
  /// Blocks until unindexed() is 0.
  /// Errors: DeadlineExceeded from `call`; what stopped the building, if something did.
  Status wait_indexed(const CallContext& call) const;

  /// Writes the graph to `snapshot`; removes that file if there is no graph. Building pauses.
  /// Vectors of the tail are not in it: reconcile() names them when it is opened.
  /// Errors: as GraphFile::save(); DeadlineExceeded from `call` while waiting for the pause.
  Status save(const CallContext& call, const std::filesystem::path& snapshot);

  /// For operators and tests.
  struct Counts {
    std::size_t tail = 0;
    /// Dead ones among them.
    std::size_t graph_nodes = 0;
    std::size_t graph_live = 0;
    /// Graphs that took the place of an older one since the start.
    std::size_t rebuilds = 0;
  };
  Counts counts() const;

 private:
  struct Rebuild;
  /// What a builder thread took upon itself; no slots and no nodes: nothing to do.
  struct Work {
    /// To link into the graph.
    std::vector<Slot> slots;
    /// To copy from the graph into the next one.
    std::vector<NodeId> nodes;
    std::shared_ptr<HnswGraph> graph;
    HnswGraph* next = nullptr;
    /// Freed by whoever lets go of it last, not under a lock.
    std::shared_ptr<HnswGraph> retired;
  };

  HnswIndex(const GraphShape& shape, const Options& options, IndexBuilder& builder);
  std::shared_ptr<HnswGraph> graph() const;
  bool worth_walking(const IndexQuery& query, const HnswGraph& graph) const noexcept;
  /// Absent if the walk does not answer the query, and a scan must.
  Result<std::optional<std::vector<Neighbor>>> walk(const CallContext& call,
                                                    const IndexQuery& query) const;
  void enqueue(Slot slot);
  bool rebuild_due(const HnswGraph& graph) const noexcept;

  // Builder threads.
  bool build_step() override;
  Status prepare(Work& work) QV_REQUIRES(build_mutex_);
  Status begin_rebuild(const HnswGraph& graph) QV_REQUIRES(build_mutex_);
  std::shared_ptr<HnswGraph> finish_rebuild() QV_REQUIRES(build_mutex_);
  void take_nodes(Work& work) QV_REQUIRES(build_mutex_);
  void take_slots(Work& work) QV_REQUIRES(build_mutex_);
  Status perform(const Work& work);
  Status drain(const Work& work);
  Status copy(const Work& work);
  void fail(const Error& error) QV_REQUIRES(build_mutex_);
  Status pause(const CallContext& call);
  void resume();

  const GraphShape shape_;
  const Options options_;
  const DistanceFunction distance_;
  IndexBuilder& builder_;

  std::atomic<std::size_t> size_{0};
  /// Set once a graph exists or is wanted.
  std::atomic<bool> building_{false};
  std::atomic<bool> stopping_{false};
  VectorChunks tail_;

  /// Exclusive: another graph takes the place of the old one.
  mutable SharedMutex graph_mutex_;
  std::shared_ptr<HnswGraph> graph_ QV_GUARDED_BY(graph_mutex_);

  /// Taken before all other locks.
  mutable Mutex build_mutex_;
  mutable CondVar progress_;
  /// Slots of the tail that no builder thread has taken yet.
  std::deque<Slot> queue_ QV_GUARDED_BY(build_mutex_);
  /// Batches of either kind that builder threads work on.
  std::size_t draining_ QV_GUARDED_BY(build_mutex_) = 0;
  std::size_t copying_ QV_GUARDED_BY(build_mutex_) = 0;
  /// The graph is between begin_inserts() and end_inserts().
  bool inserting_ QV_GUARDED_BY(build_mutex_) = false;
  std::unique_ptr<Rebuild> rebuild_ QV_GUARDED_BY(build_mutex_);
  std::size_t rebuilds_ QV_GUARDED_BY(build_mutex_) = 0;
  bool paused_ QV_GUARDED_BY(build_mutex_) = false;
  std::optional<Error> failure_ QV_GUARDED_BY(build_mutex_);
};

}  // namespace quiver::storage
