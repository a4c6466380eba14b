#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/collection_spec.h"
#include "core/mutex.h"
#include "storage/index_snapshots.h"
#include "storage/rocks.h"
#include "storage/shard.h"
#include "storage/shard_environment.h"
#include "storage/shard_log.h"
#include "storage/shard_state.h"
#include "storage/shard_writer.h"

namespace quiver::storage {

/// A shard in a directory:
///
///     MANIFEST      format, collection and shard (storage/manifest.h)
///     TAIL          how far the log was acknowledged (storage/tail_mark.h)
///     rocksdb/      log and state (storage/shard_columns.h)
///     index.graph   snapshot of the vector index, if there is one
///
/// The log is durable at once; the state reaches the disk whole, in flushes, and falls back to the
/// last one in a crash. Opening does not bring it forward: the replica calls apply_through() for
/// what it knows to be committed, before anybody reads.
///
/// Threads: as Shard. Destroying it flushes the state and, if it is worth it, saves the index.
class DiskShard final : public Shard {
 public:
  /// Opens the shard, or makes it if there is none. `environment` must outlive it; `lease` is let
  /// go when the shard's files are closed.
  ///
  /// Errors: as ShardStore::open().
  static Result<std::unique_ptr<DiskShard>> open(const std::filesystem::path& directory,
                                                 const CollectionSpec& spec, ShardId shard,
                                                 ShardEnvironment& environment,
                                                 std::shared_ptr<void> lease = nullptr);
  /// The same for a shard that must be there. Errors: also Corruption if it is not.
  static Result<std::unique_ptr<DiskShard>> open_existing(const std::filesystem::path& directory,
                                                          const CollectionSpec& spec, ShardId shard,
                                                          ShardEnvironment& environment);
  ~DiskShard() override;

  Status append(std::span<const LogEntry> entries) override;
  Status append_encoded(std::span<const EncodedEntry* const> entries) override;
  Status check_append(const Mutation& mutation) const override;
  Status truncate_after(Seq last) override;
  LogPosition tail() const override;
  Seq applied() const override;
  Result<std::vector<MutationResult>> apply_through(Seq committed) override;
  Result<std::vector<LogEntry>> read_log(Seq from, std::size_t max_bytes) const override;
  Result<std::vector<EncodedEntry>> read_encoded(Seq from, std::size_t max_bytes) const override;
  Seq log_first() const override;
  void keep_log_from(Seq seq) override;
  Status store_replica(const ReplicaState& state) override;
  Result<ReplicaState> replica() const override;
  bool heals_when_opened() const override;
  std::optional<MutationResult> find_request(const RequestId& id) const override;

  Result<std::vector<ScoredPoint>> search(const CallContext& call,
                                          const ShardQuery& query) const override;
  Result<std::vector<Point>> get(std::span<const PointId> ids,
                                 Projection projection) const override;
  Result<std::vector<Point>> scroll(const CallContext& call,
                                    const ScrollQuery& query) const override;
  Result<std::vector<PointId>> ids_matching(const CallContext& call, const Filter& filter,
                                            std::size_t limit) const override;
  Result<std::uint64_t> count(const CallContext& call,
                              const std::optional<Filter>& filter) const override;
  Result<std::vector<FieldSummary>> fields(std::size_t limit) const override;
  std::vector<PointId> expired(std::int64_t now_ms, std::size_t limit) const override;
  ShardStats stats() const override;
  Result<ContentSums> content_sums(
      const CallContext& call, const std::function<Status(std::size_t bytes)>& read) const override;
  Status flush_index(const CallContext& call) override;
  Result<LogPosition> checkpoint(const std::filesystem::path& directory) override;

 private:
  DiskShard(std::filesystem::path directory, std::shared_ptr<void> lease)
      : lease_(std::move(lease)), directory_(std::move(directory)) {}

  Status open_database(const CollectionSpec& spec, ShardId shard, ShardEnvironment& environment);
  Status load_slots(const StateMark& mark);
  Status load_index(ShardEnvironment& environment);
  Status insert_missing(const SlotSet& missing);
  Status check_slots() const;
  LogPosition applied_position() const;
  void publish_applied(LogPosition applied);

  const std::shared_ptr<void> lease_;
  const std::filesystem::path directory_;
  std::unique_ptr<Rocks> rocks_;
  std::unique_ptr<ShardState> state_;
  std::unique_ptr<ShardLog> log_;
  std::unique_ptr<ShardWriter> writer_;
  /// Owned by `state_`.
  HnswIndex* index_ = nullptr;
  std::unique_ptr<IndexSnapshots> snapshots_;

  mutable SharedMutex mutex_;
  LogPosition applied_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::storage
