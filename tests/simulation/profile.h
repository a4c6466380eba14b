#pragma once

#include "cluster/replication/replication_options.h"
#include "tests/simulation/random.h"
#include "tests/simulation/scheduler.h"

namespace quiver::simulation {

/// What can go wrong in one run, and how often. Each seed has other troubles, so that none hides
/// what another one would show.
struct Profile {
  std::size_t copies = 3;
  Micros length = 25 * kSecond;

  // Of a message between copies.
  double drop = 0;
  double duplicate = 0;
  /// Of those that take up to `delay_long` instead of `delay`.
  double straggle = 0;
  Micros delay = 10 * kMillisecond;
  Micros delay_long = 2 * kSecond;

  // Of a request to the store.
  double swap_answer_lost = 0;
  /// Arrives when its sender has given it up.
  double swap_late = 0;
  double stale_record = 0;
  /// Of a sync: its server crashes before it ends.
  double crash_in_sync = 0;

  /// How often one of them is chosen among the troubles below.
  struct Weights {
    unsigned crash = 0, crash_all = 0, pause = 0, cut = 0, isolate = 0, store_cut = 0,
             slow_disk = 0, disk_failure = 0, lost_disk = 0, suspicion = 0, trim = 0, slow_link = 0,
             depose = 0, hand_off = 0, move = 0;
    unsigned total() const {
      return crash + crash_all + pause + cut + isolate + store_cut + slow_disk + disk_failure +
             lost_disk + suspicion + trim + slow_link + depose + hand_off + move;
    }
  };
  Weights weights;
  Micros between_troubles = kSecond;
  cluster::replication::ReplicationOptions options;
};

Profile draw_profile(Random& random);

}  // namespace quiver::simulation
