#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "cluster/replication/parcel.h"

namespace quiver::cluster::replication {

/// The newest entries of a copy's log in memory: all that may not be on disk yet, and of the others
/// as many as fit.
///
/// Threads: one at a time.
class LogCache {
 public:
  explicit LogCache(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  /// The entry behind the last one.
  void append(SharedEntry entry);
  void truncate_after(Seq last);
  void clear();
  /// All up to here is on disk: what does not fit may go.
  void durable(Seq through);

  /// Whether it holds all entries from `from` to `through`.
  bool has(Seq from, Seq through) const;
  /// Entries that it has.
  std::vector<SharedEntry> range(Seq from, Seq through) const;

 private:
  void shrink();

  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  Seq durable_{0};
  std::deque<SharedEntry> entries_;
};

/// Parts of `entries`, in order, each of at most `bytes_max` unless it is one entry.
std::vector<std::vector<SharedEntry>> split_by_bytes(std::vector<SharedEntry> entries,
                                                     std::size_t bytes_max);

}  // namespace quiver::cluster::replication
