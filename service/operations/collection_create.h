#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/limits.h"
#include "service/operation.h"
#include "service/values.h"

namespace quiver::service {

struct CollectionCreateRequest {
  NewName name;
  std::optional<std::string> description;
  std::optional<std::string> embedder;
  std::optional<std::uint32_t> dimension;
  Metric metric = Metric::Cosine;
  std::uint32_t shards = 1;
  std::uint32_t replicas = 1;
  std::optional<std::uint32_t> m;
  std::optional<std::uint32_t> ef_construction;
  std::optional<ReadLevel> consistency;

  static constexpr auto fields() {
    using R = CollectionCreateRequest;
    return describe(field("name", &R::name),
                    field("description", &R::description, "What belongs here; shown to agents")
                        .guarded(0, limits::kDescriptionBytesMax),
                    field("embedder", &R::embedder).guarded(1, 64),
                    field("dimension", &R::dimension).between(1, limits::kDimensionMax),
                    field("metric", &R::metric).optional(),
                    field("shards", &R::shards).between(1, limits::kShardsMax).optional(),
                    field("replicas", &R::replicas).guarded(1, 9).optional(),
                    field("m", &R::m, "HNSW links").between(4, 64),
                    field("ef_construction", &R::ef_construction).between(8, 2000),
                    field("consistency", &R::consistency,
                          "Of reads that do not say; see those of memory_search")
                        .unlisted());
  }
};

struct CollectionCreateResponse {
  std::string name;
  bool exists = false;
  std::uint32_t dimension = 0;
  std::optional<std::string> embedder;

  static constexpr auto fields() {
    using R = CollectionCreateResponse;
    return describe(field("name", &R::name),
                    field("exists", &R::exists, "It was there already, with the same settings"),
                    field("dimension", &R::dimension),
                    field("embedder", &R::embedder, "Absent: holds ready-made vectors"));
  }
};

/// Makes a collection: for text if an embedder is named or nothing is, for ready-made vectors if
/// only a dimension is given.
///
/// Errors: InvalidArgument for an unknown embedder or one of another dimension; see
/// Collections::create.
Result<CollectionCreateResponse> collection_create(const CallContext& call, Engine& engine,
                                                   const CollectionCreateRequest& request);

Operation collection_create_operation();

}  // namespace quiver::service
