#pragma once

#include <cstddef>
#include <vector>

#include "cluster/replication/messages.h"

namespace quiver::cluster::replication {

/// Another copy, as its primary sees it.
struct Peer {
  CopyId id;
  Standing standing = Standing::Outside;
  /// A change that takes it out of the in-sync set is on its way.
  bool leaving = false;

  /// Whether it is known where its log parts from the primary's.
  bool located = false;
  /// Its log is the primary's up to here, durably.
  Seq matched{0};
  /// What it is sent next.
  Seq next{1};
  /// The last entries of the Appends that it did not answer.
  std::vector<Seq> in_flight;
  Time sent;
  /// What it was last told to be committed.
  Seq told{0};
  /// They are sent again after so long: longer each time, until there is an answer.
  Duration resend_after{0};
  Time resent;

  /// Last answer, and since when it has held up what comes after `matched`.
  Time heard;
  Time progress;
  /// Until then it keeps no other primary company: it does not serve as one.
  Time lease;

  /// A snapshot is on its way to it; no other until `snapshot_after`.
  bool snapshot = false;
  Time snapshot_after;
};

}  // namespace quiver::cluster::replication
