#pragma once

#include <map>
#include <set>

#include "cluster/placement/layout.h"
#include "cluster/replication/replication_time.h"
#include "thrift/calls.h"

namespace quiver::cluster {

/// What the servers said of the copies that they were asked for.
using CopyReports = std::map<CopyId, thrift::CopyPosition>;

/// Since when servers are down and copies do not work, as whoever looks after the cluster saw it
/// itself: one that has just begun gives everybody the whole delay.
class Sightings {
 public:
  using Time = replication::Time;
  using Duration = replication::Duration;

  /// What is true now. `now` does not fall.
  void note(const Liveness& liveness, const CopyReports& reports, Time now);

  /// Down for at least `delay`, or known not to return.
  std::set<NodeId> dead(Duration delay) const;
  /// Whether its server has said for at least `delay` that it failed, or is not there.
  bool has_failed(const CopyId& copy, Duration delay) const;
  /// Whether nobody went down or came back for at least `delay`.
  bool calm(Duration delay) const;

 private:
  Time now_;
  Time calm_since_;
  bool begun_ = false;
  Liveness last_;
  std::map<NodeId, Time> down_since_;
  std::map<CopyId, Time> failed_since_;
};

}  // namespace quiver::cluster
