#pragma once

#include <chrono>
#include <cstddef>

#include "cluster/replication/replication_time.h"
#include "core/result.h"

namespace quiver::cluster::replication {

struct ReplicationOptions {
  /// In-sync copies without which no write is taken; the primary counts.
  std::size_t min_in_sync = 1;

  Duration tick = std::chrono::milliseconds{100};
  /// Between signs of life of a primary.
  Duration heartbeat = std::chrono::milliseconds{500};
  /// How long an answer of a copy lets the primary answer linearizable reads.
  Duration lease = std::chrono::seconds{2};
  /// How long a new primary waits after it last heard an earlier one. Above `lease`: the rate of
  /// two clocks may differ by (grace - lease) / lease.
  Duration grace = std::chrono::seconds{3};
  /// A copy that is silent, or holds writes up, for longer is taken out of the in-sync set.
  Duration eject_after = std::chrono::seconds{2};
  /// A copy joins when it lags by less.
  Duration join_lag = std::chrono::seconds{1};
  /// Between attempts to change the record.
  Duration swap_retry = std::chrono::milliseconds{500};
  Duration snapshot_retry = std::chrono::seconds{1};
  /// A hand-off that is not through is given up.
  Duration hand_off = std::chrono::seconds{5};

  Duration linearizable_wait = std::chrono::seconds{1};
  Duration session_wait = std::chrono::milliseconds{200};
  /// A copy that did not hear its primary for longer answers no reads.
  Duration eventual_bound = std::chrono::seconds{5};

  /// Entries of one Append.
  std::size_t batch_entries = 512;
  /// Appends to one copy that are not answered.
  std::size_t pipeline = 4;
  /// Writes that wait; and reads.
  std::size_t waiting_max = 65'536;

  /// Errors: InvalidArgument naming what contradicts what.
  Status check() const;
};

}  // namespace quiver::cluster::replication
