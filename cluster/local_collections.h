#pragma once

#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "cluster/collections.h"
#include "cluster/coordination/store.h"
#include "cluster/sharded_collection.h"
#include "core/clock.h"
#include "storage/options.h"

namespace quiver::cluster {

/// The collections of a cluster of one node, in a data directory.
///
/// Opens its files at the first call, not before, and a shard at its first use. A background
/// thread, started with the first call, removes what an earlier process had dropped and erases
/// points that have expired.
///
/// Threads: any. The process must own the directory.
class LocalCollections final : public Collections {
 public:
  /// `clock` must outlive it. Touches no file.
  LocalCollections(std::filesystem::path data_dir, const storage::Options& options,
                   const Clock& clock);
  /// close().
  ~LocalCollections() override;

  Result<std::shared_ptr<Collection>> find(std::string_view name) override;
  Result<Created> create(const CallContext& call, CollectionSpec spec) override;
  Result<std::uint64_t> drop(const CallContext& call, std::string_view name) override;
  Result<std::vector<CollectionSpec>> list() override;

  /// One round of erasing points that have expired, bounded for each shard of the collections that
  /// are open; whether there may be more.
  bool purge_expired();
  /// Writes index snapshots and closes all shards, so that the next start is quick. Later calls
  /// are refused with Unavailable.
  void close();

 private:
  using Open = std::map<std::string, std::shared_ptr<ShardedCollection>, std::less<>>;

  /// Opens the catalogue if it is not open.
  Status ensure_open();
  Status load_catalogue();
  /// Errors: Corruption if there are files of a collection whose id is not among `known`.
  Status check_complete(const std::set<std::string>& known) const;
  Result<Created> register_collection(CollectionSpec spec);
  /// Moves the files of a deleted collection into the trash, or leaves that to the next start.
  void discard_files(const std::string& collection_id);
  /// Removes what is in the trash. Not under mutex_.
  void empty_trash();
  Error not_found(std::string_view name) const;
  std::vector<std::shared_ptr<ShardedCollection>> snapshot();
  void keep_house();

  const std::filesystem::path data_dir_;
  const Clock& clock_;
  FanOut fan_out_;
  storage::ShardStore shards_;

  std::mutex mutex_;
  /// Guarded by mutex_, as is all below.
  std::unique_ptr<CoordinationStore> store_;
  Open collections_;
  bool closed_ = false;
  std::condition_variable wake_;
  std::thread housekeeper_;
};

}  // namespace quiver::cluster
