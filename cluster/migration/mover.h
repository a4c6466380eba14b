#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "cluster/coordination/store.h"
#include "cluster/migration/move_record.h"
#include "cluster/migration/receiver.h"
#include "cluster/migration/shard_records.h"
#include "cluster/shard_host.h"
#include "cluster/view/view_source.h"
#include "core/clock.h"
#include "core/mutex.h"

namespace quiver::cluster {

/// Carries out the moves that lead to this server, of shards that have one copy: what has several
/// replicates instead, see CopyWarden.
///
/// What is known about a move is in its record, so that another process of this server goes on with
/// it after a crash. A copy may have been handed over to although nobody answered that: it is then
/// the primary, or a transaction takes it out of the shard's record for ever and the next attempt
/// makes another one. Nothing is removed before that is decided.
///
/// Threads: any. Works on threads of its own between start() and stop().
class Mover {
 public:
  struct Options {
    /// Moves to this server at the same time; at least 1.
    std::size_t incoming_max = 1;
    /// Of a move that fails; then it has failed for good.
    std::uint32_t attempts = 5;
    /// Pause behind the first that fails; doubled for each further one.
    std::chrono::milliseconds backoff{1'000};
    std::chrono::milliseconds backoff_max{30'000};
    /// How often the record says how far the files have come.
    std::chrono::milliseconds progress_every{1'000};
    Receiver::Options receive;
  };
  /// The way to another server.
  using Reach = std::function<Result<std::shared_ptr<thrift::NodeHandler>>(const ClusterView&,
                                                                           const NodeId&)>;
  /// All must outlive it.
  struct Parts {
    CoordinationStore& store;
    ViewSource& views;
    ShardHost& host;
    storage::ShardStore& shards;
    const Clock& clock;
    Reach reach;
  };

  Mover(Parts parts, NodeId self, const Options& options);
  /// stop().
  ~Mover();
  Mover(const Mover&) = delete;
  Mover& operator=(const Mover&) = delete;

  /// Removes what an earlier process left behind, and begins to work. Once.
  ///
  /// Errors: those of CoordinationStore and the file system.
  Status start(const CallContext& call);
  /// Interrupts what is under way; another process can go on with it.
  void stop();

 private:
  struct Task;
  /// What comes of one step: the phase that follows.
  using Step = Result<MovePhase>;

  void work();
  /// The next move that is due and nobody works on; null: there is none. `again`: when to look.
  std::unique_ptr<Task> next(std::chrono::steady_clock::time_point& again);
  void put_back(const Task& task, bool failed);

  void carry_on(Task& task);
  Step step(Task& task);
  Step add(Task& task);
  Step copy(Task& task);
  Step hand_over(Task& task);
  Result<bool> ask_for_hand_over(Task& task);
  Status adopt(Task& task, thrift::NodeHandler& source);

  void fail(Task& task, const Error& why);
  Status abandon(Task& task, MovePhase phase, const std::string& why);
  /// Takes the copy out of the shard's record and off this disk; true: it is the primary by now.
  Result<bool> withdraw(Task& task);
  void release(Task& task);
  /// Writes the record. Errors: FailedPrecondition if others have changed it.
  Status save(Task& task);
  std::optional<std::string> unwanted(const Task& task) const;
  /// Whether its shard is not for this to move.
  bool replicates(const MoveRecord& record) const;

  CallContext context() const;
  Result<std::shared_ptr<thrift::NodeHandler>> source_of(const Task& task) const;
  thrift::ShardCall source_call(const Task& task) const;
  bool pause(std::chrono::milliseconds time);

  const Parts parts_;
  const NodeId self_;
  const Options options_;
  ShardRecords records_;
  Receiver receiver_;
  const CancelToken cancel_ = CancelToken::make();

  Mutex mutex_;
  CondVar wake_;
  bool stopping_ QV_GUARDED_BY(mutex_) = false;
  /// Moves have changed since a thread looked.
  bool news_ QV_GUARDED_BY(mutex_) = true;
  std::set<std::string> busy_ QV_GUARDED_BY(mutex_);
  /// By id of the move: when it is due again, and what was received.
  std::map<std::string, std::chrono::steady_clock::time_point> due_ QV_GUARDED_BY(mutex_);
  std::map<std::string, Transfer> transfers_ QV_GUARDED_BY(mutex_);

  std::unique_ptr<Watch> watch_;
  std::vector<std::thread> threads_;
};

}  // namespace quiver::cluster
