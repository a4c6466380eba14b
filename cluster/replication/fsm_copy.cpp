#include <algorithm>

#include "cluster/replication/replication_fsm.h"

namespace quiver::cluster::replication {
namespace {

/// Whether a primary of append.term can have sent this.
bool well_formed(const Append& append, const std::vector<EntryHead>& heads) {
  if (append.through < append.prev.seq) return false;
  if (heads.size() != raw(append.through) - raw(append.prev.seq)) return false;
  Term before = std::max(append.prev.term, Term{1});
  for (const EntryHead& head : heads) {
    if (head.term < before || head.term > append.term) return false;
    before = head.term;
  }
  return append.prev.term <= append.term;
}

}  // namespace

bool ReplicationFsm::hears(Time now) const noexcept {
  return role_ == Role::Copy && heard_ && stream_ == seen_ && now - contact_ <= options_.lease;
}

bool ReplicationFsm::follow(const CopyId& from, Term term) {
  if (!rules_.accepts(term, seen_)) {
    send(from, Stale{seen_});
    return false;
  }
  if (term > seen_) see_term(term);
  // A term has one primary; this one knows of no other.
  if (role_ != Role::Copy) return false;
  if (stream_ != term) {
    stream_ = term;
    matched_ = Seq{0};
    echo_ = Time{};
    acknowledge_ = false;
  }
  primary_ = from;
  contact_ = now_;
  heard_ = true;
  return true;
}

void ReplicationFsm::take(const CopyId& from, const Append& append,
                          const std::vector<EntryHead>& heads) {
  if (!well_formed(append, heads) || !follow(from, append.term)) return;
  // Out of sync it may have been behind by any time.
  const bool joins = append.standing == Standing::InSync && standing_ != Standing::InSync;
  if (joins) fresh_from_ = std::max(fresh_from_, append.commit);
  standing_ = append.standing;
  echo_ = std::max(echo_, append.sent_at);
  if (!roll_back(append) || !log_.history().contains(append.prev)) return mismatch(from);
  take_entries(from, append, heads);
}

bool ReplicationFsm::roll_back(const Append& append) {
  // Of an older term than the primary's, and not in the primary's log: nobody acknowledged it.
  const Seq behind = next(append.gate);
  if (log_.tail() < behind || log_.history().at(behind).term >= append.term) return true;
  return truncate_after(append.gate);
}

bool ReplicationFsm::truncate_after(Seq last) {
  // What readers have seen cannot be undone entry by entry.
  if (last < std::max(log_.applied(), apply_asked_)) return false;
  act(TruncateAfter{last, log_.truncate_after(last)});
  return true;
}

void ReplicationFsm::take_entries(const CopyId& from, const Append& append,
                                  const std::vector<EntryHead>& heads) {
  Seq seq = append.prev.seq;
  std::size_t have = 0;
  while (have < heads.size() && log_.history().contains({heads[have].term, next(seq)})) {
    seq = next(seq);
    ++have;
  }
  if (have < heads.size()) {
    if (seq < log_.tail()) {
      if (!truncate_after(seq)) return mismatch(from);
    }
    act(AppendReceived{next(seq), log_.append(heads, have)});
  }
  matched_ = std::max(matched_, append.through);
  commit_ = std::max(commit_, std::min(append.commit, matched_));
  apply_committed();
  acknowledge(heads.empty());
}

void ReplicationFsm::mismatch(const CopyId& to) {
  if (term_durable()) send(to, Mismatch{stream_, log_.history(), log_.applied()});
}

void ReplicationFsm::acknowledge(bool at_once) {
  const Seq durable = std::min(matched_, log_.durable());
  acknowledge_ = !term_durable() || durable < matched_;
  if (!term_durable() || (acknowledge_ && !at_once)) return;
  send(primary_, Ack{stream_, durable, echo_});
}

void ReplicationFsm::on(const SnapshotReceived& event) {
  if (gone() || !event.history.check() || event.history.last().term > event.term) return;
  if (!follow(event.from, event.term)) return;
  const LogPosition end = event.history.last();
  echo_ = std::max(echo_, event.sent_at);
  if (!log_.history().contains(end)) {
    act(InstallSnapshot{end, log_.install(event.history)});
    apply_asked_ = end.seq;
    commit_ = end.seq;
  }
  matched_ = std::max(matched_, end.seq);
  commit_ = std::max(commit_, end.seq);
  apply_committed();
  acknowledge(false);
}

}  // namespace quiver::cluster::replication
