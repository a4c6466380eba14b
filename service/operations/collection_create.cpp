#include "service/operations/collection_create.h"

#include <utility>

namespace quiver::service {
namespace {

/// Sets the spec's embedder and dimension.
Status choose_embedding(const Engine& engine, const CollectionCreateRequest& request,
                        CollectionSpec& spec) {
  if (!request.embedder && request.dimension) {
    spec.dimension = *request.dimension;
    return Done{};
  }
  const std::string& name = request.embedder ? *request.embedder : engine.default_embedder;
  QV_TRY(const auto* embedder, engine.find_embedder(name));
  spec.embedder = embedder->name();
  spec.dimension = static_cast<std::uint32_t>(embedder->dimension());
  if (!request.dimension || *request.dimension == spec.dimension) return Done{};
  return Error{ErrorCode::InvalidArgument,
               "dimension: embedder " + spec.embedder + " gives " + std::to_string(spec.dimension) +
                   " dimensions, got " + std::to_string(*request.dimension) +
                   "; leave dimension out, or leave embedder out to store ready-made vectors"};
}

}  // namespace

Result<CollectionCreateResponse> collection_create(const CallContext& call, Engine& engine,
                                                   const CollectionCreateRequest& request) {
  CollectionSpec spec;
  spec.name = request.name.value;
  spec.description = request.description.value_or("");
  spec.metric = request.metric;
  spec.shard_count = request.shards;
  spec.replication_factor = request.replicas;
  spec.read_level = request.consistency;
  spec.hnsw.m = request.m.value_or(spec.hnsw.m);
  spec.hnsw.ef_construction = request.ef_construction.value_or(spec.hnsw.ef_construction);
  QV_CHECK(choose_embedding(engine, request, spec));
  QV_TRY(const auto created, engine.collections.create(call, std::move(spec)));
  const auto& made = created.collection->spec();
  if (!created.existed) {
    engine.changes.publish({Change::Kind::CollectionsChanged, made.name});
  }
  CollectionCreateResponse out;
  out.name = made.name;
  out.exists = created.existed;
  out.dimension = made.dimension;
  if (!made.embedder.empty()) out.embedder = made.embedder;
  return out;
}

Operation collection_create_operation() {
  return operation(
      About{"collection_create", "Create a collection",
            "Create a collection. Give embedder for text (or nothing for the default one), or "
            "dimension for ready-made vectors. Returns exists=true if it is already there with the "
            "same settings.",
            Toolset::Collection, Access::Admin, Effects{false, true},
            Route{"PUT", "/v1/collections/{name}"}},
      &collection_create);
}

}  // namespace quiver::service
