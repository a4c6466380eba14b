#pragma once

#include "core/clock.h"
#include "storage/index_builder.h"
#include "storage/options.h"
#include "storage/rocks.h"

namespace quiver::storage {

/// What the shards of a node share. Must outlive them.
struct ShardEnvironment {
  /// `time` must outlive it; so must `files`, which replaces the system's files unless it is null.
  ShardEnvironment(const Options& how, const Clock& time, rocksdb::Env* files = nullptr)
      : options(how),
        clock(time),
        rocks(how.block_cache_bytes, how.write_buffer_bytes, files),
        builder(how.index_threads) {}

  const Options options;
  const Clock& clock;
  const RocksResources rocks;
  IndexBuilder builder;
};

}  // namespace quiver::storage
