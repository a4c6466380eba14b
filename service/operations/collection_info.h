#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/limits.h"
#include "service/operation.h"
#include "service/values.h"

namespace quiver::service {

struct CollectionInfoRequest {
  std::string collection;

  static constexpr auto fields() {
    return describe(field("collection", &CollectionInfoRequest::collection)
                        .guarded(1, limits::kCollectionNameBytesMax));
  }
};

struct CollectionField {
  std::string name;
  std::vector<std::string> types;
  std::uint64_t points = 0;
  std::optional<std::vector<Json>> examples;

  static constexpr auto fields() {
    using R = CollectionField;
    return describe(field("name", &R::name, "Dotted path, as filters write it"),
                    field("types", &R::types), field("points", &R::points, "Points that have it"),
                    field("examples", &R::examples, "Most frequent first; long texts are cut"));
  }
};

struct CollectionInfoResponse {
  std::string name;
  std::string id;
  std::optional<std::string> description;
  std::uint64_t count = 0;
  std::uint32_t dimension = 0;
  Metric metric = Metric::Cosine;
  std::optional<std::string> embedder;
  std::uint32_t shards = 1;
  std::uint32_t replicas = 1;
  std::optional<ReadLevel> consistency;
  std::uint32_t m = 0;
  std::uint32_t ef_construction = 0;
  std::uint64_t unindexed = 0;
  std::uint64_t disk_bytes = 0;
  std::string created_at;
  std::optional<std::vector<CollectionField>> metadata_fields;
  std::optional<bool> fields_truncated;

  static constexpr auto fields() {
    using R = CollectionInfoResponse;
    return describe(
        field("name", &R::name), field("id", &R::id, "Never given out again, unlike the name"),
        field("description", &R::description), field("count", &R::count, "Points stored"),
        field("dimension", &R::dimension), field("metric", &R::metric),
        field("embedder", &R::embedder, "Absent: holds ready-made vectors"),
        field("shards", &R::shards), field("replicas", &R::replicas),
        field("consistency", &R::consistency, "Of reads that do not say, if it was chosen"),
        field("m", &R::m), field("ef_construction", &R::ef_construction),
        field("unindexed", &R::unindexed, "Points that searches still scan one by one"),
        field("disk_bytes", &R::disk_bytes), field("created_at", &R::created_at, "RFC 3339"),
        field("fields", &R::metadata_fields, "Metadata that filter can use"),
        field("fields_truncated", &R::fields_truncated,
              "There are more fields than shown, or some with names too long to filter by"));
  }
};

/// Describes a collection and the metadata in it. Errors: see Collections::find.
Result<CollectionInfoResponse> collection_info(const CallContext& call, Engine& engine,
                                               const CollectionInfoRequest& request);

Operation collection_info_operation();

}  // namespace quiver::service
