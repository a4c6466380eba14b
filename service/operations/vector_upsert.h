#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.h"
#include "service/operation.h"
#include "service/values.h"

namespace quiver::service {

struct VectorUpsertPoint {
  PointId id;
  VectorValue vector;
  std::optional<std::string> text;
  std::optional<Metadata> metadata;

  static constexpr auto fields() {
    using R = VectorUpsertPoint;
    return describe(field("id", &R::id),
                    field("vector", &R::vector, "Or base64 of little-endian float32"),
                    field("text", &R::text).guarded(0, limits::kTextBytesMax),
                    field("metadata", &R::metadata, "Any JSON; scalar fields can be filtered"));
  }
};

struct VectorUpsertRequest {
  std::string collection;
  std::vector<VectorUpsertPoint> points;

  static constexpr auto fields() {
    using R = VectorUpsertRequest;
    return describe(field("collection", &R::collection).guarded(1, limits::kCollectionNameBytesMax),
                    field("points", &R::points).between(1, limits::kBatchPointsMax));
  }
};

struct VectorUpsertResponse {
  std::uint64_t upserted = 0;
  std::uint64_t created = 0;

  static constexpr auto fields() {
    using R = VectorUpsertResponse;
    return describe(field("upserted", &R::upserted, "Points written"),
                    field("created", &R::created, "Of these, points that were not there before"));
  }
};

/// Inserts or replaces points. One bad point and nothing is written; a write that fails for another
/// reason may have reached some shards and not others, and can be repeated as it is.
///
/// Errors: InvalidArgument naming the first bad points by index; see Collections::find,
/// Collection::upsert.
Result<VectorUpsertResponse> vector_upsert(const CallContext& call, Engine& engine,
                                           const VectorUpsertRequest& request);

Operation vector_upsert_operation();

}  // namespace quiver::service
