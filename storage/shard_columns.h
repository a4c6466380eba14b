#pragma once

#include <cstddef>
#include <vector>

#include "storage/rocks.h"

namespace quiver::storage {

/// Column families of a shard's database; docs/storage_format.md gives keys and values.
enum class Column : std::size_t {
  /// One record: how far the state has come.
  Meta,
  /// Seq -> log entry. Written with the write-ahead log, unlike all others.
  Log,
  /// Request id -> result, and Seq -> request id.
  Requests,
  /// Point id -> slot, version and times.
  Points,
  /// Slot -> point id and times.
  Slots,
  /// Slot -> vector as it was given.
  Vectors,
  /// Slot -> payload and text.
  Payloads,
};

inline rocksdb::ColumnFamilyHandle* handle(const Rocks& rocks, Column column) {
  return rocks.column(static_cast<std::size_t>(column));
}

/// In the order of Column.
inline std::vector<RocksColumn> shard_columns() {
  return {{.name = "default"},
          {.name = "log", .compress = false},
          {.name = "requests", .compress = false, .bloom = true},
          {.name = "points", .bloom = true},
          {.name = "slots", .bloom = true},
          {.name = "vectors", .compress = false},
          {.name = "payloads"}};
}

}  // namespace quiver::storage
