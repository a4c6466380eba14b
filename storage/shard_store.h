#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/collection_spec.h"
#include "storage/options.h"
#include "storage/shard.h"

namespace quiver::storage {

/// Which copy of which shard a directory holds.
struct ShardPlace {
  /// CollectionSpec::id.
  std::string collection;
  ShardId shard{0};
  CopyId copy;

  auto operator<=>(const ShardPlace&) const = default;
};

/// Opens, creates and buries the shard directories below one directory, and owns what they share:
/// the RocksDB cache and the threads that build graphs.
///
///     <collection id>/<shard>.<copy id>/   a copy (storage/disk_shard.h)
///     incoming/<copy id>/                  a copy that is being received, or was and goes on
///     trash/                               what sweep() removes
///
/// Threads: any. Must outlive the shards that it opened.
class ShardStore {
 public:
  /// `clock` must outlive the store. Touches no file.
  ShardStore(std::filesystem::path root, const Options& options, const Clock& clock);
  ~ShardStore();
  ShardStore(const ShardStore&) = delete;
  ShardStore& operator=(const ShardStore&) = delete;

  /// Makes an empty copy and opens it; opens one that is there.
  ///
  /// Errors: FailedPrecondition for a newer format or a spec that differs from the stored one;
  /// Corruption; ResourceExhausted for a full disk; Unavailable for any other I/O error.
  Result<std::unique_ptr<Shard>> create(const CollectionSpec& spec, ShardId shard,
                                        const CopyId& copy);
  /// Opens a copy that was made here. A copy is open once.
  ///
  /// Errors: as create(); Corruption also if the copy is not on this disk: an empty one in its
  /// stead would pass for the data.
  Result<std::unique_ptr<Shard>> open(const CollectionSpec& spec, ShardId shard,
                                      const CopyId& copy);

  /// Puts a copy that is not open into the trash, so that a crash leaves nothing that could come
  /// back. Of a copy that is not here, nothing.
  Status bury(const ShardPlace& place);
  /// The same for all copies of a collection, none of which may be open. Takes no longer for a
  /// large one, and a crash leaves all of it or nothing.
  Status bury_collection(const std::string& collection_id);
  /// Empties the trash: what was buried just now, or before a crash. Takes as long as removing all
  /// its files does.
  Status sweep();

  /// An empty directory to receive the files of a copy in; what was there is removed.
  Result<std::filesystem::path> prepare_incoming(const CopyId& copy);
  /// The same, with what was there.
  Result<std::filesystem::path> resume_incoming(const CopyId& copy);
  /// Removes what was received of a copy, and has not been adopted.
  Status discard_incoming(const CopyId& copy);
  /// The same for all copies: what a crash left. Kept is what has a file of the name kTransferFile,
  /// which tells somebody how to go on with it.
  Status discard_all_incoming();
  static constexpr const char* kTransferFile = "TRANSFER";
  /// Copies whose files discard_all_incoming() keeps.
  Result<std::vector<CopyId>> resumable_incoming() const;
  /// Makes the files received a copy of this store, durably. They must hold that shard of `spec`.
  ///
  /// Errors: Corruption if they do not; as create().
  Status adopt(const CollectionSpec& spec, ShardId shard, const CopyId& copy);

  /// Puts the files received in the place of a copy that is here and not open, which goes into the
  /// trash. A crash leaves the one or the other; on a file system that cannot exchange two
  /// directories it may leave neither, which opening reports.
  ///
  /// Errors: as adopt(); FailedPrecondition if the copy is open.
  Status replace(const CollectionSpec& spec, ShardId shard, const CopyId& copy);

  /// Ids of the collections that have files here, in no order.
  Result<std::vector<std::string>> collections() const;
  /// The copies that have files here, in order.
  Result<std::vector<ShardPlace>> copies() const;

 private:
  class State;

  std::filesystem::path directory_of(const ShardPlace& place) const;
  Status check_received(const CollectionSpec& spec, ShardId shard, const CopyId& copy);
  Status bury_directory(const std::filesystem::path& directory, const std::string& grave_name);
  Result<std::unique_ptr<Shard>> open_place(const CollectionSpec& spec, const ShardPlace& place);

  std::unique_ptr<State> state_;
};

}  // namespace quiver::storage
