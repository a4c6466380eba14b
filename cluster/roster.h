#pragma once

#include <map>
#include <optional>
#include <string>

#include "cluster/coordination/store.h"
#include "cluster/view/records.h"

namespace quiver::cluster {

/// Who is registered in the coordination store, at one revision of it.
struct Roster {
  struct Seat {
    NodeRecord record;
    Revision revision{0};
  };
  std::optional<ClusterRecord> cluster;
  std::map<NodeId, Seat> nodes;
  SlotList slots;
  Revision slots_revision{0};

  /// Errors: those of CoordinationStore::list(); Corruption.
  static Result<Roster> read(const CallContext& call, CoordinationStore& store);
};

/// What a server is told whose address is that of another one.
Error address_taken(const NodeRecord& other);

/// Whether a server may take part as `self` says, its state aside.
///
/// Errors: FailedPrecondition if it was removed, or another server has its address (a wiped disk)
/// or its label.
Status may_enter(const Roster& roster, const NodeRecord& self);

/// The transaction that makes the record of `self`, whose state and time of joining are those that
/// the roster has; a new server gets a place among the slots. Nothing if it is there already.
///
/// It compares the slots, too, and puts them: so of servers that come at the same time each sees
/// those before it.
struct Registration {
  std::vector<Compare> compares;
  std::vector<Put> puts;

  bool needed() const noexcept { return !puts.empty(); }
};
/// Errors: as with_slot().
Result<Registration> registration(const Roster& roster, NodeRecord self);

}  // namespace quiver::cluster
