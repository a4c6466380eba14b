#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "cluster/collection.h"
#include "cluster/fan_out.h"
#include "cluster/replica.h"
#include "cluster/routing/shard_caller.h"
#include "cluster/view/view_source.h"

namespace quiver::cluster {

/// A collection, wherever its shards lie. Each call works with one view of the cluster; a shard
/// that has moved since is asked once more, by a new view.
///
/// Shards with several copies are asked as ShardCaller does: where no copy can do it now, until the
/// call is out of time; with Query::allow_partial once more. A write without a request id gets one.
/// Reads are at CallContext::read_level, else CollectionSpec::read_level, else searches Session
/// and all others Linearizable. Session sees all writes that were acknowledged through this server.
///
/// Threads: any.
class ShardedCollection final : public Collection {
 public:
  /// The ways to its shards.
  struct Ways {
    ViewSource& views;
    Copies& copies;
    FanOut& fan_out;
    /// Owns the three. Each call keeps it alive; without it calls fail with Unavailable.
    std::weak_ptr<const void> home;
  };
  ShardedCollection(std::shared_ptr<const CollectionView> collection, Ways ways);

  const CollectionSpec& spec() const noexcept override { return spec_; }
  Result<MutationResult> upsert(const CallContext& call, std::vector<Point> points) override;
  Result<MutationResult> erase(const CallContext& call, std::vector<PointId> ids) override;
  Result<MutationResult> erase_matching(const CallContext& call, const Filter& filter) override;
  Result<MutationResult> update_payload(const CallContext& call, UpdatePayload update) override;
  Result<std::vector<Point>> get(const CallContext& call, const std::vector<PointId>& ids,
                                 Projection projection) override;
  Result<SearchAnswer> search(const CallContext& call, const Query& query) override;
  Result<ScrollPage> scroll(const CallContext& call, const std::optional<Filter>& filter,
                            const std::optional<PointId>& after, std::size_t limit,
                            Projection projection) override;
  Result<std::uint64_t> count(const CallContext& call,
                              const std::optional<Filter>& filter) override;
  Result<std::vector<Field>> fields(const CallContext& call, std::size_t limit) override;
  Result<CollectionStats> stats(const CallContext& call) override;
  Result<std::vector<PointId>> upsert_if(const CallContext& call, UpsertIf write) override;

 private:
  /// What is made of one shard.
  template <typename T>
  using Work = std::function<Result<T>(Replica&, const CallContext&, std::uint32_t)>;
  /// How the copies of a shard are asked, if it has several.
  struct Manner {
    /// Absent: a write.
    std::optional<ReadLevel> level;
    bool hedged = false;
    bool patient = true;
  };

  Error gone() const;
  /// This collection in `view`; null if it is not there any more.
  const CollectionView* find_in(const ClusterView& view) const;
  Manner reading(const CallContext& call, ReadLevel otherwise) const;
  /// As `call`, with a request id if shards have several copies.
  CallContext writing(const CallContext& call) const;
  /// A write of the shard was acknowledged.
  void remember(std::uint32_t shard, Seq at);
  template <typename T>
  Result<T> ask(const CallContext& call, std::uint32_t shard, const Manner& manner,
                const Work<T>& work);
  /// Of a shard with one copy.
  template <typename T>
  Result<T> ask_only_copy(const CallContext& call, std::uint32_t shard, const Work<T>& work);
  /// Calls `work` for each shard that `wanted` names, side by side; answers in that order.
  template <typename T>
  std::vector<Result<T>> ask_each(const CallContext& call, const std::vector<std::uint32_t>& wanted,
                                  const Manner& manner, const Work<T>& work);
  /// The same, all or nothing.
  template <typename T>
  Result<std::vector<T>> each(const CallContext& call, const std::vector<std::uint32_t>& wanted,
                              const Manner& manner, const Work<T>& work);
  /// One write for each shard that has one; the sum of what they did.
  Result<MutationResult> write(const CallContext& call,
                               std::vector<std::optional<WriteRequest>> requests);

  const std::shared_ptr<const CollectionView> collection_;
  const CollectionSpec& spec_;
  const Ways ways_;
  const ShardCaller caller_;
  const std::vector<std::uint32_t> all_shards_;
};

}  // namespace quiver::cluster
