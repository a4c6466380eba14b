#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/call_context.h"
#include "core/collection_spec.h"
#include "core/filter.h"
#include "core/mutation.h"
#include "core/point.h"

namespace quiver::cluster {

struct Query {
  /// Shape [dimension].
  std::vector<float> vector;
  std::size_t k = 10;
  std::optional<Filter> filter;
  bool exact = false;
  /// 0: the node's default.
  std::size_t ef = 0;
  Projection projection;
  /// Answer without the shards that cannot be reached instead of failing.
  bool allow_partial = false;
};

/// A shard that did not answer, and why.
struct MissingShard {
  std::uint32_t shard = 0;
  std::string why;
};

struct SearchAnswer {
  /// Nearest first, ties by id.
  std::vector<ScoredPoint> hits;
  /// Empty unless Query::allow_partial.
  std::vector<MissingShard> missing;
};

struct CollectionStats {
  std::uint64_t points = 0;
  std::uint64_t unindexed = 0;
  std::uint64_t disk_bytes = 0;
};

/// A metadata field that points of a collection have.
struct Field {
  /// Dotted path.
  std::string name;
  /// string, number, boolean, datetime.
  std::vector<std::string> types;
  std::uint64_t points = 0;
  /// Most frequent first.
  std::vector<Json> examples;
};

struct ScrollPage {
  /// In order of id over all shards.
  std::vector<Point> points;
  /// Continue behind this id; absent at the end.
  std::optional<PointId> next;
};

/// A logical collection, wherever its shards lie: all that an operation sees of the cluster.
///
/// Writes go to the shards that the ids hash to, in parallel, and are durable there when the call
/// returns. call.request_id makes a retry take effect once per shard.
///
/// Threads: any.
class Collection {
 public:
  virtual ~Collection() = default;

  virtual const CollectionSpec& spec() const noexcept = 0;

  /// Validates before it writes: one bad point and nothing is written. Of two points with the same
  /// id in one call the later wins. Each shard writes its points at once, in parts if they take
  /// more than a message: a write that fails may have been carried out by some shards, and in part.
  ///
  /// Errors: InvalidArgument (dimension, NaN, infinity, zero vector under cosine, payload too
  /// large), ResourceExhausted, Unavailable.
  virtual Result<MutationResult> upsert(const CallContext& call, std::vector<Point> points) = 0;
  virtual Result<MutationResult> erase(const CallContext& call, std::vector<PointId> ids) = 0;
  virtual Result<MutationResult> erase_matching(const CallContext& call, const Filter& filter) = 0;
  /// Errors: as upsert(); InvalidArgument also if the result would be too large for one of the
  /// points: then none of its shard's points is changed.
  virtual Result<MutationResult> update_payload(const CallContext& call, UpdatePayload update) = 0;

  /// Those of `ids` that exist, in the order asked.
  virtual Result<std::vector<Point>> get(const CallContext& call, const std::vector<PointId>& ids,
                                         Projection projection) = 0;
  /// With Query::allow_partial a shard has three quarters of the call's time.
  ///
  /// Errors: Unavailable if a shard cannot be reached, naming it; with Query::allow_partial only if
  /// none can.
  virtual Result<SearchAnswer> search(const CallContext& call, const Query& query) = 0;
  virtual Result<ScrollPage> scroll(const CallContext& call, const std::optional<Filter>& filter,
                                    const std::optional<PointId>& after, std::size_t limit,
                                    Projection projection) = 0;
  virtual Result<std::uint64_t> count(const CallContext& call,
                                      const std::optional<Filter>& filter) = 0;
  virtual Result<std::vector<Field>> fields(const CallContext& call, std::size_t limit) = 0;
  virtual Result<CollectionStats> stats(const CallContext& call) = 0;

  /// As upsert(), but on condition: of the points that share a shard, and a part of the write, all
  /// are written if every expectation about them holds, and none otherwise. `expected` speaks of
  /// points of the write; one that it does not speak of is written with those beside it.
  ///
  /// The ids of the points that were not written, in no order: read them again, and try again.
  ///
  /// Errors: as upsert(); InvalidArgument also for an id that two points have.
  virtual Result<std::vector<PointId>> upsert_if(const CallContext& call, UpsertIf write) = 0;
};

}  // namespace quiver::cluster
