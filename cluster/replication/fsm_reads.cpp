#include <algorithm>

#include "cluster/replication/replication_fsm.h"

namespace quiver::cluster::replication {

void ReplicationFsm::on(const ReadAsked& event) {
  if (reads_.size() >= options_.waiting_max) {
    return act(AnswerRead{event.tag, ReadOutcome::NotLeased, {}});
  }
  // Answered at the end of the step, if it can be.
  const bool session = event.level == ReadLevel::Session;
  reads_.push_back({event, now_ + (session ? options_.session_wait : options_.linearizable_wait)});
}

bool ReplicationFsm::may_read_newest() const {
  if (!serving(now_) || !rules_.knows_all(commit_, gate_)) return false;
  return std::all_of(peers_.begin(), peers_.end(), [this](const Peer& peer) {
    return !rules_.required(peer) || peer.lease > now_;
  });
}

std::optional<ReadOutcome> ReplicationFsm::judge(const ReadAsked& read) const {
  if (gone()) return ReadOutcome::Failed;
  switch (read.level) {
    case ReadLevel::Linearizable:
      if (role_ == Role::Copy) return ReadOutcome::NotPrimary;
      if (may_read_newest()) return ReadOutcome::Granted;
      return std::nullopt;
    case ReadLevel::Session:
      if (log_.applied() >= read.token) return ReadOutcome::Granted;
      return std::nullopt;
    case ReadLevel::Eventual: {
      const bool follows = role_ == Role::Copy && heard_ && standing_ == Standing::InSync &&
                           now_ - contact_ <= options_.eventual_bound;
      if (!follows && role_ != Role::Primary) return ReadOutcome::NotCaughtUp;
      return commit_ >= fresh_from() ? ReadOutcome::Granted : ReadOutcome::NotCaughtUp;
    }
  }
  return ReadOutcome::Failed;
}

void ReplicationFsm::answer_reads() {
  const auto answered = [this](const WaitingRead& waiting) {
    auto outcome = judge(waiting.read);
    const bool newest = waiting.read.level == ReadLevel::Linearizable;
    if (!outcome && now_ >= waiting.deadline) {
      outcome = newest ? ReadOutcome::NotLeased : ReadOutcome::NotCaughtUp;
    }
    if (!outcome) return false;
    const bool eventual = waiting.read.level == ReadLevel::Eventual;
    act(AnswerRead{waiting.read.tag, *outcome,
                   newest ? commit_ : (eventual ? fresh_from() : Seq{0})});
    return true;
  };
  if (reads_.empty()) return;
  reads_.erase(std::remove_if(reads_.begin(), reads_.end(), answered), reads_.end());
}

}  // namespace quiver::cluster::replication
