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

/// Opens, creates and drops the shard directories below one directory, and owns what they share:
/// the RocksDB cache and the threads that build graphs.
///
/// Threads: any. Must outlive the shards that it opened.
class ShardStore {
 public:
  /// `clock` must outlive the store. Touches no file.
  ShardStore(std::filesystem::path root, const Options& options, const Clock& clock);
  ~ShardStore();
  ShardStore(const ShardStore&) = delete;
  ShardStore& operator=(const ShardStore&) = delete;

  /// Opens the shard's directory, making it if it is not there. A shard is open once.
  ///
  /// Errors: FailedPrecondition for a newer format or a spec that differs from the stored one;
  /// Corruption; ResourceExhausted for a full disk; Unavailable for any other I/O error.
  Result<std::unique_ptr<Shard>> open(const CollectionSpec& spec, ShardId shard);

  /// Moves all shards of a collection into the trash, durably; none of them may be open. Takes no
  /// longer for a large collection, and a crash leaves all of it or nothing.
  Status discard_collection(const std::string& collection_id);
  /// discard_collection() and sweep().
  Status drop_collection(const std::string& collection_id);

  /// Ids of the collections that have files here, in no order.
  Result<std::vector<std::string>> collections() const;

  /// Empties the trash: what was discarded just now, or before a crash. Takes as long as removing
  /// all its files does.
  Status sweep();

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace quiver::storage
