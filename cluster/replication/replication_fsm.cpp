#include "cluster/replication/replication_fsm.h"

#include <algorithm>
#include <utility>

namespace quiver::cluster::replication {

ReplicationFsm::ReplicationFsm(CopyId self, const Persisted& persisted, Time now,
                               const ReplicationOptions& options, const SafetyRules& rules)
    : self_(std::move(self)),
      options_(options),
      rules_(rules),
      now_(now),
      seen_(persisted.seen),
      log_(persisted),
      commit_(persisted.applied),
      apply_asked_(persisted.applied),
      born_(persisted.born),
      contact_(now),
      fresh_from_(persisted.history.tail()) {}

void ReplicationFsm::step(Time now, const Event& event, Actions& actions) {
  const Duration since = now - now_;
  now_ = now;
  actions_ = &actions;
  if (since > 2 * options_.heartbeat) forgive(since);
  std::visit([this](const auto& what) { on(what); }, event);
  answer_reads();
  actions_ = nullptr;
}

void ReplicationFsm::on(const Tick&) {
  if (gone()) return;
  retry_swap();
  follow_record();
  if (role_ != Role::Primary) return;
  expire_writes();
  advance();
  look_after_members();
  for (Peer& peer : peers_) {
    pump(peer);
    keep_alive(peer);
  }
}

void ReplicationFsm::on(const Received& event) {
  if (gone()) return;
  std::visit(
      [&](const auto& message) {
        if constexpr (std::is_same_v<decltype(message), const Append&>) {
          take(event.from, message, event.heads);
        } else {
          take(event.from, message);
        }
      },
      event.message);
}

void ReplicationFsm::on(const Synced& event) {
  if (gone()) return;
  log_.synced(event.through);
  if (role_ == Role::Promoted && term_durable()) begin();
  if (role_ == Role::Primary) advance();
  apply_committed();
  if (acknowledge_) acknowledge(false);
}

void ReplicationFsm::on(const DiskFailed&) {
  if (!gone()) step_down(Role::Failed);
}

void ReplicationFsm::on(const Applied& event) {
  if (gone() || event.through > apply_asked_) return;
  log_.applied(event.through);
}

void ReplicationFsm::on(const Trimmed& event) {
  log_.trimmed(event.first);
}

void ReplicationFsm::see_term(Term term) {
  if (role_ == Role::Promoted || role_ == Role::Primary || role_ == Role::Claiming) {
    step_down(Role::Copy);
  }
  seen_ = term;
  term_ticket_ = log_.write();
  act(PersistTerm{term, term_ticket_});
}

void ReplicationFsm::step_down(Role role) {
  if (handing_off_ && change_ && change_->kind == RecordChange::Kind::HandOff &&
      record_.primary == handing_off_->target && record_.term == change_->desired->term) {
    send(handing_off_->target, Resigned{record_.term});
  }
  for (const Waiter& waiter : waiters_) {
    act(AnswerWrite{waiter.tag, WriteOutcome::Unknown, {}});
  }
  waiters_.clear();
  peers_.clear();
  handing_off_.reset();
  change_.reset();
  acknowledge_ = false;
  role_ = role;
}

void ReplicationFsm::apply_committed() {
  Seq through = std::min(commit_, log_.durable());
  if (role_ == Role::Copy) through = std::min(through, matched_);
  if (through <= apply_asked_) return;
  apply_asked_ = through;
  act(ApplyThrough{through});
}

void ReplicationFsm::send(const CopyId& to, Message message) {
  act(Send{to, std::move(message)});
}

bool ReplicationFsm::serving(Time now) const noexcept {
  return role_ == Role::Primary && now >= serve_at_;
}

Seq ReplicationFsm::needed_from() const noexcept {
  Seq from = next(log_.tail());
  for (const Peer& peer : peers_) {
    if (peer.located) from = std::min(from, next(peer.matched));
  }
  return from;
}

}  // namespace quiver::cluster::replication
