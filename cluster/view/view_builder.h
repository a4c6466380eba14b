#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/coordination/store.h"
#include "cluster/view/cluster_view.h"

namespace quiver::cluster {

/// A shard's record with its revision in the store: what a compare-and-swap of it needs.
struct SeenShard {
  ShardState state;
  Revision revision{0};
};

/// Makes views out of what the coordination store holds.
///
/// A value that cannot be understood leaves what was known of its key as it was.
///
/// Threads: one at a time.
class ViewBuilder {
 public:
  /// Takes over all that there is; a listing older than what is known changes nothing.
  ///
  /// Errors: Corruption naming the first value that cannot be understood; the others are taken.
  Status take(const Listing& listing);
  /// Errors: as take(Listing).
  Status take(const WatchBatch& batch);

  /// Of the store; all changes up to it are known.
  Revision revision() const noexcept { return revision_; }
  /// What raises the epoch: of this, take() makes the same servers, slots and collections, without
  /// the signs of life.
  Listing map() const;
  /// A shard's record, if it is known and newer than `after`. Nothing, too, if its newest value
  /// cannot be understood.
  std::optional<SeenShard> shard_record(std::string_view collection_id, ShardId shard,
                                        Revision after) const;
  /// Collections whose shards are not all known are left out: they are being made or removed.
  std::shared_ptr<const ClusterView> build();

 private:
  /// What is known of one collection.
  struct Parts {
    std::optional<CollectionSpec> spec;
    std::map<ShardId, ShardState> shards;
    /// Made of them, unless something has changed.
    std::shared_ptr<const CollectionView> whole;
  };
  struct Known {
    std::string value;
    Revision revision{0};
  };

  Status put(const std::string& key, const std::string& value);
  void remove(const std::string& key);
  Status put_map_key(const std::string& key, const Json& json);
  Status accept(const std::string& key, const std::string& value, Revision revision);
  std::shared_ptr<const CollectionView> whole_of(Parts& parts) const;

  Revision revision_{0};
  std::map<std::string, Known> known_;
  std::map<NodeId, NodeRecord> nodes_;
  std::map<NodeId, AliveRecord> alive_;
  SlotList slots_;
  std::map<std::string, Parts> collections_;
  std::map<std::string, DroppingRecord> dropping_;
};

}  // namespace quiver::cluster
