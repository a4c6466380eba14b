#pragma once

#include <deque>
#include <span>
#include <variant>
#include <vector>

#include "cluster/replication/events.h"
#include "tests/simulation/entries.h"
#include "tests/simulation/random.h"

namespace quiver::simulation {

using cluster::replication::Persisted;
using cluster::replication::Ticket;

/// The disk of one copy: a log, the term seen, and the state that lies before the log. What was not
/// synced may be gone after a crash, from the end backwards.
class SimDisk {
 public:
  explicit SimDisk(Term seen) : seen_(seen) {}

  void persist_term(Term term, Ticket ticket);
  void append(std::span<const Entry> entries, Ticket ticket);
  void truncate_after(Seq last, Ticket ticket);
  /// `applied`: how far the state had come that is replaced.
  void install(const Image& image, Seq applied, Ticket ticket);
  void synced(Ticket through);
  /// Loses a part of what was not synced, or all of it. Tickets begin at 1 again. `applied`: how
  /// far the state had come; how far it may have come on disk is the answer.
  Seq crash(Random& random, Seq applied);
  /// Forgets the entries before `first`, all of which are synced and applied.
  void trim(Seq first);

  Term seen() const noexcept { return seen_; }
  Seq first() const noexcept { return next(base_.state.at()); }
  Seq tail() const noexcept { return Seq{raw(base_.state.at()) + log_.size()}; }
  /// As it stands; not all of it need be durable.
  const Entry& entry(Seq seq) const { return log_[raw(seq) - raw(first())]; }
  std::span<const Entry> entries(Seq from, Seq through) const;
  /// Up to where a crash now would leave the log as it is.
  Seq durable() const;
  /// Whether the entry is there and durable. What lies before the log counts by its effect.
  bool holds(LogPosition position, WriteId write) const;
  /// Of the state at `applied`.
  State state_at(Seq applied, bool once) const;
  Persisted load(Seq applied) const;
  cluster::replication::History history() const;

 private:
  struct Appended {
    std::size_t count;
  };
  struct Truncated {
    std::vector<Entry> removed;
  };
  struct Installed {
    Image base;
    std::vector<Entry> log;
    Seq applied;
  };
  struct Persisting {
    Term before;
  };
  struct Undo {
    Ticket ticket;
    std::variant<Appended, Truncated, Installed, Persisting> what;
  };
  void undo(Undo& step);

  Term seen_;
  /// What lies before the log.
  Image base_;
  std::vector<Entry> log_;
  std::deque<Undo> unsynced_;
};

}  // namespace quiver::simulation
