#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/replication/copy_disk.h"
#include "cluster/replication/ending.h"
#include "cluster/replication/log_cache.h"
#include "cluster/replication/outbox.h"
#include "cluster/replication/record_keeper.h"
#include "cluster/replication/replication_fsm.h"
#include "cluster/replication/ticker.h"
#include "cluster/replication/touched_ids.h"
#include "core/call_context.h"

namespace quiver::cluster::replication {

/// What a copy tells of itself.
struct CopyStatus {
  Role role = Role::Copy;
  Term seen{0};
  /// Takes writes.
  bool serving = false;
  /// As ReplicationFsm::hears().
  bool hears = false;
  /// Last entry that is durable here: what CopyReport asks for.
  LogPosition durable;
  Seq tail{0};
  Seq commit{0};
  Seq applied{0};
  Seq log_first{1};
  /// What it last learned of the shard's record; revision 0: nothing yet.
  ShardState record;
  Revision revision{0};
};

using quiver::Written;

/// One of several copies of a shard: the rules (ReplicationFsm), its disk (CopyDisk), and what is
/// between them: it persists, sends and times as the rules say, and answers callers.
///
/// One object is one incarnation. When its disk failed, or it was retired, it answers nobody, and
/// its owner closes it; behind a failure the owner may open the copy anew.
///
/// Threads: any. Calls that take a CallContext wait; all others do not, neither for the disk nor
/// for other servers.
class ReplicatedCopy final : public Ticker::Ticked,
                             public std::enable_shared_from_this<ReplicatedCopy>,
                             private DiskEvents {
 public:
  struct Options {
    ReplicationOptions rules;
    /// Bytes of entries that go with one message, unless it is one entry.
    std::size_t message_bytes = std::size_t{4} << 20;
    /// Most bytes of one entry: it must fit a message.
    std::size_t entry_bytes_max = std::size_t{15} << 20;
    /// Newest entries kept in memory for other copies.
    std::size_t cache_bytes = std::size_t{16} << 20;
    /// The record is asked for so often until it is known.
    Duration record_retry = std::chrono::seconds{1};
  };
  /// All must outlive it.
  struct Parts {
    WorkPool& pool;
    Outbox& outbox;
    RecordKeeper& keeper;
    const SafetyRules& rules;
    /// Called once, when the shard has no use for this copy any more: its files are to be removed
    /// once it is closed. Must not block, nor let go of the copy. May be empty.
    std::function<void()> retired = {};
    /// Its role, or what it knows of the shard's record, has changed. As `retired`, but often.
    std::function<void()> changed = {};
    /// Ended when the copy is gone, whoever let go of it last. May be null.
    std::shared_ptr<Ending> ending = nullptr;
  };

  /// Opens a copy that CopyDisk::make() made. It takes part once it is ticked.
  ///
  /// Errors: those of CopyDisk::open(); InvalidArgument from ReplicationOptions::check().
  static Result<std::shared_ptr<ReplicatedCopy>> open(const CopyDisk::Place& place,
                                                      const Parts& parts, const Options& options);
  /// close().
  ~ReplicatedCopy() override;

  /// Answers all who wait; waits for the disk, and until what read() gave out has been let go of.
  void close();

  // -- callers
  /// Durable on every copy in sync and visible here on return. A request id that was seen before
  /// gives the earlier result. What a condition or a filter means is decided by what is stored when
  /// the write's turn comes.
  ///
  /// Errors: those of Shard::append(), of a write too large to travel included: then it has no
  /// effect. WrongOwner: this copy is not the primary, no effect. Unavailable: it cannot take
  /// writes now, no effect. DeadlineExceeded: in time for its turn, or, saying so, with an outcome
  /// that is not known: it may take effect, and a repetition under its request id finds out.
  Result<Written> write_at(const CallContext& call, const WriteRequest& request);
  Result<MutationResult> write(const CallContext& call, const WriteRequest& request);

  /// The data, when it may be read at this level. `token`: Written::at, for Session. To be let go
  /// of soon.
  ///
  /// Errors: WrongOwner: ask the primary; Unavailable: it cannot be read now; DeadlineExceeded.
  Result<std::shared_ptr<const storage::Shard>> read(const CallContext& call, ReadLevel level,
                                                     Seq token = Seq{0});
  /// The data as they are, whoever may see them; null while a snapshot takes their place.
  std::shared_ptr<const storage::Shard> shard() const { return disk_->shard(); }

  /// Waits until all writes that were taken are done and visible, and begins no other until
  /// release(). Where the log ends. Errors: FailedPrecondition if they are held already, or
  /// release() was called before this had them held; as write_at().
  Result<LogPosition> hold(const CallContext& call);
  void release();
  /// Refuses all writes from now on, those that wait for their turn included.
  void retire();
  /// The same as Shard::checkpoint(), while writes go on. In which terms what it holds, applied,
  /// was written.
  Result<History> checkpoint(const std::filesystem::path& directory);
  /// Whether a copy that holds all up to this entry can be brought further by this one's log.
  bool has_log_behind(LogPosition last) const;

  // -- other copies
  /// Errors: InvalidArgument, Corruption or FailedPrecondition for entries that are not what the
  /// message says, or cannot be stored here; PermissionDenied if the record has the sender on
  /// another server: nothing has happened.
  Status receive(ArrivedParcel parcel);
  /// Makes room for the files of a snapshot, which is then given to receive_snapshot() or to
  /// drop_snapshot(). `resume`: with those that drop_snapshot() kept. Errors: FailedPrecondition
  /// while there is one; those of the file system.
  Result<std::filesystem::path> expect_snapshot(bool resume = false);
  /// All of it has come: into the directory that expect_snapshot() named. `done` is called once:
  /// when it is in place, durably, or when it will not be.
  using SnapshotDone = std::function<void(bool installed)>;
  void receive_snapshot(const NodeId& from_node, const SnapshotReceived& snapshot,
                        SnapshotDone done);
  /// `keep`: its files stay, for expect_snapshot().
  void drop_snapshot(bool keep = false);
  /// What became of a SnapshotOrder.
  void snapshot_ended(const CopyId& to, bool arrived);

  // -- whoever looks after the cluster
  void record_seen(const RecordSeen& record);
  /// Makes another copy the primary, if it is in sync; the record tells when it is done.
  void hand_off(const CopyId& target);
  void drop(const CopyId& copy);

  void tick() override;
  CopyStatus status() const;
  const CopyId& id() const noexcept { return place_.copy; }
  const CollectionSpec& spec() const noexcept { return place_.spec; }
  ShardId shard_id() const noexcept { return place_.shard; }

 private:
  /// A place in the queue of those who write.
  struct Turn {
    CondVar changed;
  };
  /// What is written, in the bytes of the log.
  struct Prepared {
    std::string mutation;
    /// Of the ids that it changes.
    std::vector<std::uint64_t> touched;
  };
  /// A write that the rules were asked for.
  struct Writing {
    CondVar changed;
    RequestId request;
    const Prepared* prepared = nullptr;
    Tag tag{0};
    std::optional<WriteOutcome> outcome;
    /// Done, or an earlier one was: settled when this is applied.
    Seq awaited{0};
    bool before = false;
    std::optional<MutationResult> result;
    /// The table of applied writes has the result.
    bool look_up = false;

    bool settled() const { return outcome || result || look_up; }
  };
  struct Reading {
    CondVar changed;
    Tag tag{0};
    std::optional<AnswerRead> answer;
  };

  ReplicatedCopy(const CopyDisk::Place& place, const Parts& parts, const Options& options,
                 std::unique_ptr<CopyDisk> disk);

  // -- replicated_copy.cpp
  void synced(Ticket through) override;
  void failed(const Error& why) override;
  void applied(Seq through, const std::vector<MutationResult>& results) override;
  void trimmed(Seq first) override;

  void handle(const Event& event);
  void step(const Event& event) QV_REQUIRES(mutex_);
  /// Work that must not be done under the lock, in order, by one thread at a time.
  void later(std::function<void()> work) QV_REQUIRES(mutex_);
  void end_snapshot(bool installed) QV_REQUIRES(mutex_);
  void send_out() QV_EXCLUDES(mutex_);
  void read_record() QV_REQUIRES(mutex_);
  Result<std::vector<SharedEntry>> check_entries(const ArrivedParcel& parcel) const;
  /// Of a copy whose place the record names only its server speaks.
  Status check_sender(const CopyId& copy, const NodeId& node) QV_REQUIRES(mutex_);
  Parcel parcel_to(const CopyId& copy, Message message) const QV_REQUIRES(mutex_);
  NodeId node_of(const CopyId& copy) const QV_REQUIRES(mutex_);

  void act(const PersistTerm& action) QV_REQUIRES(mutex_);
  void act(const AppendWrite& action) QV_REQUIRES(mutex_);
  void act(const AppendReceived& action) QV_REQUIRES(mutex_);
  void act(const TruncateAfter& action) QV_REQUIRES(mutex_);
  void act(const InstallSnapshot& action) QV_REQUIRES(mutex_);
  void act(const ApplyThrough& action) QV_REQUIRES(mutex_);
  void act(const Send& action) QV_REQUIRES(mutex_);
  void act(const SendSnapshot& action) QV_REQUIRES(mutex_);
  void act(const SwapRecord& action) QV_REQUIRES(mutex_);
  void act(const ReadRecord& action) QV_REQUIRES(mutex_);
  void act(const Retire& action) QV_REQUIRES(mutex_);
  void act(const AnswerWrite& action) QV_REQUIRES(mutex_);
  void act(const AnswerRead& action) QV_REQUIRES(mutex_);

  // -- copy_sending.cpp
  void send_entries(const Send& action, const Append& append) QV_REQUIRES(mutex_);
  std::vector<Parcel> parcels(const Parcel& envelope, const Append& append,
                              std::vector<SharedEntry> entries) const;
  /// On the reader's strand: `terms` tells which entries are meant.
  void read_and_send(const Parcel& envelope, const Append& append, const History& terms);

  // -- replicated_writes.cpp
  Status check_open() const QV_REQUIRES(mutex_);
  Status take_turn(const CallContext& call, Turn& turn);
  void end_turn();
  void pass_turn() QV_REQUIRES(mutex_);
  Result<Prepared> prepare(const Mutation& mutation) const;
  /// Asks the rules, when what is written is known. Nothing: `mine` tells the rest.
  Result<std::optional<Written>> begin_write(const CallContext& call, const WriteRequest& request,
                                             std::optional<Prepared>& prepared, Writing& mine);
  /// What the request means now. Nothing: that it has no effect.
  Result<std::optional<std::vector<Prepared>>> resolve(const WriteRequest& request) const;
  /// Of hold(), which has its turn.
  Status await_tail(const CallContext& call) QV_REQUIRES(mutex_);
  Status await_state(const CallContext& call, const WriteRequest& request, Term term)
      QV_REQUIRES(mutex_);
  Seq state_needed(const WriteRequest& request) const QV_REQUIRES(mutex_);
  Status ask(const CallContext& call, const std::vector<Prepared>& parts, Writing& mine)
      QV_REQUIRES(mutex_);
  void ask(const CallContext& call, const Prepared* prepared, const RequestId& request,
           Writing& mine) QV_REQUIRES(mutex_);
  Result<Written> await_write(const CallContext& call, Writing& mine);
  std::optional<Written> look_up(const RequestId& request) const;
  void forget(Writing& writing) QV_REQUIRES(mutex_);
  void answer(Writing& writing, WriteOutcome outcome) QV_REQUIRES(mutex_);
  void answer_applied(Seq through, const std::vector<MutationResult>& results) QV_REQUIRES(mutex_);
  void fail_waiting() QV_REQUIRES(mutex_);

  const CopyDisk::Place place_;
  const Parts parts_;
  const Options options_;
  const std::unique_ptr<CopyDisk> disk_;

  mutable Mutex mutex_;
  ReplicationFsm fsm_ QV_GUARDED_BY(mutex_);
  LogCache cache_ QV_GUARDED_BY(mutex_);
  Actions actions_ QV_GUARDED_BY(mutex_);
  bool closed_ QV_GUARDED_BY(mutex_) = false;
  bool retired_ QV_GUARDED_BY(mutex_) = false;
  Revision revision_ QV_GUARDED_BY(mutex_){0};
  Time record_asked_ QV_GUARDED_BY(mutex_);
  Seq applied_ QV_GUARDED_BY(mutex_);
  Seq apply_asked_ QV_GUARDED_BY(mutex_);
  CondVar applied_changed_;
  /// Where copies were when they last sent something.
  std::map<CopyId, NodeId> nodes_ QV_GUARDED_BY(mutex_);
  std::deque<std::function<void()>> out_ QV_GUARDED_BY(mutex_);
  bool sending_ QV_GUARDED_BY(mutex_) = false;
  /// Messages to a copy that wait for their entries to be read: others stay behind them.
  std::map<CopyId, std::size_t> being_read_ QV_GUARDED_BY(mutex_);
  bool snapshot_expected_ QV_GUARDED_BY(mutex_) = false;
  std::filesystem::path snapshot_directory_ QV_GUARDED_BY(mutex_);
  SnapshotDone snapshot_done_ QV_GUARDED_BY(mutex_);

  // Of the step under way.
  const std::vector<SharedEntry>* arriving_ QV_GUARDED_BY(mutex_) = nullptr;
  Seq arriving_first_ QV_GUARDED_BY(mutex_){0};
  const SnapshotReceived* snapshot_ QV_GUARDED_BY(mutex_) = nullptr;
  bool installing_ QV_GUARDED_BY(mutex_) = false;
  /// A snapshot is in place, and what tells that it is durable comes next.
  bool installed_ QV_GUARDED_BY(mutex_) = false;
  const Writing* writing_now_ QV_GUARDED_BY(mutex_) = nullptr;

  // Callers.
  std::uint64_t tags_ QV_GUARDED_BY(mutex_) = 0;
  std::deque<Turn*> turns_ QV_GUARDED_BY(mutex_);
  std::unique_ptr<Turn> held_ QV_GUARDED_BY(mutex_);
  /// A hold() is under way, and no release() has come since it began.
  bool holding_ QV_GUARDED_BY(mutex_) = false;
  bool hold_wanted_ QV_GUARDED_BY(mutex_) = false;
  std::map<Tag, Writing*> asked_ QV_GUARDED_BY(mutex_);
  std::multimap<Seq, Writing*> committed_ QV_GUARDED_BY(mutex_);
  std::map<Tag, Reading*> readings_ QV_GUARDED_BY(mutex_);
  /// What conditional writes wait for. Entries of other primaries are not looked into.
  TouchedIds touched_ QV_GUARDED_BY(mutex_);

  /// Reads entries that are no longer in memory. Last: its work uses all above.
  Strand reader_;
};

}  // namespace quiver::cluster::replication
