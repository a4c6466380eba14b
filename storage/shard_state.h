#pragma once

#include <memory>
#include <utility>

#include "core/clock.h"
#include "core/collection_spec.h"
#include "core/mutex.h"
#include "storage/lazy_payload_index.h"
#include "storage/live_slots.h"
#include "storage/options.h"
#include "storage/point_store.h"
#include "storage/request_table.h"
#include "storage/vector_index.h"

namespace quiver::storage {

/// The state half of a shard: its points, and what is derived from them.
///
/// ShardWriter changes it in this order, so that a reader never misses a point that existed all the
/// while:
///
///     points (one atomic batch)  ->  index: insert new slots  ->  payload index  ->  live slots
///                                ->  index: remove old slots
///
/// A reader goes the other way: live slots, payload index, vector index, and last a view of the
/// points, which decides. A slot that the view does not know was replaced meanwhile.
struct ShardState {
  /// `rocks` and `time` must outlive it.
  ShardState(CollectionSpec of, const Options& how, const Clock& time, Rocks& rocks)
      : spec(std::move(of)),
        options(how),
        clock(time),
        points(rocks),
        requests(rocks),
        payloads(points) {}

  const CollectionSpec spec;
  const Options options;
  const Clock& clock;
  PointStore points;
  RequestTable requests;
  LiveSlots live;
  std::unique_ptr<VectorIndex> index;
  LazyPayloadIndex payloads;
};

}  // namespace quiver::storage
