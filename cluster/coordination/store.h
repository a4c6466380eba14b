#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/call_context.h"
#include "core/result.h"

namespace quiver::cluster {

/// Counts the changes of a coordination store; every change of a key gives it a new one.
/// 0: the key does not exist.
enum class Revision : std::uint64_t {};

/// Names a lease in the store. 0: none.
enum class LeaseId : std::uint64_t {};

struct Entry {
  std::string key;
  std::string value;
  Revision revision{0};
  /// With whose end the key goes.
  LeaseId lease{0};
};

/// The keys of a prefix, in order, as they were at one revision of the store.
struct Listing {
  std::vector<Entry> entries;
  /// What watch() goes on from.
  Revision revision{0};
};

/// Holds if the key is at this revision.
struct Compare {
  std::string key;
  Revision revision{0};
};

struct Put {
  std::string key;
  /// Absent: remove the key.
  std::optional<std::string> value;
  /// The key goes when this lease ends. A put without one makes the key permanent.
  LeaseId lease{0};
};

enum class TxnOutcome : std::uint8_t {
  Done,
  /// A compare did not hold and nothing was written: read again.
  Conflict,
  /// Whether it was written is not known. Nothing but another transaction, whose compares tell the
  /// two cases apart, can find out: a read may be older than the write.
  Unknown,
};

struct TxnResult {
  TxnOutcome outcome = TxnOutcome::Unknown;
  /// Done: that of every key it put. Conflict: the store's own. Unknown: 0.
  Revision revision{0};
  /// Why it is Unknown; without meaning otherwise.
  Error why{ErrorCode::Unavailable, {}};

  bool operator==(TxnOutcome other) const noexcept { return outcome == other; }
};

/// A txn() of somebody who does not send another transaction: Unknown is the Error it came from.
Result<TxnResult> decided(Result<TxnResult> result);

/// Keys that live as long as this process shows that it does. Renewed in the background.
///
/// A hint to others that this process may be gone, never a permission for it to act: an old leader
/// of the store may renew a lease that others have seen end.
///
/// Letting go of it ends the renewals; its keys go within its time to live. Not to be let go of
/// inside its on_lost.
///
/// Threads: any.
class Lease {
 public:
  virtual ~Lease() = default;

  virtual LeaseId id() const = 0;
  /// Until when the store has promised to keep its keys. In the past: they may be gone.
  virtual std::chrono::steady_clock::time_point valid_until() const = 0;
  /// Removes its keys now. on_lost is not called any more.
  ///
  /// Errors: Unavailable, DeadlineExceeded: they go within its time to live instead.
  virtual Status revoke(const CallContext& call) = 0;
};

/// Called once, on a thread of the store, when a lease has ended or could not be renewed in time:
/// its keys may be gone, and a new lease is needed. Must not block.
using LeaseLost = std::function<void()>;

struct Change {
  std::string key;
  /// Absent: the key was removed.
  std::optional<std::string> value;
  Revision revision{0};
};

struct WatchBatch {
  /// Changes were missed: `changes` holds every key there is, and no other key exists.
  bool relisted = false;
  /// In order of revision; in order of key if relisted.
  std::vector<Change> changes;
  /// All up to here is known now.
  Revision revision{0};
};

/// Called on a thread of the watch, one batch after the other. Must not let go of the watch.
using WatchCallback = std::function<void(const WatchBatch& batch)>;

/// Letting go of it ends the watch: no call of its callback is under way after that.
class Watch {
 public:
  virtual ~Watch() = default;
};

/// Where the truth about the cluster lives: what collections there are, and who holds what.
///
/// Only txn() decides anything. What get() and list() return may be outdated when it is looked at,
/// a lease may end early or late, and a watch may be late: no rule that keeps data safe may rest on
/// one of them.
///
/// A call without a deadline has the store's own. All calls: Errors: DeadlineExceeded if `call`
/// was out of time or cancelled before it began; Unavailable if the store cannot be reached, in
/// time.
///
/// Threads: any. Must outlive its leases and watches.
class CoordinationStore {
 public:
  virtual ~CoordinationStore() = default;

  virtual Result<std::optional<Entry>> get(const CallContext& call, std::string_view key) = 0;
  /// All keys that begin with `prefix`.
  virtual Result<Listing> list(const CallContext& call, std::string_view prefix) = 0;

  /// Writes all of `puts` if all of `compares` hold; durable when Done.
  ///
  /// Errors: surely nothing was written. InvalidArgument as check_txn(); FailedPrecondition if a
  /// lease does not exist; ResourceExhausted if the store is full; Unavailable.
  virtual Result<TxnResult> txn(const CallContext& call, const std::vector<Compare>& compares,
                                const std::vector<Put>& puts) = 0;

  /// `ttl` between kLeaseTtlMin and kLeaseTtlMax. `on_lost` may be empty.
  virtual Result<std::unique_ptr<Lease>> grant(const CallContext& call, std::chrono::seconds ttl,
                                               LeaseLost on_lost) = 0;

  /// Tells what changes below `prefix` after revision `after`, such as that of a list(). Goes on
  /// through losses of the store.
  virtual Result<std::unique_ptr<Watch>> watch(std::string_view prefix, Revision after,
                                               WatchCallback callback) = 0;
};

/// Bounds of etcd's defaults, with room for what a request adds to them. Every store keeps to them,
/// so that what works on one node works in a cluster.
inline constexpr std::size_t kTxnOpsMax = 128;
inline constexpr std::size_t kTxnBytesMax = 1'400'000;
inline constexpr std::size_t kKeyBytesMax = 1024;
inline constexpr std::chrono::seconds kLeaseTtlMin{1};
inline constexpr std::chrono::seconds kLeaseTtlMax{3600};

/// Errors: InvalidArgument for more than kTxnOpsMax compares or puts, more than kTxnBytesMax bytes
/// in all, a key that is empty, longer than kKeyBytesMax or put twice.
Status check_txn(const std::vector<Compare>& compares, const std::vector<Put>& puts);
/// Errors: InvalidArgument.
Status check_key(std::string_view key);
/// Errors: InvalidArgument.
Status check_ttl(std::chrono::seconds ttl);

}  // namespace quiver::cluster
