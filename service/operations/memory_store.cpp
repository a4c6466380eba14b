#include "service/operations/memory_store.h"

#include <cstddef>
#include <map>
#include <set>
#include <utility>

#include "service/renamed_place.h"
#include "service/store_plan.h"

namespace quiver::service {
namespace {

Result<std::shared_ptr<cluster::Collection>> make_default(const CallContext& call, Engine& engine,
                                                          const embedding::Provider& embedder) {
  CollectionSpec spec;
  spec.name = kDefaultCollection;
  spec.description = "Memories stored without naming a collection";
  spec.embedder = embedder.name();
  spec.dimension = static_cast<std::uint32_t>(embedder.dimension());
  QV_TRY(auto created, engine.collections.create(call, std::move(spec)));
  if (!created.existed) {
    engine.changes.publish({Change::Kind::CollectionsChanged, std::string(kDefaultCollection)});
  }
  return std::move(created.collection);
}

/// A vector for each item that the plan writes, by the number of the item.
using Vectors = std::map<std::size_t, std::vector<float>>;

Result<Vectors> embed_texts(const CallContext& call, embedding::Provider& embedder,
                            const MemoryStoreRequest& request, const StorePlan& plan) {
  std::vector<std::string> texts;
  for (const auto i : plan.writes()) texts.push_back(request.items[i].text);
  auto embedded = embedder.embed(call, texts, embedding::Purpose::Document);
  if (!embedded.ok()) {
    return rename_place(std::move(embedded).error(), "texts", texts.size(), [&](std::size_t n) {
      return "items[" + std::to_string(plan.writes()[n]) + "].text";
    });
  }
  auto vectors = std::move(embedded).value();
  if (vectors.size() != texts.size()) {
    return Error{ErrorCode::Internal, "the embedder gave another number of vectors than of texts"};
  }
  Vectors out;
  for (std::size_t n = 0; n < vectors.size(); ++n) {
    out.emplace(plan.writes()[n], std::move(vectors[n]));
  }
  return out;
}

/// Writes what is planned now. Returns the ids of the points that others have changed since the
/// plan was made.
Result<std::vector<PointId>> write_planned(const CallContext& call, const Engine& engine,
                                           cluster::Collection& collection,
                                           const MemoryStoreRequest& request, const StorePlan& plan,
                                           const Vectors& vectors) {
  auto write = plan.points(engine.clock.wall_ms());
  const std::size_t count = write.points.size();
  for (std::size_t n = 0; n < count; ++n) write.points[n].vector = vectors.at(plan.writes()[n]);
  auto left = collection.upsert_if(call, std::move(write));
  using Written = Result<MutationResult>;
  tell_of_write(
      engine, request.collection,
      left.ok() ? Written(MutationResult{count - left->size(), 0}) : Written(left.error()));
  if (left.ok()) return left;
  return rename_place(std::move(left).error(), "points", count, [&](std::size_t n) {
    return "items[" + std::to_string(plan.writes()[n]) + ']';
  });
}

/// Counts what was written of the plan: all but what is `left`.
void count_written(const MemoryStoreRequest& request, const StorePlan& plan,
                   const std::vector<PointId>& left, MemoryStoreResponse& response) {
  const std::set<PointId> not_written(left.begin(), left.end());
  for (const auto i : plan.writes()) {
    if (not_written.contains(plan.ids()[i])) continue;
    ++(plan.stored(request.items[i]) == nullptr ? response.stored : response.updated);
  }
}

/// Writes until nothing of the plan is left. Whoever comes between is somebody who got on.
Status write_all(const CallContext& call, const Engine& engine, cluster::Collection& collection,
                 const MemoryStoreRequest& request, StorePlan& plan, const Vectors& vectors,
                 MemoryStoreResponse& response) {
  while (!plan.writes().empty()) {
    QV_TRY(const auto left, write_planned(call, engine, collection, request, plan, vectors));
    count_written(request, plan, left, response);
    if (left.empty()) return Done{};
    QV_CHECK(call.check());
    QV_CHECK(plan.again(call, collection, left));
  }
  return Done{};
}

/// Long ids are not repeated to whoever gave them.
void bound_ids(const MemoryStoreRequest& request, std::size_t bytes,
               MemoryStoreResponse& response) {
  if (compact(encode(response.ids)).size() <= bytes) return;
  std::vector<PointId> made;
  for (std::size_t i = 0; i < request.items.size(); ++i) {
    if (!request.items[i].id) made.push_back(std::move(response.ids[i]));
  }
  response.ids = std::move(made);
  response.given_ids_omitted = true;
}

}  // namespace

Result<MemoryStoreResponse> memory_store(const CallContext& call, Engine& engine,
                                         const MemoryStoreRequest& request) {
  QV_TRY(auto collection, find_memories(engine, request.collection));
  QV_TRY(auto* embedder, collection ? embedder_of(engine, *collection)
                                    : engine.find_embedder(engine.default_embedder));
  StorePlan plan(request);
  // What is there decides what is written.
  QV_CHECK(plan.make(at_level(call, ReadLevel::Linearizable), collection.get()));
  MemoryStoreResponse response;
  if (!plan.writes().empty()) {
    // Before the default collection is made: a text that cannot be embedded changes nothing.
    QV_TRY(const auto vectors, embed_texts(call, *embedder, request, plan));
    if (!collection) {
      QV_TRY(collection, make_default(call, engine, *embedder));
    }
    QV_CHECK(write_all(call, engine, *collection, request, plan, vectors, response));
  }
  response.ids = plan.ids();
  response.duplicates = request.items.size() - response.stored - response.updated;
  bound_ids(request, engine.reply_bytes, response);
  return response;
}

Operation memory_store_operation() {
  return operation(
      About{"memory_store", "Store memories",
            "Save text so it can be found later by meaning. Embeds on the server. Reuse an id to "
            "overwrite; without id, identical text is kept once and new metadata merged into it.",
            Toolset::Memory, Access::Write, Effects{false, true},
            Route{"POST", "/v1/collections/{collection}/memories"}},
      &memory_store);
}

}  // namespace quiver::service
