#pragma once

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include "cluster/replication/actions.h"
#include "cluster/replication/log_view.h"
#include "cluster/replication/peer.h"
#include "cluster/replication/record_change.h"
#include "cluster/replication/replication_options.h"
#include "cluster/replication/safety_rules.h"

namespace quiver::cluster::replication {

enum class Role : std::uint8_t {
  /// Follows the primary, if there is one.
  Copy,
  /// Named primary in a term that it was primary in before: asks for the next one.
  Claiming,
  /// Named primary; its term is not on disk yet.
  Promoted,
  Primary,
  /// Its disk failed.
  Failed,
  /// Given up.
  Retired,
};

/// The rules by which one copy of a shard agrees with the others: primary and copies, the order of
/// writes and when they are acknowledged, who may read, and the changes of the shard's record.
///
/// Pure: time, messages and what the disk did come in as events, and what is to be done goes out as
/// actions, which the shell performs in order. One object is one incarnation: after a restart, or
/// when the disk failed, a new one begins with what is on disk.
///
/// Threads: one at a time.
class ReplicationFsm {
 public:
  /// `options` have passed their check(). `rules` must outlive it.
  ReplicationFsm(CopyId self, const Persisted& persisted, Time now,
                 const ReplicationOptions& options, const SafetyRules& rules);

  /// Adds to `actions` what follows from `event`. `now` does not fall.
  void step(Time now, const Event& event, Actions& actions);

  Role role() const noexcept { return role_; }
  /// Of the newest primary it heard of.
  Term seen() const noexcept { return seen_; }
  Seq commit() const noexcept { return commit_; }
  const LogView& log() const noexcept { return log_; }
  /// What it last learned of the shard's record, and whether it did.
  const ShardState& record() const noexcept { return record_; }
  bool knows_record() const noexcept { return revision_ != Revision{0}; }
  /// Takes writes: primary, and done waiting.
  bool serving(Time now) const noexcept;
  /// Follows a primary of the newest term that it has seen, and heard it within a lease.
  bool hears(Time now) const noexcept;
  /// The oldest entry that a copy in the record still needs from this primary's log.
  Seq needed_from() const noexcept;

 private:
  struct Waiter {
    Seq seq{0};
    Tag tag{0};
    Time deadline;
  };
  struct WaitingRead {
    ReadAsked read;
    Time deadline;
  };
  struct HandingOff {
    CopyId target;
    Time since;
  };

  // -- replication_fsm.cpp: what everybody does
  void on(const Tick&);
  void on(const Received& event);
  void on(const Synced& event);
  void on(const DiskFailed&);
  void on(const Applied& event);
  void on(const Trimmed& event);
  void see_term(Term term);
  /// To `role`; who waits is told.
  void step_down(Role role);
  void apply_committed();
  void send(const CopyId& to, Message message);
  template <typename T>
  void act(T action) {
    actions_->emplace_back(std::move(action));
  }
  bool term_durable() const { return rules_.acts(log_.is_synced(term_ticket_)); }
  bool gone() const noexcept { return role_ == Role::Failed || role_ == Role::Retired; }

  // -- fsm_copy.cpp: following a primary
  void on(const SnapshotReceived& event);
  void take(const CopyId& from, const Append& append, const std::vector<EntryHead>& heads);
  /// Whether to go on with a message of a primary of `term`.
  bool follow(const CopyId& from, Term term);
  void take_entries(const CopyId& from, const Append& append, const std::vector<EntryHead>& heads);
  /// False: what is wrong cannot be undone.
  bool roll_back(const Append& append);
  bool truncate_after(Seq last);
  void mismatch(const CopyId& to);
  void acknowledge(bool at_once);

  // -- fsm_primary.cpp: leading
  void on(const WriteAsked& event);
  void on(const SnapshotEnded& event);
  void take(const CopyId& from, const Ack& ack);
  void take(const CopyId& from, const Stale& stale);
  void take(const CopyId& from, const Mismatch& mismatch);
  void take(const CopyId& from, const Resigned& resigned);
  WriteOutcome refusal(const WriteAsked& event) const;
  void reign(Term term);
  void begin();
  void advance();
  void expire_writes();
  void pump(Peer& peer);
  void send_log(Peer& peer, Seq through);
  void send_snapshot(Peer& peer);
  void keep_alive(Peer& peer);
  Peer* peer(const CopyId& id);

  // -- fsm_members.cpp: who belongs to the shard
  void on(const RecordSeen& event);
  void on(const SwapAnswered& event);
  void on(const HandOffAsked& event);
  void on(const DropAsked& event);
  void follow_record();
  void refresh_peers();
  bool may_propose() const noexcept { return !change_ && now_ >= propose_after_; }
  void propose(RecordChange::Kind kind, ShardState desired);
  void ask_swap();
  void settle();
  /// The change was surely not written.
  void call_off();
  void retry_swap();
  void forgive(Duration pause);
  void look_after_members();
  void eject_silent();
  void let_join(Peer& peer);
  bool silent(const Peer& peer) const;
  void hand_off();

  // -- fsm_reads.cpp
  void on(const ReadAsked& event);
  /// Nothing: wait.
  std::optional<ReadOutcome> judge(const ReadAsked& read) const;
  bool may_read_newest() const;
  Seq fresh_from() const { return std::min(fresh_from_, log_.tail()); }
  void answer_reads();

  const CopyId self_;
  const ReplicationOptions options_;
  const SafetyRules& rules_;

  // Of the step under way.
  Time now_;
  Actions* actions_ = nullptr;

  Role role_ = Role::Copy;
  Term seen_{0};
  Ticket term_ticket_{0};
  LogView log_;
  Seq commit_{0};
  Seq apply_asked_{0};
  std::vector<WaitingRead> reads_;

  ShardState record_;
  Revision revision_{0};
  const Revision born_;
  std::optional<RecordChange> change_;
  SwapId swaps_{0};
  /// No change is proposed before: the store did not take the last one.
  Time propose_after_;

  // As a copy: the stream of one primary.
  Term stream_{0};
  CopyId primary_;
  Standing standing_ = Standing::Outside;
  Seq matched_{0};
  Time echo_;
  bool acknowledge_ = false;
  bool heard_ = false;
  /// When a primary may last have come to rely on this copy.
  Time contact_;
  /// Eventual reads see at least this, if it is in the log: it may have been seen before the copy
  /// was started, or fell behind.
  Seq fresh_from_{0};
  /// The primary before this term has resigned.
  Term resigned_{0};

  // As a primary.
  Term term_{0};
  Seq gate_{0};
  Time serve_at_;
  std::vector<Peer> peers_;
  std::deque<Waiter> waiters_;
  std::optional<HandingOff> handing_off_;
  /// For the lag of those who want to join: the tail of up to ReplicationOptions::join_lag ago.
  Seq lag_mark_{0};
  Time lag_marked_;
};

}  // namespace quiver::cluster::replication
