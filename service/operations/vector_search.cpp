#include "service/operations/vector_search.h"

#include <utility>

#include "service/search_page.h"
#include "service/steer.h"

namespace quiver::service {
namespace {

std::string cursor_bound(const VectorSearchRequest& request, const CollectionSpec& spec) {
  CursorBound bound("vector_search");
  bound.add(spec.id);
  if (request.vector) {
    const auto& values = request.vector->values;
    bound.add({reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
  } else {
    bound.add(request.like_id->key());
  }
  bound.add(request.vector ? "vector" : "like_id")
      .add(request.filter ? compact(request.filter->source()) : "")
      .add(request.exact ? "exact" : std::to_string(request.ef.value_or(0)));
  return bound.str();
}

Result<std::vector<float>> query_vector(const CallContext& call, cluster::Collection& collection,
                                        const VectorSearchRequest& request) {
  const auto& spec = collection.spec();
  if (request.vector) {
    if (request.vector->values.size() == spec.dimension) return request.vector->values;
    return Error{ErrorCode::InvalidArgument, "vector: has " +
                                                 std::to_string(request.vector->values.size()) +
                                                 " dimensions, " + needed_dimension(spec)};
  }
  QV_TRY(auto points, collection.get(call, {*request.like_id}, Projection{false, false, true}));
  if (!points.empty()) return std::move(points.front().vector);
  return Error{ErrorCode::NotFound, "like_id: no point " + request.like_id->display() +
                                        " in collection \"" + spec.name +
                                        "\"; vector_scroll lists the points"};
}

}  // namespace

void VectorSearchRequest::check(const Path& path, Problems& problems) const {
  if (vector.has_value() == like_id.has_value()) {
    problems.add(path, std::string("give exactly one of vector and like_id, got ") +
                           (vector ? "both" : "neither"));
  }
  if (exact && ef) {
    problems.add(Path(path, "ef"), "has no meaning with exact=true; leave one of them out");
  }
}

Result<VectorSearchResponse> vector_search(const CallContext& call, Engine& engine,
                                           const VectorSearchRequest& request) {
  const CallContext reading = at_level(call, request.consistency);
  QV_TRY(const auto collection, engine.collections.find(request.collection));
  PagedSearch search;
  QV_TRY(search.query.vector, query_vector(reading, *collection, request));
  search.query.filter = request.filter;
  search.query.allow_partial = request.allow_partial;
  search.query.exact = request.exact;
  search.query.ef = request.ef.value_or(0);
  search.limit = request.limit;
  search.without = request.like_id;
  search.cursor = request.cursor;
  search.cursor_bound = cursor_bound(request, collection->spec());
  search.parts = ItemParts::of(request.response_format);
  search.parts.vector = request.include_vector;
  search.max_tokens = reply_tokens(engine);
  QV_TRY(auto page, search_page(reading, *collection, std::move(search)));
  if (page.hits.empty() && page.missing.empty() && !request.cursor) {
    QV_CHECK(check_filter_fields(reading, *collection, request.filter));
  }
  VectorSearchResponse response;
  response.hits = std::move(page.hits);
  response.next_cursor = std::move(page.next_cursor);
  if (page.advice) response.truncated = true;
  response.advice = std::move(page.advice);
  response.missing_shards = shown(std::move(page.missing));
  return response;
}

Operation vector_search_operation() {
  return operation(About{"vector_search", "Search by vector",
                         "Nearest neighbours of a vector or of an existing point (give exactly one "
                         "of vector, like_id).",
                         Toolset::Vector, Access::Read, Effects{false, true},
                         Route{"POST", "/v1/collections/{collection}/points/search"}},
                   &vector_search);
}

}  // namespace quiver::service
