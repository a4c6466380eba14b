#pragma once

#include <map>
#include <memory>
#include <set>

#include "cluster/coordination/change_history.h"
#include "cluster/coordination/store.h"
#include "core/mutex.h"
#include "storage/kv_store.h"

namespace quiver::cluster {

/// The coordination store of a single node: a key-value store in its data directory.
///
/// A lease is valid for as long as its handle lives: there is nobody else who could be gone. Keys
/// of leases whose process ended are removed when the store is opened.
class EmbeddedStore final : public CoordinationStore {
 public:
  /// Errors: those of KvStore; Corruption for a value that this class did not write.
  static Result<std::unique_ptr<EmbeddedStore>> open(const std::filesystem::path& directory);

  Result<std::optional<Entry>> get(const CallContext& call, std::string_view key) override;
  Result<Listing> list(const CallContext& call, std::string_view prefix) override;
  Result<TxnResult> txn(const CallContext& call, const std::vector<Compare>& compares,
                        const std::vector<Put>& puts) override;
  Result<std::unique_ptr<Lease>> grant(const CallContext& call, std::chrono::seconds ttl,
                                       LeaseLost on_lost) override;
  Result<std::unique_ptr<Watch>> watch(std::string_view prefix, Revision after,
                                       WatchCallback callback) override;

 private:
  class HeldLease;
  class HeldWatch;

  EmbeddedStore(std::unique_ptr<storage::KvStore> kv, std::uint64_t revision);

  /// Removes what processes that have ended held by a lease.
  Status remove_leftovers();
  Result<std::optional<Entry>> read(std::string_view key) QV_REQUIRES(mutex_);
  /// The first compare that does not hold, or the lease that is not there.
  Result<bool> holds(const std::vector<Compare>& compares) QV_REQUIRES(mutex_);
  Status check_leases(const std::vector<Put>& puts) QV_REQUIRES(mutex_);
  TxnResult apply(const std::vector<Put>& puts) QV_REQUIRES(mutex_);
  void note_leases(const std::vector<Put>& puts) QV_REQUIRES(mutex_);
  Status end_lease(LeaseId lease);

  const std::unique_ptr<storage::KvStore> kv_;
  ChangeHistory history_;
  /// Serialises transactions.
  Mutex mutex_;
  std::uint64_t revision_ QV_GUARDED_BY(mutex_);
  std::uint64_t leases_granted_ QV_GUARDED_BY(mutex_) = 0;
  std::set<LeaseId> leases_ QV_GUARDED_BY(mutex_);
  std::map<std::string, LeaseId, std::less<>> leased_keys_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::cluster
