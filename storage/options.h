#pragma once

#include <cstddef>
#include <cstdint>

namespace quiver::storage {

/// How a node keeps its shards. Immutable after start.
struct Options {
  /// RocksDB block cache shared by all shards, bytes.
  std::size_t block_cache_bytes = std::size_t{64} << 20;
  /// Writes of one shard that RocksDB holds in memory before it writes them to the state, bytes.
  std::size_t write_buffer_bytes = std::size_t{16} << 20;
  /// Points up to which a search looks at every vector instead of walking a graph.
  std::size_t exact_search_points = 4000;
  /// Candidates that a graph search keeps when the caller does not say. Recall against time.
  std::size_t default_ef = 128;
  /// Share of removed vectors in a graph, percent, from which on it is built anew.
  std::uint32_t rebuild_dead_percent = 30;
  /// Threads that build graphs, over all shards.
  std::uint32_t index_threads = 2;
  /// Shards that stay open while nobody uses them; each takes memory and a dozen open files.
  std::size_t open_shards = 256;
  /// Log entries kept for copies that were away for a while, and the window of request ids.
  std::uint64_t log_entries_kept = 100'000;
  /// Bytes of these entries kept at most; request ids outlive the entries that this drops.
  std::uint64_t log_bytes_kept = std::uint64_t{64} << 20;
  /// The same for entries that another copy still needs: one that needs more is filled anew.
  std::uint64_t log_bytes_pinned = std::uint64_t{512} << 20;
};

}  // namespace quiver::storage
