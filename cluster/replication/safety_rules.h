#pragma once

#include <algorithm>

#include "cluster/replication/peer.h"

namespace quiver::cluster::replication {

/// The decisions that safety rests on, apart from all that is only progress. Each closes a hole
/// that a simulation finds when the decision is another one: tests/simulation puts wrong rules here
/// and must see data lost.
///
/// Threads: any.
class SafetyRules {
 public:
  virtual ~SafetyRules() = default;

  /// Whether a copy that has seen `seen` listens to a primary of `message`. An older one must not
  /// replace what a newer one had acknowledged.
  virtual bool accepts(Term message, Term seen) const { return message >= seen; }

  /// Whether the copy named primary of `record` may act as such. If it has seen that term in an
  /// earlier incarnation it may have written in it what its disk forgot and others hold: it needs a
  /// new term.
  virtual bool may_reign(Term record, Term seen) const { return record > seen; }

  /// Whether a write waits for this copy. The record may name it in sync, now or soon: so also one
  /// that joins, and one whose ejection is not confirmed.
  virtual bool required(const Peer& peer) const { return peer.standing != Standing::Outside; }

  /// What a copy must hold before it may join. Beside what is committed now that is all the primary
  /// began with: an earlier one may have acknowledged it.
  virtual Seq join_at(Seq commit, Seq gate) const { return std::max(commit, gate); }

  /// Whether a primary that knows `commit` to be committed knows of all that an earlier one
  /// acknowledged; its own log had `gate` entries when it began.
  virtual bool knows_all(Seq commit, Seq gate) const { return commit >= gate; }

  /// Whether a copy may act in the term it has seen: not before a crash cannot make it forget it
  /// and listen to an older primary, or reign in it once more.
  virtual bool acts(bool term_durable) const { return term_durable; }
};

}  // namespace quiver::cluster::replication
