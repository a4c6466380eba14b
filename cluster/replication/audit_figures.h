#pragma once

#include <cstdint>

namespace quiver::cluster::replication {

/// What comparisons of copies came to since the start, on the servers of their primaries.
struct AuditFigures {
  /// Of two copies, that told something.
  std::uint64_t comparisons = 0;
  /// Of shards, that told nothing: a server did not answer in time, or too much was written
  /// meanwhile.
  std::uint64_t undecided = 0;
  /// Copies that were found to differ.
  std::uint64_t differing = 0;
  /// Unix time of the last comparison, milliseconds; 0: none yet.
  std::int64_t last_ms = 0;
};

}  // namespace quiver::cluster::replication
