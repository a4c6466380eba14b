#pragma once

#include <vector>

#include "core/mutation.h"

namespace quiver::cluster::replication {

/// In which term each entry of a log was written, up to its last one.
///
/// Two logs that hold an entry of the same term and seq are equal up to it: a term has one primary,
/// and a copy takes an entry only behind the one that the primary has before it.
class History {
 public:
  /// Entries from `first` on were written in `term`.
  struct Reign {
    Term term{0};
    Seq first{0};

    bool operator==(const Reign&) const = default;
  };

  History() = default;
  /// Errors: none; check() tells whether both rise and `tail` is not before them.
  History(std::vector<Reign> reigns, Seq tail) : reigns_(std::move(reigns)), tail_(tail) {}

  /// Whether terms and seqs begin above 0 and rise, and `tail` lies in the last reign.
  bool check() const;

  const std::vector<Reign>& reigns() const noexcept { return reigns_; }
  Seq tail() const noexcept { return tail_; }
  LogPosition last() const { return at(tail_); }
  /// The entry `seq`, which is not behind the tail; term 0 if it lies before the first reign.
  LogPosition at(Seq seq) const { return {term_at(seq), seq}; }
  /// The position before the first entry is in every log.
  bool contains(LogPosition position) const;

  /// One more entry; `term` is not lower than that of the last one.
  void append(Term term);
  void truncate_after(Seq last);

  bool operator==(const History&) const = default;

 private:
  Term term_at(Seq seq) const;

  std::vector<Reign> reigns_;
  Seq tail_{0};
};

/// The last entry that both logs hold; 0 if there is none.
Seq common_point(const History& a, const History& b);

}  // namespace quiver::cluster::replication
