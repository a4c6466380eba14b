#pragma once

#include <memory>

#include "cluster/coordination/store.h"
#include "core/mutex.h"
#include "storage/kv_store.h"

namespace quiver::cluster {

/// The coordination store of a single node: a key-value store in its data directory.
class EmbeddedStore final : public CoordinationStore {
 public:
  /// Errors: those of KvStore; Corruption for a value that this class did not write.
  static Result<std::unique_ptr<EmbeddedStore>> open(const std::filesystem::path& directory);

  Result<std::optional<Entry>> get(std::string_view key) override;
  Result<std::vector<Entry>> list(std::string_view prefix) override;
  Result<TxnOutcome> txn(const std::vector<Compare>& compares,
                         const std::vector<Put>& puts) override;

 private:
  EmbeddedStore(std::unique_ptr<storage::KvStore> kv, std::uint64_t revision);

  const std::unique_ptr<storage::KvStore> kv_;
  /// Serialises transactions.
  SharedMutex mutex_;
  std::uint64_t revision_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::cluster
