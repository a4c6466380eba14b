#include "cluster/replication/replication_options.h"

namespace quiver::cluster::replication {

Status ReplicationOptions::check() const {
  const auto wrong = [](const char* what) { return Error{ErrorCode::InvalidArgument, what}; };
  if (min_in_sync < 1) return wrong("min_in_sync: must be at least 1");
  if (tick <= Duration::zero()) return wrong("tick: must be above 0");
  if (heartbeat < tick) return wrong("heartbeat: must not be below tick");
  if (lease < 2 * heartbeat) return wrong("lease: must be at least two heartbeats");
  if (grace <= lease) return wrong("grace: must be above lease");
  if (eject_after < 2 * heartbeat) return wrong("eject_after: must be at least two heartbeats");
  if (swap_retry < tick) return wrong("swap_retry: must not be below tick");
  if (snapshot_retry < tick) return wrong("snapshot_retry: must not be below tick");
  if (join_lag < tick) return wrong("join_lag: must not be below tick");
  if (batch_entries < 1) return wrong("batch_entries: must be at least 1");
  if (pipeline < 1) return wrong("pipeline: must be at least 1");
  if (waiting_max < 1) return wrong("waiting_max: must be at least 1");
  return Done{};
}

}  // namespace quiver::cluster::replication
