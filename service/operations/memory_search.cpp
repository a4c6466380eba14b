#include "service/operations/memory_search.h"

#include <algorithm>
#include <utility>

#include "service/renamed_place.h"
#include "service/search_page.h"

namespace quiver::service {
namespace {

std::string cursor_bound(const MemorySearchRequest& request, const CollectionSpec& spec) {
  return CursorBound("memory_search")
      .add(spec.id)
      .add(request.query)
      .add(request.filter ? compact(request.filter->source()) : "")
      .add(request.min_score ? Json(*request.min_score).dump() : "")
      .str();
}

Result<std::vector<float>> embed_query(const CallContext& call, embedding::Provider& embedder,
                                       const std::string& query) {
  auto vectors = embedder.embed(call, {&query, 1}, embedding::Purpose::Query);
  if (!vectors.ok()) {
    return rename_place(std::move(vectors).error(), "texts", 1,
                        [](std::size_t) { return std::string("query"); });
  }
  if (vectors->size() == 1) return std::move(vectors->front());
  return Error{ErrorCode::Internal, "the embedder gave no vector for the query"};
}

}  // namespace

Result<MemorySearchResponse> memory_search(const CallContext& call, Engine& engine,
                                           const MemorySearchRequest& request) {
  const CallContext reading = at_level(call, request.consistency);
  QV_TRY(const auto collection, find_memories(engine, request.collection));
  if (!collection) return MemorySearchResponse{};
  QV_TRY(auto* embedder, embedder_of(engine, *collection));
  const bool detailed = request.response_format == ResponseFormat::Detailed;

  PagedSearch search;
  QV_TRY(search.query.vector, embed_query(reading, *embedder, request.query));
  search.query.filter = request.filter;
  search.query.allow_partial = request.allow_partial;
  search.limit = request.limit;
  search.min_score = request.min_score;
  search.cursor = request.cursor;
  search.cursor_bound = cursor_bound(request, collection->spec());
  search.parts = ItemParts::of(request.response_format);
  search.parts.metadata = detailed;
  search.max_tokens = std::min<std::size_t>(request.max_tokens, reply_tokens(engine));
  QV_TRY(auto page, search_page(reading, *collection, std::move(search)));
  if (page.hits.empty() && page.missing.empty() && !request.cursor) {
    QV_CHECK(check_filter_fields(reading, *collection, request.filter));
  }

  MemorySearchResponse response;
  response.hits = std::move(page.hits);
  response.next_cursor = std::move(page.next_cursor);
  if (page.advice) response.truncated = true;
  response.advice = std::move(page.advice);
  response.missing_shards = shown(std::move(page.missing));
  if (detailed) response.embedder = collection->spec().embedder;
  return response;
}

Operation memory_search_operation() {
  return operation(
      About{"memory_search", "Search memories",
            "Find stored text by meaning. Call before answering from memory. Returns best matches "
            "first; narrow with filter rather than raising limit. Texts are cut at 1,200 bytes: "
            "memory_get reads on.",
            Toolset::Memory, Access::Read, Effects{false, true},
            Route{"POST", "/v1/collections/{collection}/search"}},
      &memory_search);
}

}  // namespace quiver::service
