#include <algorithm>
#include <utility>

#include "cluster/replication/replication_fsm.h"

namespace quiver::cluster::replication {
namespace {

bool contains(const std::vector<CopyId>& copies, const CopyId& copy) {
  return std::find(copies.begin(), copies.end(), copy) != copies.end();
}

void erase(std::vector<CopyId>& copies, const CopyId& copy) {
  copies.erase(std::remove(copies.begin(), copies.end(), copy), copies.end());
}

}  // namespace

void ReplicationFsm::on(const RecordSeen& event) {
  if (gone() || event.revision <= revision_) return;
  record_ = event.record;
  revision_ = event.revision;
  if (record_.copies.count(self_) == 0) {
    if (revision_ < born_) return;
    act(Retire{});
    return step_down(Role::Retired);
  }
  follow_record();
  if (change_ && revision_ > change_->base) settle();
  if (role_ == Role::Primary) {
    refresh_peers();
    advance();
  }
}

void ReplicationFsm::follow_record() {
  if (!knows_record() || record_.copies.count(self_) == 0) return;
  if (record_.primary != self_) {
    if (record_.term > seen_) see_term(record_.term);
    return;
  }
  const bool reigns = role_ == Role::Promoted || role_ == Role::Primary;
  if (reigns && term_ == record_.term) return;
  if (rules_.may_reign(record_.term, seen_)) return reign(record_.term);
  if (role_ != Role::Copy || record_.term != seen_ || !may_propose()) return;
  role_ = Role::Claiming;
  ShardState desired = record_;
  desired.term = Term{raw(record_.term) + 1};
  propose(RecordChange::Kind::Claim, std::move(desired));
}

void ReplicationFsm::refresh_peers() {
  std::vector<Peer> peers;
  for (const auto& [id, place] : record_.copies) {
    if (id == self_) continue;
    Peer fresh;
    fresh.id = id;
    fresh.next = next(log_.tail());
    fresh.heard = fresh.progress = now_;
    fresh.sent = now_ - options_.heartbeat;
    Peer* const known = peer(id);
    peers.push_back(known != nullptr ? std::move(*known) : std::move(fresh));
    Peer& copy = peers.back();
    if (contains(record_.in_sync, id)) {
      copy.standing = Standing::InSync;
    } else if (copy.standing == Standing::InSync) {
      copy.standing = Standing::Outside;
    }
  }
  peers_ = std::move(peers);
}

void ReplicationFsm::propose(RecordChange::Kind kind, ShardState desired) {
  ++desired.epoch;
  change_.emplace();
  change_->kind = kind;
  change_->base = revision_;
  change_->desired = std::make_shared<const ShardState>(std::move(desired));
  ask_swap();
}

void ReplicationFsm::ask_swap() {
  swaps_ = SwapId{static_cast<std::uint64_t>(swaps_) + 1};
  change_->id = swaps_;
  change_->asked = now_;
  act(SwapRecord{change_->id, change_->base, change_->desired});
}

void ReplicationFsm::on(const SwapAnswered& event) {
  if (gone() || !change_ || change_->id != event.id) return;
  switch (event.outcome) {
    case SwapOutcome::Done: {
      const auto written = change_->desired;
      return on(RecordSeen{*written, event.revision});
    }
    case SwapOutcome::Conflict:
      // An earlier attempt may have been the one that moved it on: the record tells.
      change_->overtaken = true;
      return act(ReadRecord{});
    case SwapOutcome::Unknown: change_->unsure = true; return;
    case SwapOutcome::NotWritten:
      if (!change_->unsure) call_off();
      return;
  }
}

void ReplicationFsm::settle() {
  for (Peer& copy : peers_) copy.leaving = false;
  if (change_->kind == RecordChange::Kind::HandOff) handing_off_.reset();
  if (role_ == Role::Claiming) role_ = Role::Copy;
  change_.reset();
}

void ReplicationFsm::call_off() {
  settle();
  propose_after_ = now_ + options_.swap_retry;
  // Writes do not wait for a copy that cannot join.
  for (Peer& copy : peers_) {
    if (copy.standing == Standing::Joining) copy.standing = Standing::Outside;
  }
  if (role_ == Role::Primary) advance();
}

void ReplicationFsm::retry_swap() {
  if (!change_ || now_ - change_->asked < options_.swap_retry) return;
  if (change_->overtaken) {
    change_->asked = now_;
    return act(ReadRecord{});
  }
  // A read may be older than the write: only writing once more can find out.
  change_->unsure = true;
  ask_swap();
}

void ReplicationFsm::forgive(Duration pause) {
  for (Peer& copy : peers_) {
    copy.heard += pause;
    copy.progress += pause;
  }
}

bool ReplicationFsm::silent(const Peer& copy) const {
  if (now_ - copy.heard > options_.eject_after) return true;
  return copy.matched < log_.tail() && now_ - copy.progress > options_.eject_after;
}

void ReplicationFsm::look_after_members() {
  if (now_ - lag_marked_ >= options_.join_lag) {
    lag_mark_ = log_.tail();
    lag_marked_ = now_;
  }
  if (handing_off_) hand_off();
  if (!may_propose()) return;
  for (Peer& copy : peers_) {
    if (copy.standing == Standing::Joining && silent(copy)) copy.standing = Standing::Outside;
  }
  eject_silent();
  for (Peer& copy : peers_) let_join(copy);
}

void ReplicationFsm::eject_silent() {
  ShardState desired = record_;
  bool any = false;
  for (Peer& copy : peers_) {
    if (copy.standing != Standing::InSync || !silent(copy)) continue;
    copy.leaving = any = true;
    erase(desired.in_sync, copy.id);
  }
  if (any) propose(RecordChange::Kind::Eject, std::move(desired));
}

void ReplicationFsm::let_join(Peer& copy) {
  if (copy.standing == Standing::InSync || !may_propose() || handing_off_ || !serving(now_)) return;
  if (!copy.located || copy.snapshot || copy.matched < lag_mark_ || silent(copy)) return;
  if (copy.standing == Standing::Outside) {
    // From here on writes wait for it, before the record may name it.
    copy.standing = Standing::Joining;
    copy.progress = now_;
  }
  if (copy.matched < rules_.join_at(commit_, gate_)) return;
  ShardState desired = record_;
  desired.in_sync.push_back(copy.id);
  std::sort(desired.in_sync.begin(), desired.in_sync.end());
  desired.copies.at(copy.id).state = CopyState::Active;
  propose(RecordChange::Kind::Join, std::move(desired));
}

void ReplicationFsm::on(const HandOffAsked& event) {
  const Peer* const target = peer(event.target);
  if (!serving(now_) || !may_propose() || handing_off_) return;
  if (target == nullptr || target->standing != Standing::InSync) return;
  handing_off_ = HandingOff{event.target, now_};
  hand_off();
}

void ReplicationFsm::hand_off() {
  if (!may_propose()) return;
  if (now_ - handing_off_->since > options_.hand_off) return handing_off_.reset();
  const Peer* const target = peer(handing_off_->target);
  if (target == nullptr || target->standing != Standing::InSync) return handing_off_.reset();
  if (commit_ < log_.tail()) return;
  ShardState desired = record_;
  desired.term = Term{raw(term_) + 1};
  desired.primary = handing_off_->target;
  propose(RecordChange::Kind::HandOff, std::move(desired));
}

void ReplicationFsm::on(const DropAsked& event) {
  if (!serving(now_) || !may_propose() || handing_off_ || event.copy == self_) return;
  if (record_.copies.count(event.copy) == 0) return;
  ShardState desired = record_;
  erase(desired.in_sync, event.copy);
  desired.copies.erase(event.copy);
  if (Peer* const copy = peer(event.copy)) copy->leaving = true;
  propose(RecordChange::Kind::Drop, std::move(desired));
}

}  // namespace quiver::cluster::replication
