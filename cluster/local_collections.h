#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "cluster/collections.h"
#include "cluster/view/cluster_view.h"
#include "core/clock.h"
#include "storage/options.h"

namespace quiver::cluster {

/// The collections of a cluster of one node, in a data directory.
///
/// Opens its files at the first call, not before, and a shard at its first use.
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
  Result<std::optional<std::uint64_t>> drop(const CallContext& call,
                                            std::string_view name) override;
  Result<std::vector<CollectionSpec>> list() override;

  /// The cluster of one that this is. Errors: as list().
  Result<std::shared_ptr<const ClusterView>> view();

  /// As ShardHost::purge_expired().
  bool purge_expired();
  /// Copies of shards that are open.
  std::size_t open_shards() const;
  /// Writes index snapshots and closes all shards, so that the next start is quick. Later calls
  /// are refused with Unavailable.
  void close();

 private:
  /// All that has files open.
  class Opened;

  Result<std::shared_ptr<Opened>> opened();
  std::shared_ptr<Opened> opened_before() const;

  const std::filesystem::path data_dir_;
  const storage::Options options_;
  const Clock& clock_;

  mutable std::mutex mutex_;
  /// Guarded by mutex_, as is all below. Shared with the calls that run.
  std::shared_ptr<Opened> opened_;
  bool closed_ = false;
};

}  // namespace quiver::cluster
