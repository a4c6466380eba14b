#pragma once

#include <condition_variable>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "cluster/local_replica.h"
#include "core/clock.h"
#include "storage/shard_store.h"

namespace quiver::cluster {

/// The copies of shards on this server. Opens one at its first use, closes those that have been
/// idle for longest when too many are open, and opens anew those that refuse writes since the disk
/// was full once there is room; erases points that have expired, of open copies.
///
/// Threads: any. Must outlive what use() gave out.
class ShardHost {
 public:
  struct Options {
    /// Copies that stay open while they are idle; at least 1.
    std::size_t open_max = 256;
  };

  /// `store` and `clock` must outlive it. Starts a thread for its housekeeping.
  ShardHost(storage::ShardStore& store, const Clock& clock, const Options& options);
  /// close().
  ~ShardHost();
  ShardHost(const ShardHost&) = delete;
  ShardHost& operator=(const ShardHost&) = delete;

  /// Keeps a copy open.
  class Use {
   public:
    Use() = default;
    ~Use();
    Use(Use&& other) noexcept;
    Use& operator=(Use&& other) noexcept;

    /// Whether it keeps one.
    explicit operator bool() const noexcept { return host_ != nullptr; }
    LocalReplica& operator*() const noexcept;
    LocalReplica* operator->() const noexcept { return &**this; }

   private:
    friend class ShardHost;
    struct Copy;
    Use(ShardHost& host, std::shared_ptr<Copy> copy);
    void let_go() noexcept;

    ShardHost* host_ = nullptr;
    std::shared_ptr<Copy> copy_;
  };

  /// Errors: as storage::ShardStore::open(); WrongOwner if the copy is being given up; Unavailable
  /// after close(), or if it was blocked for too long.
  Result<Use> use(const CollectionSpec& spec, ShardId shard, const CopyId& copy);
  /// What is in a copy, as far as that is known without opening it.
  struct Known {
    storage::ShardStats stats;
    LogPosition tail;
  };
  /// Of a copy that is open: now; of one that was closed: then; of one that was not open since the
  /// start, nothing.
  std::optional<Known> known(const storage::ShardPlace& place);
  /// Makes an empty copy; of one that is here, nothing. Errors: as storage::ShardStore::create().
  Status create(const CollectionSpec& spec, ShardId shard, const CopyId& copy);

  /// From here on, until lift(): no copy is written, made or given up, and those of `doubtful` are
  /// not read either. What is refused so is Unavailable with `why`.
  void restrict(std::string why, std::set<storage::ShardPlace> doubtful);
  void lift();
  /// Errors: Unavailable between restrict() and lift(). To be asked before LocalReplica::write().
  Status check_writable() const;

  /// Gives a copy up: waits for the calls that use it, closes it and removes its files, durably
  /// before it returns. Of a copy that is not here, nothing.
  Status drop(const storage::ShardPlace& place);
  /// The same for all copies of a collection.
  Status drop_collection(const std::string& collection_id);

  /// Makes calls that want this copy wait until unblock(), but not those that have it already: they
  /// are refused with Unavailable after a while. Of a copy that is not open, nothing.
  void block(const storage::ShardPlace& place);
  void unblock(const storage::ShardPlace& place);

  /// One round of erasing points that have expired, bounded for each copy that is open; whether
  /// there may be more.
  bool purge_expired();
  /// Closes what is idle beyond Options::open_max.
  void close_idle();
  std::size_t open_copies() const;

  /// Waits for the calls that run, writes index snapshots and closes all copies, so that the next
  /// start is quick. Later calls are refused.
  void close();

 private:
  using Copy = Use::Copy;
  struct Restriction {
    std::string why;
    std::set<storage::ShardPlace> doubtful;
  };

  Status writable() const;
  Result<Use> acquire(const CollectionSpec& spec, const storage::ShardPlace& place, bool make);
  Result<std::unique_ptr<LocalReplica>> open(const CollectionSpec& spec,
                                             const storage::ShardPlace& place, bool make);
  static Known known_of(LocalReplica& replica);
  void retire(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Copy>& copy);
  /// Closes one that nobody uses. Nobody opens it meanwhile.
  void shut(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Copy>& copy);
  std::shared_ptr<Copy> idle_longest() const;
  /// One write at most; whether there may be more to erase.
  bool purge(LocalReplica& replica);
  void keep_house();

  storage::ShardStore& store_;
  const Clock& clock_;
  const Options options_;

  mutable std::mutex mutex_;
  /// Guarded by mutex_, as is all below.
  std::condition_variable changed_;
  std::map<storage::ShardPlace, std::shared_ptr<Copy>> copies_;
  std::size_t open_ = 0;
  std::uint64_t uses_ = 0;
  bool closed_ = false;
  std::optional<Restriction> restriction_;
  std::condition_variable wake_;
  std::thread housekeeper_;
};

}  // namespace quiver::cluster
