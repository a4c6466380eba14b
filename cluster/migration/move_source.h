#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "cluster/coordination/store.h"
#include "cluster/migration/checkpoint_files.h"
#include "cluster/migration/hold_limits.h"
#include "cluster/migration/pace.h"
#include "cluster/shard_service.h"
#include "core/clock.h"
#include "core/mutex.h"
#include "thrift/node_handler.h"

namespace quiver::cluster {

/// This server's side of moves away from it: it holds back a shard's writes, gives out its files,
/// and passes the shard on.
///
///     (writes go on) --hold_writes--> held --begin_checkpoint--> files are read
///            ^                         |  |                            |
///            +--release, or it ran out-+  +---------------hand_over----+--> given up
///
/// The server that orders the writes is also the one that makes another copy the primary: nothing
/// can be written behind the checkpoint that the other copy was made from, because the hold has
/// been unbroken since. While it is not known whether the transaction took effect, writes stay held
/// and reads wait. Behind it they go to the new owner, and the copy that was here is removed.
///
/// Threads: any.
class MoveSource {
 public:
  struct Options {
    /// Longest that a shard's writes are held back, however often that is prolonged.
    std::chrono::milliseconds hold_total_max = kHoldTotalMax;
    /// The same without progress: a byte that was not fetched before. Not once all of them were,
    /// when the other server reads what it has.
    std::chrono::milliseconds hold_idle_max = kHoldIdleMax;
    /// Pause between attempts to find out how a hand-over ended.
    std::chrono::milliseconds settle_every{200};
    /// Of all files that go out from this server; never null.
    std::shared_ptr<Pace> pace = std::make_shared<Pace>(0);
  };
  /// All must outlive it.
  struct Parts {
    CoordinationStore& store;
    ViewSource& views;
    ShardHost& host;
    ShardService& shards;
    const Clock& clock;
    /// Makes sure that the map on this server's disk is not older than this revision, or that there
    /// is none. Before a shard is handed over: a start that cannot ask the store then knows which
    /// shards it must not answer for. May be empty.
    std::function<Status(const CallContext&, Revision)> keep_map = {};
  };

  /// `directory` is where checkpoints lie, on the file system of the shards; what an earlier
  /// process left in it is removed.
  ///
  /// Errors: those of the file system.
  static Result<std::unique_ptr<MoveSource>> open(const Parts& parts, NodeId self,
                                                  std::filesystem::path directory,
                                                  const Options& options);
  /// close().
  ~MoveSource();
  MoveSource(const MoveSource&) = delete;
  MoveSource& operator=(const MoveSource&) = delete;

  /// To be called before this server answers for its shards: what an earlier process was handing
  /// over is handed over when this returns, or will not be.
  ///
  /// Errors: those of CoordinationStore; then shards must not be written yet.
  Status fence(const CallContext& call);

  /// As thrift::NodeHandler. A hold belongs to the server that asked for it, whose copy the shard's
  /// record must name as being filled.
  thrift::Reply<LogPosition> hold_writes(const thrift::ShardCall& call,
                                         std::chrono::milliseconds hold);
  thrift::Answered release_writes(const thrift::ShardCall& call);
  /// Of the writes that are held. A repetition gives the same checkpoint.
  thrift::Reply<thrift::Checkpoint> begin_checkpoint(const thrift::ShardCall& call);
  /// Prolongs the hold if it reads what was not read before.
  thrift::Reply<std::string> read_chunk(const thrift::ShardCall& call,
                                        const thrift::ChunkCall& chunk);
  thrift::Answered end_checkpoint(const thrift::ShardCall& call, const std::string& checkpoint);
  /// Errors: FailedPrecondition if the hold was broken since the checkpoint, or the record does not
  /// name the copy here as primary and the other as being filled: nothing has changed. Unavailable
  /// or DeadlineExceeded with outcome_unknown: ask again, or change the record.
  thrift::Answered hand_over(const thrift::ShardCall& call, const thrift::HandOverCall& wanted);

  /// Lets writes go on that are held, unless they may belong to another server by now. To be called
  /// before ShardHost::close(); later calls are refused.
  void close();

 private:
  struct Hold;
  struct HandOver;
  enum class Decision { HandedOver, Open };
  using Key = std::pair<std::string, ShardId>;
  using HoldPtr = std::shared_ptr<Hold>;

  MoveSource(const Parts& parts, NodeId self, std::filesystem::path directory,
             const Options& options);

  /// The hold of a call, for its caller alone until let_go(). Null: there is none.
  Result<HoldPtr> seize(const thrift::ShardCall& call);
  void let_go(const HoldPtr& hold);
  void end(const HoldPtr& hold);
  Result<HoldPtr> start_hold(const thrift::ShardCall& call, thrift::ReplyInfo& info);
  void prolong(Hold& hold, std::chrono::milliseconds by) QV_REQUIRES(mutex_);
  void note_read(Hold& hold, const std::string& file, std::uint64_t end) QV_REQUIRES(mutex_);
  bool has_run_out(const Hold& hold) const QV_REQUIRES(mutex_);
  bool is_wanted(const Key& key, const CopyId& copy, const std::string& holder) const;
  Result<std::shared_ptr<CheckpointFiles>> make_checkpoint(const HoldPtr& hold);

  Status carry_out(const CallContext& call, const HoldPtr& hold);
  Status prepare(const CallContext& call, Hold& hold);
  Result<Decision> decide(const CallContext& call, Hold& hold);
  Result<bool> lost(const CallContext& call, Hold& hold);
  Status conclude(const CallContext& call, const HoldPtr& hold);
  bool has_taken_over(const thrift::ShardCall& call, const CopyId& copy) const;
  Status fence_shard(const CallContext& call, const std::string& key);

  void keep_house();
  void settle(const HoldPtr& hold);
  thrift::ReplyInfo info() const;

  const Parts parts_;
  const NodeId self_;
  const std::filesystem::path directory_;
  const Options options_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::map<Key, HoldPtr> holds_ QV_GUARDED_BY(mutex_);
  bool closed_ QV_GUARDED_BY(mutex_) = false;
  /// Last: it uses all above.
  std::thread housekeeper_;
};

}  // namespace quiver::cluster
