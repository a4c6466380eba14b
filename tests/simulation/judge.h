#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulation/entries.h"

namespace quiver::simulation {

/// Sees everything and remembers the first thing that must not be.
class Judge {
 public:
  /// A copy made an entry visible.
  void applied(char copy, Seq seq, const Entry& entry);
  /// A primary told a client that its write is committed.
  void acknowledged(LogPosition position, WriteId write);
  /// A copy appended a write as the primary of `term`.
  void reigned(char copy, Term term);
  /// All attempts of a write were refused; to be asked when the run is over.
  void refused(WriteId write) { refused_.push_back(write); }
  /// What is left to check at the end.
  void finish();

  /// Which write is committed for good at which place.
  const std::map<Seq, WriteId>& acknowledged() const noexcept { return acknowledged_; }
  /// The entry that every copy has or will have at `seq`, which was applied somewhere.
  const Entry& committed(Seq seq) const { return committed_.at(raw(seq) - 1); }
  Seq committed_through() const noexcept { return Seq{committed_.size()}; }

  void fail(std::string what) {
    if (!violation_) violation_ = std::move(what);
  }
  const std::optional<std::string>& violation() const noexcept { return violation_; }

 private:
  std::vector<Entry> committed_;
  std::vector<Seq> place_of_;
  std::map<Term, char> primaries_;
  std::map<Seq, WriteId> acknowledged_;
  std::vector<WriteId> refused_;
  std::optional<std::string> violation_;
};

}  // namespace quiver::simulation
