#include <algorithm>

#include "cluster/replication/replication_fsm.h"

namespace quiver::cluster::replication {
namespace {

// Of a shard's record when it is made. Reigned in once: a primary that restarts needs a new one.
constexpr Term kFirstTerm{1};

}  // namespace

Peer* ReplicationFsm::peer(const CopyId& id) {
  const auto found = std::find_if(peers_.begin(), peers_.end(),
                                  [&id](const Peer& candidate) { return candidate.id == id; });
  return found == peers_.end() ? nullptr : &*found;
}

void ReplicationFsm::reign(Term term) {
  see_term(term);
  role_ = Role::Promoted;
  term_ = term;
  gate_ = log_.tail();
  // Before the first term nobody was primary, and what had to be waited for has resigned.
  const bool alone = term == kFirstTerm || resigned_ == term;
  serve_at_ = alone ? now_ : contact_ + options_.grace;
  if (term_durable()) begin();
}

void ReplicationFsm::begin() {
  role_ = Role::Primary;
  lag_mark_ = Seq{0};
  lag_marked_ = now_;
  refresh_peers();
  for (Peer& each : peers_) keep_alive(each);
  advance();
}

WriteOutcome ReplicationFsm::refusal(const WriteAsked& event) const {
  if (event.seen == Seen::TooOld) return WriteOutcome::RetryTooOld;
  if (!serving(now_)) return WriteOutcome::NotServing;
  if (record_.in_sync.size() < options_.min_in_sync) return WriteOutcome::TooFewCopies;
  if (handing_off_) return WriteOutcome::HandingOff;
  return WriteOutcome::Done;
}

void ReplicationFsm::on(const WriteAsked& event) {
  const auto answer = [&](WriteOutcome outcome) { act(AnswerWrite{event.tag, outcome, {}}); };
  if (gone()) return answer(WriteOutcome::Failed);
  if (role_ == Role::Copy) return answer(WriteOutcome::NotPrimary);
  if (role_ != Role::Primary) return answer(WriteOutcome::NotServing);
  if (event.seen == Seen::Applied) return answer(WriteOutcome::DoneBefore);
  if (waiters_.size() >= options_.waiting_max) return answer(WriteOutcome::TooMany);

  if (const auto earlier = log_.find(event.request)) {
    if (*earlier <= apply_asked_) return answer(WriteOutcome::DoneBefore);
    const auto place =
        std::upper_bound(waiters_.begin(), waiters_.end(), *earlier,
                         [](Seq seq, const Waiter& waiter) { return seq < waiter.seq; });
    waiters_.insert(place, Waiter{*earlier, event.tag, event.deadline});
    return;
  }
  if (const auto why = refusal(event); refused(why)) return answer(why);

  const Ticket ticket = log_.append(term_, event.request);
  act(AppendWrite{event.tag, log_.history().last(), ticket});
  waiters_.push_back({log_.tail(), event.tag, event.deadline});
  for (Peer& each : peers_) {
    if (each.matched == Seq{raw(log_.tail()) - 1}) each.progress = now_;
    pump(each);
  }
}

void ReplicationFsm::advance() {
  if (!serving(now_)) return;
  Seq agreed = log_.durable();
  for (const Peer& each : peers_) {
    if (rules_.required(each)) agreed = std::min(agreed, each.matched);
  }
  commit_ = std::max(commit_, agreed);
  apply_committed();
  while (!waiters_.empty() && waiters_.front().seq <= apply_asked_) {
    const Waiter& waiter = waiters_.front();
    act(AnswerWrite{waiter.tag, WriteOutcome::Done, log_.history().at(waiter.seq)});
    waiters_.pop_front();
  }
}

void ReplicationFsm::expire_writes() {
  const auto expired = [this](const Waiter& waiter) {
    if (now_ < waiter.deadline) return false;
    act(AnswerWrite{waiter.tag, WriteOutcome::Unknown, {}});
    return true;
  };
  waiters_.erase(std::remove_if(waiters_.begin(), waiters_.end(), expired), waiters_.end());
}

void ReplicationFsm::take(const CopyId& from, const Ack& ack) {
  if (role_ != Role::Primary || ack.term != term_ || ack.matched > log_.tail()) return;
  Peer* const copy = peer(from);
  if (copy == nullptr) return;
  copy->heard = now_;
  copy->lease = std::max(copy->lease, std::min(ack.sent_at, now_) + options_.lease);
  if (ack.matched > copy->matched) {
    copy->matched = ack.matched;
    copy->progress = now_;
    copy->resend_after = options_.heartbeat;
  }
  copy->located = true;
  copy->next = std::max(copy->next, next(copy->matched));
  auto& in_flight = copy->in_flight;
  in_flight.erase(in_flight.begin(),
                  std::upper_bound(in_flight.begin(), in_flight.end(), copy->matched));
  let_join(*copy);
  advance();
  pump(*copy);
}

void ReplicationFsm::take(const CopyId& from, const Mismatch& mismatch) {
  if (role_ != Role::Primary || mismatch.term != term_ || !mismatch.history.check()) return;
  Peer* const copy = peer(from);
  if (copy == nullptr) return;
  copy->heard = now_;
  if (copy->snapshot) return;
  const Seq common = common_point(log_.history(), mismatch.history);
  copy->located = true;
  copy->next = next(std::max(common, copy->matched));
  copy->in_flight.clear();
  // What it has shown to readers it cannot undo, and what was trimmed here it cannot be sent.
  if (mismatch.applied > common) {
    send_snapshot(*copy);
  } else {
    pump(*copy);
  }
}

void ReplicationFsm::take(const CopyId&, const Stale& stale) {
  if (stale.seen > seen_) see_term(stale.seen);
}

void ReplicationFsm::take(const CopyId&, const Resigned& resigned) {
  resigned_ = std::max(resigned_, resigned.next);
  const bool waiting = role_ == Role::Promoted || role_ == Role::Primary;
  if (waiting && resigned.next == term_) serve_at_ = std::min(serve_at_, now_);
}

void ReplicationFsm::pump(Peer& copy) {
  if (copy.snapshot || !copy.located) return;
  if (copy.next < log_.first()) return send_snapshot(copy);
  while (copy.next <= log_.tail() && copy.in_flight.size() < options_.pipeline) {
    const Seq through{raw(copy.next) + options_.batch_entries - 1};
    send_log(copy, std::min(through, log_.tail()));
    copy.in_flight.push_back(Seq{raw(copy.next) - 1});
  }
}

void ReplicationFsm::send_log(Peer& copy, Seq through) {
  const Seq prev{raw(copy.next) - 1};
  send(copy.id,
       Append{term_, log_.history().at(prev), through, gate_, commit_, copy.standing, now_});
  copy.next = next(through);
  copy.sent = now_;
  copy.told = commit_;
}

void ReplicationFsm::keep_alive(Peer& copy) {
  // With the last writes nothing else goes that could tell what is committed.
  const bool news = copy.told < commit_ && copy.located && copy.in_flight.empty();
  if (!news && now_ - copy.sent < options_.heartbeat) return;
  copy.resend_after = std::max(copy.resend_after, options_.heartbeat);
  const bool lost =
      !copy.in_flight.empty() && now_ - std::max(copy.progress, copy.resent) >= copy.resend_after;
  if (lost || !copy.located) {
    // What is not answered is sent again, and who is slow is not buried under it; where the logs
    // part is asked from the end.
    if (lost) {
      copy.resent = now_;
      copy.resend_after = std::min(2 * copy.resend_after, options_.eject_after);
    }
    copy.in_flight.clear();
    copy.next = copy.located ? next(copy.matched) : next(log_.tail());
    if (copy.located) pump(copy);
  }
  if (copy.sent == now_) return;
  // Behind a snapshot that is on its way it is asked for what it surely does not have. Else for
  // what it surely has, if there are entries on their way: a sign of life may overtake them.
  const Seq sent{raw(copy.next) - 1};
  const Seq at = copy.snapshot ? log_.tail() : copy.in_flight.empty() ? sent : copy.matched;
  send(copy.id, Append{term_, log_.history().at(at), at, gate_, commit_, copy.standing, now_});
  copy.sent = now_;
  copy.told = commit_;
}

void ReplicationFsm::send_snapshot(Peer& copy) {
  if (copy.snapshot || now_ < copy.snapshot_after) return;
  copy.snapshot = true;
  copy.in_flight.clear();
  act(SendSnapshot{copy.id, term_, now_});
}

void ReplicationFsm::on(const SnapshotEnded& event) {
  Peer* const copy = peer(event.to);
  if (role_ != Role::Primary || copy == nullptr || !copy->snapshot) return;
  copy->snapshot = false;
  copy->snapshot_after = now_ + options_.snapshot_retry;
  // Where it stands now is asked anew.
  copy->located = copy->matched != Seq{0};
  copy->next = copy->located ? next(copy->matched) : next(log_.tail());
  keep_alive(*copy);
}

}  // namespace quiver::cluster::replication
