#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cluster/replication/audit_figures.h"
#include "cluster/replication/copy_comparison.h"
#include "cluster/replication/replicated_copy.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "thrift/node_handler.h"

namespace quiver::cluster::replication {

/// Looks whether copies of a shard really hold the same: the rules make them equal, so that what
/// differs was damaged behind their backs, by a disk, by hand, or by a fault of this program.
///
/// The primary's server sums up what its disk holds, has the servers of the copies in sync do the
/// same, and compares. Writes go on meanwhile: what they touched between two looks is left out. A
/// difference that a second look confirms is reported; the copy is taken out of the shard's record
/// by the primary, which has it made anew from its own data. If there are at least two other
/// copies that equal each other and not the primary, it is the primary that differs: it hands its
/// role to one of them, which then finds the former.
///
/// Threads: any. Works on one of its own between start() and stop(), on one copy at a time.
class CopyAudit {
 public:
  struct Options {
    /// Each shard is compared so often; 0: never.
    std::chrono::seconds every{0};
    /// Most that is read of the disk, for others too.
    std::uint64_t bytes_per_second = std::uint64_t{64} << 20U;
    /// For one look at one copy.
    std::chrono::seconds patience{1'800};
    /// Behind a look that told nothing, or that found something: the copy is looked at again.
    std::chrono::seconds again_after{10};
  };
  struct Parts {
    /// Copies here that are primary and take writes.
    std::function<std::vector<storage::ShardPlace>()> primaries;
    /// A copy that is here; not to be held on to while others are waited for.
    std::function<Result<std::shared_ptr<ReplicatedCopy>>(const storage::ShardPlace&)> find;
    /// The way to another server.
    std::function<Result<std::shared_ptr<thrift::NodeHandler>>(const NodeId&)> peer;
    NodeId self;
    const Clock& clock;
  };
  CopyAudit(Parts parts, const Options& options);
  /// stop().
  ~CopyAudit();
  CopyAudit(const CopyAudit&) = delete;
  CopyAudit& operator=(const CopyAudit&) = delete;

  void start();
  void stop();

  /// What a copy here holds. Takes as long as reading all of it, and waits for others that are
  /// being read.
  ///
  /// Errors: those of Parts::find and Shard::content_sums(); Unavailable if the copy is closed or
  /// filled anew meanwhile, and after stop(); DeadlineExceeded.
  Result<ContentSums> sums(const CallContext& call, const storage::ShardPlace& place);
  AuditFigures figures() const;

  /// What came of one look at all copies of a shard.
  enum class Outcome { Equal, Undecided, Differs };
  /// Compares a primary that is here with the other copies in sync, and has what differs made anew.
  Outcome audit(const CallContext& call, const storage::ShardPlace& place);

 private:
  using Time = std::chrono::steady_clock::time_point;
  /// What the copies in sync held at nearly the same time.
  struct Look;
  /// By copy: where it differs from the primary.
  using Differing = std::map<CopyId, ContentBuckets>;

  void work();
  /// The next primary that is due. Nothing: after stop().
  std::optional<storage::ShardPlace> next();
  void put_back(const storage::ShardPlace& place, Outcome outcome);
  Status take_slot(const CallContext& call);
  void free_slot();
  bool has_others(const storage::ShardPlace& place) const;
  Result<Look> look(const CallContext& call, const storage::ShardPlace& place);
  Result<ContentSums> sums_in_slot(const CallContext& call, const storage::ShardPlace& place);
  Result<ContentSums> sums_of(const CallContext& call, const storage::ShardPlace& place,
                              const ShardState& record, const CopyId& copy);
  void report(const CallContext& call, const storage::ShardPlace& place, const Differing& found,
              const Look& look);

  const Parts parts_;
  const Options options_;
  const CancelToken cancel_ = CancelToken::make();
  std::atomic<std::uint64_t> comparisons_{0};
  std::atomic<std::uint64_t> undecided_{0};
  std::atomic<std::uint64_t> differing_{0};
  std::atomic<std::int64_t> last_ms_{0};

  Mutex mutex_;
  CondVar wake_;
  bool stopping_ QV_GUARDED_BY(mutex_) = false;
  bool summing_ QV_GUARDED_BY(mutex_) = false;
  /// Of primaries here.
  std::map<storage::ShardPlace, Time> due_ QV_GUARDED_BY(mutex_);
  std::thread thread_ QV_GUARDED_BY(mutex_);
};

}  // namespace quiver::cluster::replication
