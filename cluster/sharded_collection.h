#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "cluster/collection.h"
#include "cluster/fan_out.h"
#include "cluster/local_replica.h"
#include "core/mutex.h"
#include "storage/shard_store.h"

namespace quiver::cluster {

/// A collection whose shards all lie on this node. Opens them at the first call.
///
/// Threads: any. `store` and `fan_out` must outlive it.
class ShardedCollection final : public Collection {
 public:
  ShardedCollection(CollectionSpec spec, storage::ShardStore& store, FanOut& fan_out);

  const CollectionSpec& spec() const noexcept override { return spec_; }
  Result<MutationResult> upsert(const CallContext& call, std::vector<Point> points) override;
  Result<MutationResult> erase(const CallContext& call, std::vector<PointId> ids) override;
  Result<MutationResult> erase_matching(const CallContext& call, const Filter& filter) override;
  Result<MutationResult> update_payload(const CallContext& call, UpdatePayload update) override;
  Result<std::vector<Point>> get(const CallContext& call, const std::vector<PointId>& ids,
                                 Projection projection) override;
  Result<std::vector<ScoredPoint>> search(const CallContext& call, const Query& query) override;
  Result<ScrollPage> scroll(const CallContext& call, const std::optional<Filter>& filter,
                            const std::optional<PointId>& after, std::size_t limit,
                            Projection projection) override;
  Result<std::uint64_t> count(const CallContext& call,
                              const std::optional<Filter>& filter) override;
  Result<std::vector<Field>> fields(const CallContext& call, std::size_t limit) override;
  Result<CollectionStats> stats(const CallContext& call) override;

  /// Erases some of what has expired, if the shards are open; whether there may be more.
  Result<bool> purge_expired(std::int64_t now_ms);
  /// Waits for running calls, closes the shards and refuses all later calls with NotFound.
  void retire();

 private:
  using Replicas = std::vector<std::unique_ptr<LocalReplica>>;

  Status ensure_open();
  Result<std::unique_ptr<LocalReplica>> open_replica(ShardId shard);
  /// Opens the shards anew that refuse writes since the disk was full, if there is room again.
  void heal();
  bool is_open() const;
  Status gone() const;
  /// Calls `work(replica, shard)` for each shard that `wanted` names, side by side.
  template <typename T>
  Result<std::vector<T>> each(const std::vector<std::uint32_t>& wanted,
                              const std::function<Result<T>(LocalReplica&, std::uint32_t)>& work);
  template <typename T>
  Result<std::vector<T>> each_shard(
      const std::function<Result<T>(LocalReplica&, std::uint32_t)>& work);
  /// One write for each shard that has one; the sum of what they did.
  Result<MutationResult> write(const CallContext& call,
                               std::vector<std::optional<WriteRequest>> requests);

  const CollectionSpec spec_;
  storage::ShardStore& store_;
  FanOut& fan_out_;
  const std::vector<std::uint32_t> all_shards_;
  /// Shared by calls, exclusive to open and to retire: a call keeps the shards alive by holding it.
  mutable SharedMutex life_;
  Replicas replicas_ QV_GUARDED_BY(life_);
  std::atomic<bool> retired_{false};
};

}  // namespace quiver::cluster
