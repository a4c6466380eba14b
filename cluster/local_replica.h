#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "core/call_context.h"
#include "core/mutation.h"
#include "storage/shard.h"

namespace quiver::cluster {

/// The only copy of a shard, held by this node: orders writes and commits them in groups.
///
/// Writers that arrive while a group is being synced form the next one; the first of them leads
/// it: one append, one sync, one apply for all.
///
/// Threads: any.
class LocalReplica {
 public:
  /// Applies what an earlier process logged and did not apply.
  static Result<std::unique_ptr<LocalReplica>> open(std::unique_ptr<storage::Shard> shard);

  /// Durable and visible on return. A request id that was seen before gives the earlier result.
  ///
  /// `request` is used up, but not by WrongOwner and DeadlineExceeded.
  ///
  /// Errors: those of Shard::append, and then it does not take effect; those of
  /// Shard::apply_through, with a message that says that it was stored, and then it does, when the
  /// shard is opened anew at the latest; DeadlineExceeded if the write was
  /// still waiting for its turn, and then it does not take effect; WrongOwner after retire().
  Result<MutationResult> write(const CallContext& call, WriteRequest&& request);

  /// Lets the running group finish and begins no other until release(); writers wait. What the log
  /// reaches to. Errors: FailedPrecondition if they are held already, or release() was called
  /// before this had them held; WrongOwner after retire(); DeadlineExceeded.
  Result<LogPosition> hold(const CallContext& call);
  void release();
  /// Refuses all writes from now on, those that wait included.
  void retire();
  /// The same as Shard::checkpoint(), while writes are held.
  Result<LogPosition> checkpoint(const std::filesystem::path& directory);

  const storage::Shard& shard() const noexcept { return *shard_; }
  storage::Shard& shard() noexcept { return *shard_; }

 private:
  struct Pending;

  explicit LocalReplica(std::unique_ptr<storage::Shard> shard) : shard_(std::move(shard)) {}

  void lead(std::unique_lock<std::mutex>& lock);
  void commit(const std::vector<Pending*>& group);
  /// Whether the write looks at points, or has a request id, of those of `run`, which are not
  /// visible yet.
  static bool must_follow(const Pending& pending, std::span<Pending* const> run);
  /// Makes the request a mutation that can be logged, or sets the result: then nothing is left to
  /// do.
  void resolve(Pending& pending);
  /// A write that takes several entries.
  void commit_parts(Pending& pending, std::vector<ErasePoints> parts);
  void commit_run(const std::vector<Pending*>& run);
  /// One entry for each of `run`, in order.
  void commit_entries(std::span<Pending* const> run, std::span<LogEntry> entries);

  const std::unique_ptr<storage::Shard> shard_;
  std::mutex mutex_;
  std::condition_variable changed_;
  /// Guarded by mutex_. Each lives on the stack of its waiting writer.
  std::deque<Pending*> queue_;
  bool leading_ = false;
  bool held_ = false;
  std::uint64_t holds_ = 0;
  bool retired_ = false;
};

}  // namespace quiver::cluster
