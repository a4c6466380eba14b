#pragma once

#include <cstdint>
#include <memory>

#include "cluster/replication/events.h"

namespace quiver::cluster::replication {

/// A change of the shard's record that is not settled: written, not written, or to be written yet.
/// It is settled by its answer, or by a record newer than `base`: then it can never be written.
struct RecordChange {
  enum class Kind : std::uint8_t {
    /// A restarted primary takes the next term.
    Claim,
    Join,
    Eject,
    HandOff,
    Drop,
  };

  Kind kind = Kind::Claim;
  /// Of the newest attempt.
  SwapId id{0};
  Revision base{0};
  std::shared_ptr<const ShardState> desired;
  Time asked;
  /// An attempt had no answer, or one that leaves it open: it may be written.
  bool unsure = false;
  /// The record is no longer at `base`: only reading it tells more.
  bool overtaken = false;
};

}  // namespace quiver::cluster::replication
