#pragma once

#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "cluster/replication/events.h"

namespace quiver::cluster::replication {

/// What a copy's log holds and how much of it is durable and applied, without the bodies.
class LogView {
 public:
  explicit LogView(const Persisted& persisted);

  const History& history() const noexcept { return history_; }
  Seq tail() const noexcept { return history_.tail(); }
  Seq first() const noexcept { return first_; }
  Seq durable() const noexcept { return durable_; }
  Seq applied() const noexcept { return applied_; }
  /// Where an entry that is not applied lies that has this request id; not for the empty one.
  std::optional<Seq> find(const RequestId& request) const;

  Ticket append(Term term, const RequestId& request);
  Ticket append(const std::vector<EntryHead>& heads, std::size_t from);
  /// `last` is not before applied().
  Ticket truncate_after(Seq last);
  Ticket install(const History& history);
  /// Something else that goes to disk.
  Ticket write();

  void synced(Ticket through);
  bool is_synced(Ticket ticket) const noexcept { return ticket <= synced_; }
  void applied(Seq through);
  void trimmed(Seq first) { first_ = first; }

 private:
  /// When `ticket` is durable, so is all up to `tail`.
  struct Write {
    Ticket ticket{0};
    Seq tail{0};
  };

  Ticket issue();
  void add(const RequestId& request);
  void forget_back();
  void forget_front();

  History history_;
  Seq first_{1};
  Seq durable_{0};
  Seq applied_{0};
  std::deque<Write> writes_;
  Ticket issued_{0};
  Ticket synced_{0};
  /// Of the entries behind applied_, in order.
  std::deque<RequestId> unapplied_;
  std::map<RequestId, Seq> by_request_;
};

}  // namespace quiver::cluster::replication
